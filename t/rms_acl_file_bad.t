# rms_acl_file: a bad file changes nothing.  The list read before stays in use as
# a whole, the log says what is wrong once, the age tells since when.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Rules;

use POSIX ();

my ($EXCH, $EXCH2, $SP, $FS) = map {"account=$_\$\@RMS.TEST"} qw(EXCH01 EXCH02 SP01 FS01);
my ($BOB, $ALICE) = map {"account=$_\@RMS.TEST"} qw(bob alice);
my $in = asks();

# all at one time, each in a location of its own
my %case = (
    mistake => [sub { rules('mistake', "exchange $EXCH", 'user account=nobody') }, qr/:2: .*name\@REALM/],
    roles   => [sub { rules('roles', "exchange $EXCH", "fci $EXCH") }, qr/:2: .*exchange/],
    front   => [sub { rules('front', "exchange $EXCH", "fci $SP") }, qr/:2: .*rms_server.*nginx\.conf/],
    cut     => [sub { spew(acl('cut'), "exchange $EXCH"); share_with_worker(acl('cut')) }, qr/:1: .*end/],
    partner => [sub { rules('partner', 'partner any') }, qr/:1: .*for anonymous partners.*"rms_auth off;"/],
    gone    => [sub { unlink acl('gone') }, qr/:0: .*not there/],
    folder  => [sub { unlink acl('folder'); mkdir acl('folder') }, qr/:0: .*not a regular file/],
    large   => [sub { rules('large', "exchange $EXCH", '#' x 4000, ('# ' . 'x' x 4000) x 262) }, qr/:0: .*1 MiB/],
    closed  => [sub { rules('closed', "exchange $EXCH"); chown 0, 0, acl('closed'); chmod 0600, acl('closed') }, qr/:0: .*let the worker's user read it/],
    pipe    => [sub { unlink acl('pipe'); POSIX::mkfifo(acl('pipe'), 0644) }, qr/:0: .*not a regular file/],
);
delete $case{closed} if $> != 0;
my @names = sort keys %case;

standin(azure => {});
rules($_, "user $EXCH2") for @names, 'fine';
my $n = nginx(log => 'notice', allow => ["rms_server $SP"], pass => 'azure', server => 'rms_acl_file ' . acl('partner') . ";\n",
    locations => join '', map {
        "location /$_/ { $in rms_acl_file ${\acl($_)}; }\nlocation /$_-own/ { $in rms_allow user $ALICE; rms_acl_file ${\acl($_)}; }\n"
    } @names, 'fine');

$case{$_}[0]->() for @names;
for my $name (@names) {
    my $line = qr/\[error\].* event=3001 list not read again: \Q${\acl($name)}\E/;
    ok(eval { wait_for(sub { told($line) }, $name, 8) }, "$name: event 3001");
    like($n->error_log, qr/$line$case{$name}[1].*; the list of \d+ s ago stays in use\n/, "$name: file, line and reason");
    is(role("/$name", 'EXCH02$') . role("/$name", 'EXCH01$') . role("/$name", 'SP01$'), '200 user403 none200 rms_server', "$name: the list before is in use");
    is(role("/$name-own", 'EXCH02$') . role("/$name-own", 'alice') . role("/$name-own", 'EXCH01$'), '200 user200 user403 none', "$name: in every list, none half");
}
is(post_sample('07', account => 'EXCH02$')->status, 200, 'calls go on');
wait_for(sub { list_file('partner')->{age} >= 2 }, 'time goes by', 8);
is(told(qr/event=3001/), scalar @names, 'each is told once');
is(status()->{counters}{acl_failures}, scalar @names, 'and counted');
is(list_file('mistake')->{failed}, 1, 'the status says so');
is(list_file('mistake')->{rules}, 1, 'and how many rules are in use');
is(list_file('fine')->{failed}, 0, 'another file is fine');
cmp_ok(list_file('fine')->{age}, '<=', 1, 'and young');
is(post_sample('07', account => 'EXCH02$')->status, 200, 'calls go on still');
cmp_ok(($n->access_log)[-1]{rms_list_age}, '>=', 2, '$rms_list_age tells how old the list is');

# another failure of the same file is one more line
unlink acl('mistake');
ok(eval { wait_for(sub { told(qr/event=3001 list not read again: \Q${\acl('mistake')}\E:0: .*not there/) }, 'gone', 8) }, 'bad, then gone: told again');

# a good one ends it
rmdir acl('folder');
unlink acl('pipe');
rules($_, "exchange $EXCH") for grep { $_ ne 'fine' } @names;
ok(eval { wait_for(sub { told(qr/event=1004 list changed/) == @names }, 'all', 8) }, 'good files are read, each once');
for my $name (@names) {
    is(role("/$name", 'EXCH01$') . role("/$name-own", 'EXCH01$') . role("/$name", 'EXCH02$'), '200 exchange200 exchange403 none', "$name: the new list");
    is(list_file($name)->{failed}, 0, "$name: not failed any more");
}
cmp_ok(list_file('mistake')->{age}, '<=', 1, 'and young again');

unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
