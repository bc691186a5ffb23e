# D31, D46: guessing is slowed down where it happens, and nobody else: the answer
# to a failed login waits when many failed from there before.  A login that
# succeeds never waits, and no stranger can keep an account out.

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use RMS::Test;
use RMS::NTLM;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my ($A, $B, $C, $D, $E, $F) = map {"127.202.0.$_"} 1 .. 6;
my ($PAIR, $ADDRESS) = (3, 20);

sub counter { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body)->{counters}{ $_[0] } }

sub conn { my ($from, $port) = @_; return client(addr(), $port || nginx()->port, from => $from) }

sub worker { return wait_for(sub { (nginx()->workers)[0] }, 'worker') }

# A ticket made with another key: it fails, and says nothing about an account.
my $bad;
sub fail_at {
    my ($c) = @_;
    $bad ||= gss(ccache => mkticket(wrong_key => 1))->header;
    $c->request(path => $page, headers => [['Authorization', $bad]]);
    return $c;
}

# NTLM with a wrong password: the account is known.
sub guess_at {
    my ($c, $account) = @_;
    my $n = ntlm(account => $account, password => 'wrong');
    $c->request(path => $page, headers => [['Authorization', $n->header]]);
    my $r = $c->response;
    $c->request(path => $page, headers => [['Authorization', $n->header($n->challenge_in($r))]]);
    return $c;
}

# failures() - so many logins have failed, whether answered or not
sub failures { my $n = () = nginx()->error_log =~ /event=2000 no usable principal/g; return $n }

sub waits { return !length $_[0]{in} && !IO::Select->new($_[0]{s})->can_read(0) }

sub good { return http(client => conn(@_), path => $page, account => 'EXCH01$')->status }

# statuses(@clients) - the answers, as "401 401"
sub statuses { return join ' ', sort map { my $r = $_->response; $r ? $r->status : 'closed' } @_ }

sub all_401 { return join ' ', ('401') x @_ }

my $users = 'rms_ntlm_user_file ' . ntlm_user_file(map { ['RMS', $_, "$_-pass"] } 'EXCH01$', 'SP01$') . ";\n";
my $proxied = free_port();
my %conf = (auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', port => free_port(),
    server => "listen ${\addr()}:$proxied proxy_protocol;\nset_real_ip_from 127.0.0.0/8;\nreal_ip_header proxy_protocol;\n$users");
standin(azure => {});
my $text = conf(%conf);
nginx($text);
my $worker = worker();

# one account at one address
for my $n (1 .. $PAIR) {
    is(guess_at(conn($A), 'EXCH01$')->response->status, 401, "a wrong password, $n");
}
is(counter('delayed'), 0, 'the first ones cost nothing');
is(good($A), 200, 'a good login');
for my $n (1 .. $PAIR) {
    guess_at(conn($A), 'EXCH01$')->response;
}
is(counter('delayed'), 0, 'and they are free again');
my $failures = failures();
my @guesses = map { guess_at(conn($A), 'EXCH01$') } 1 .. 8;
wait_for(sub { failures() == $failures + 8 }, 'all of them known to have failed');
my $delayed = counter('delayed');
cmp_ok($delayed, '>=', 7, 'the next ones wait');
ok(scalar(grep { waits($_) } @guesses), 'there is no answer yet');

# meanwhile
is(guess_at(conn($B), 'EXCH01$')->response->status, 401, 'a mistake of EXCH01$ itself at another address');
ok(scalar(grep { waits($_) } @guesses), 'is told before the guesses of the stranger');
is(counter('delayed'), $delayed, 'and does not wait');
is(good($A), 200, 'EXCH01$ itself comes in from the same address');
is(ntlm_request(conn($A), ntlm(), path => $page)->status, 200, 'with NTLM, too');
ok(scalar(grep { waits($_) } @guesses), 'before the guesses are answered');
is(counter('delayed'), $delayed, 'it did not wait');
is(good($B), 200, 'and at the other one');
is(guess_at(conn($A), 'SP01$')->response->status, 401, 'a mistake of another account at this one');
ok(scalar(grep { waits($_) } @guesses), 'come before the answers to the stranger');
is(counter('delayed'), $delayed, 'and cost nothing');

