# rms_acl_file with several workers and many changes: one worker tells of each,
# all of them read it, and what they read before leaves nothing behind (D24).

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Rules;

my $EXCH = 'account=EXCH01$@RMS.TEST';
my $in = asks();

# everywhere($name, $rules) - until each worker has so many rules of a file
sub everywhere {
    my ($name, $rules) = @_;
    my %has;
    return eval {
        wait_for(sub {
            my $now = status();
            my ($f) = grep { $_->{file} eq acl($name) } @{ $now->{list_files} };
            $has{ $now->{pid} } = 1 if $f->{rules} == $rules;
            return 2 == keys %has;
        }, 'both workers', 10);
    };
}

standin(azure => {});
my @users = map { sprintf 'user account=u%02d@RMS.TEST', $_ } 1 .. 30;
rules('a', "exchange $EXCH");
my $n = nginx(workers => 2, log => 'notice', allow => [], locations => "location /a/ { $in rms_acl_file ${\acl('a')}; }\n"
    . "location /b/ { $in rms_allow user account=alice\@RMS.TEST; rms_acl_file ${\acl('a')}; }\n");

rules('a', "exchange $EXCH", @users);
ok(everywhere('a', 31), 'both workers have a change');
is(told(qr/event=1004 list changed/), 1, '1004 comes once');
is(told(qr/event=1004 list change: added user/), 20, 'with what changed, 20 lines of it');
is(told(qr/event=1004 list change: and 10 more/), 1, 'and how many more there are');
is(status()->{counters}{acl_reloads}, 1, 'counted once');
rules('a', "exchange $EXCH");
ok(everywhere('a', 1), 'both have the next one, which takes it back');
is(told(qr/event=1004 list changed/), 2, 'told once too');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
$n->stop;

# 200 changes, of 40 files at a time, while requests come in

# KiB, less than four sets of these lists take; ASan keeps what was freed, and
# looks for leaks itself
my $slack = $ENV{ASAN_OPTIONS} ? 300_000 : 4096;
my @names = map {"file$_"} 1 .. 40;
my $round = 0;
my $all = sub {
    $round++;
    rules($_, "exchange $EXCH", "fci account=~FS$round.*\@RMS\\.TEST", map { sprintf 'user account=u%d-%03d@RMS.TEST', $round, $_ } 1 .. 300) for @names;
};
$all->();
$n = nginx(log => 'notice', allow => [], locations => join '', map {"location /$_/ { $in rms_acl_file ${\acl($_)}; }\n"} @names);
my ($worker) = $n->workers;
my $heap = sub { my ($k) = slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m; return $k };

my (@heap, %seen);
for my $change (1 .. 7) {
    $all->();
    my $read = eval {
        wait_for(sub {
            $seen{ role("/$names[rand @names]", 'EXCH01$') }++;
            return told(qr/event=1004 list changed/) >= $change * @names;
        }, "change $change", 10);
    };
    ok($read, "change $change of every file");
    push @heap, $heap->();
}
diag("heap, KiB: @heap");
is(join(' ', keys %seen), '200 exchange', 'no request missed its rule meanwhile');
is(($n->workers)[0], $worker, 'one worker did it all');
cmp_ok($heap[-1], '<=', $heap[1] + $slack, 'and has not grown by 200 changes');

unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
