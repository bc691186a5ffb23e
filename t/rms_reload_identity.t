# An identity file takes effect without a reload, a bad one does not and is
# reported once; a request on its way keeps the identity it was given.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my @identity = map {"Bearer identity-number-$_"} 0 .. 4;
my $file = dir() . '/identity';
my $other = dir() . '/identity.other';

# identify($file, $text) - replaces an identity file as an operator does
sub identify {
    my ($to, $text) = @_;
    spew("$to.next", $text);
    share_with_worker("$to.next");
    rename "$to.next", $to or die "$to: $!";
    return;
}

identify($file, "$identity[0]\n");
identify($other, "Bearer other 0\n");
standin(azure => { require_authorization => $identity[0] }, adrms => {});

# one worker, so that each line comes once
my $n = nginx(pass => 'azure adrms', http => 'limit_req_zone $rms_account zone=held:1m rate=30r/m;',
    backends => [{ name => 'azure', identity => "file=$file", proxy_extra => 'limit_req zone=held burst=9;' },
        { name => 'adrms', identity => "file=$other" }]);
my $m = sample('07');

sub status { return JSON::PP::decode_json(http(path => '/rms/status')->body) }
my $logged = sub { my ($p) = @_; my $k = () = $n->error_log =~ /$p/g; return $k };

# read_again($file, $text) - changes the file and waits until it was read
sub read_again {
    my ($to, $text) = @_;
    my $seen = $logged->(qr/identity read again: file="\Q$to\E"/);
    identify($to, $text);
    return eval { wait_for(sub { $logged->(qr/identity read again: file="\Q$to\E"/) > $seen }, "$to read again", 8) };
}

is(post_sample('07', account => 'SP01$')->status, 200, 'the identity of the start');
ok(read_again($file, "$identity[1]\n"), 'a changed identity is read within seconds');
standin_options(azure => { require_authorization => $identity[1] });
is(post_sample('07')->status, 200, 'and used');

# a bad one: looks at the other file tell that time goes by while it stays
identify($file, "$identity[2]\nHost: x\n");
$n->wait_log(qr/rms event=3000 identity not read again: file="\Q$file\E"; the value read before stays in use/);
is(post_sample('07', account => 'EXCH02$')->status, 200, 'a bad one leaves the old in use');
ok(read_again($other, "Bearer other 1\n"), '  one more look');
is($logged->(qr/\[error\] \S+ rms event=3000 identity not read again/), 1, '3000 is said once');
is($logged->(qr/\[error\] \S+ identity file "[^"]+": more than one line/), 1, 'and why, once');
is(status()->{counters}{identity_failures}, 1, 'and counted');
unlink $file;
ok(read_again($other, 'Bearer other 2'), '  and one more');
is($logged->(qr/rms event=3000 identity not read again/), 1, 'gone after bad: still the same failure');
ok(read_again($file, "$identity[3]\n"), 'a good one ends it');

# a request that waits before its backend keeps what it was given
standin_options(azure => { require_authorization => $identity[3] });
is(post_sample('07', account => 'FS01$')->status, 200, 'a first one passes');
my $delayed = $logged->(qr/delaying request/);
my $c = client(addr(), $n->port);
$c->request(method => 'POST', path => $m->{path}, body => $m->{request}, headers => [@{ $m->{headers} }, [Authorization => negotiate('FS01$')]]);
wait_for(sub { $logged->(qr/delaying request/) > $delayed }, 'the second one is held');
ok(read_again($file, "$identity[4]\n"), 'the identity changes meanwhile');
is($c->response->status, 200, 'the second one goes out with the identity of its verdict');
is_deeply([violations()], [], 'the backends saw nothing odd');
is_deeply([no_secrets(@identity)], [], 'no identity in a log');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');

done_testing();