# an address, whatever accounts
for my $n (1 .. $ADDRESS) {
    my $status = fail_at(conn($C))->response->status;
    fail("failure $n: $status") if $status != 401;
}
is(counter('delayed'), $delayed, 'so many failures of an address cost nothing');
my @more = map { fail_at(conn($C)) } 1 .. 10;
wait_for(sub { counter('delayed') > $delayed + 5 }, 'more do');
is(good($C), 200, 'a good login from there');
ok(scalar(grep { waits($_) } @more), 'does not wait with them');
is(fail_at(conn($D))->response->status, 401, 'nor does a bad one from elsewhere');
ok(scalar(grep { waits($_) } @more), 'not even that');

# a flood, and clients that go away
my @flood = map { fail_at(conn($E)) } 1 .. 300;
wait_for(sub { counter('delayed') > $delayed + 200 }, 'most of them wait');
is(good($F), 200, 'who comes from elsewhere is served');
is(good($E), 200, 'and so is who succeeds');
is(http(path => '/elsewhere')->status, 404, 'and everybody else');
my @waiting = grep { waits($_) } @flood;
cmp_ok(scalar @waiting, '>=', 100, 'while they wait');
my %gone;
for my $i (0 .. 99) {
    my $c = $waiting[$i];
    $gone{$c} = 1;
    $i % 2 ? $c->reset : $c->close;
}
my @left = grep { !$gone{$_} } @guesses, @more, @flood;

# a reload while they wait; what is known of failures goes on
ok(nginx()->reload($text), 'reload');
is(http(path => '/elsewhere')->status, 404, 'the new worker serves');
ok(scalar(grep { waits($_) } @left), 'while answers of the old one wait');
is(statuses(@left), all_401(@left), 'each gets its 401');
wait_for(sub { !grep { $_ == $worker } nginx()->workers }, 'it leaves');
isnt(worker(), $worker, 'and the old one leaves');
unlike(nginx()->error_log, qr/exited on signal/, 'by itself');
$delayed = counter('delayed');
my $late = fail_at(conn($E));
wait_for(sub { counter('delayed') == $delayed + 1 }, 'the failures before count');
ok(waits($late), 'the new one knows of the failures before');

# the address of the client, not of the balancer; of IPv6, its site
my $balancer = $F;
my $through = sub {
    my ($client) = @_;
    my $c = conn($balancer, $proxied);
    my ($family, $server) = $client =~ /:/ ? ('TCP6', '2001:db8::1') : ('TCP4', '192.0.2.254');
    $c->write("PROXY $family $client $server 30000 443\r\n");
    return $c;
};
for my $case (['192.0.2.1', '192.0.2.1', '192.0.2.2'], ['2001:db8:0:1::1', '2001:db8:0:1:a:b:c:d', '2001:db8:0:2::1']) {
    my ($first, $near, $far) = @$case;
    $delayed = counter('delayed');
    $_->response for map { fail_at($through->($first)) } 1 .. $ADDRESS;
    is(counter('delayed'), $delayed, "$first: free");
    is(fail_at($through->($far))->response->status, 401, 'another client of the balancer');
    is(counter('delayed'), $delayed, 'is told at once');
    my @near = map { fail_at($through->($near)) } 1 .. 2;
    is(statuses(@near), all_401(@near), "$near");
    cmp_ok(counter('delayed'), '>', $delayed, 'waits');
}

# a graceful end while answers wait
$delayed = counter('delayed');
my @last = ($late, fail_at($through->('192.0.2.1')));
wait_for(sub { counter('delayed') == $delayed + 1 }, 'they wait');
my $log = nginx();
ok($log->quit, 'the master ends by itself');
is(statuses(@last), all_401(@last), 'and they have an answer');
unlike($log->error_log, qr/\[(?:alert|emerg|crit)\]|exited on signal/, 'nothing alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
