# Clients that go away while their login is on the thread pool: the login ends
# without them, and the worker does not notice.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Hold;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');

# over a connection of its own: an answer is proof that the event loop is free
sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

sub status_by_curl {
    return $RMS::Standin::JSON->decode(curl(nginx()->url('/rms/'), args => ['--http2-prior-knowledge'])->body);
}

sub worker { return wait_for(sub { (nginx()->workers)[0] }, 'worker') }

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

standin(azure => {});

# clients that go away while their login is on the pool
nginx();
my $worker = worker();
my $legs = status_page()->{counters}{auth_legs};
for my $round (1 .. 3) {
    hold();
    my @clients = logins(50, method => 'POST', path => $s->{path}, body => $s->{request}, headers => $s->{headers});
    my @gets = logins(50, path => $page);
    status_page();
    $_->reset for @clients;
    $_->close for @gets;
    is(http(path => $page)->status, 401, "round $round: the worker goes on");
    let_go();
}
wait_for(sub { status_page()->{counters}{auth_legs} == $legs + 300 }, 'all 300 logins end');
pass('all 300 logins end');
is(worker(), $worker, 'the worker is the one of the start');
is(http(path => $page, account => 'EXCH01$')->status, 200, 'and logins go on');
is(status_page()->{counters}{orphaned_tasks}, 0, 'none was given up');
wait_for(sub {
    my $fds = () = glob "/proc/$worker/fd/*";
    return $fds < 40;
}, 'their connections are closed');
pass('their connections are closed');
finished('aborts');

# over HTTP/2 nginx notices at once
nginx(http2 => 1, log => 'debug');
$worker = worker();
my $posted = sub { return scalar(() = nginx()->error_log =~ /added to thread pool "rms_krb5"/g) };
$legs = status_by_curl()->{counters}{auth_legs};
hold();
my @pids = map {
    spawn("curl.$_", ['curl', '-q', '-sS', '--http2-prior-knowledge', '--noproxy', '*', '-m', $RMS::Env::DEADLINE,
        '--resolve', "rmsconnector.rms.test:@{[nginx()->port]}:@{[addr()]}",
        '-H', 'Authorization: ' . negotiate('EXCH01$'), nginx()->url($page)])
} 1 .. 10;
wait_for(sub { $posted->() == 10 }, 'ten logins on the pool');
stop_process($_, 'KILL') for @pids;
status_by_curl();
let_go();
wait_for(sub { status_by_curl()->{counters}{auth_legs} == $legs + 10 }, 'all ten end');
is(status_by_curl()->{counters}{auth_legs}, $legs + 10, 'HTTP/2: all ten logins end');
is(worker(), $worker, 'HTTP/2: the worker is the one of the start');
finished('HTTP/2');

# a worker that may not wait longer ends connections under its logins
my $port = free_port();
my $copy = dir() . '/copy.keytab';
share_with_worker(spew($copy, slurp(kdc()->keytab)));
my %brief = (port => $port, main => "worker_shutdown_timeout 100ms;\n");
nginx(%brief, log => 'debug');
$worker = worker();
hold();
my @clients = logins(20, method => 'POST', path => $s->{path}, body => $s->{request}, headers => $s->{headers});
status_page();
ok(nginx()->reload(conf(%brief, keytab => $copy)), 'a reload with worker_shutdown_timeout');
nginx()->wait_log(qr/shutdown timeout/);
let_go();
my %end;
$end{ $_->at_end ? 'ended' : 'answered' }++ for @clients;
is(join(' ', sort keys %end), 'ended', 'their connections end');
wait_for(sub { !grep { $_ eq $worker } nginx()->workers }, 'the old worker ends');
unlike(nginx()->error_log, qr/exited on signal/, 'by itself');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'shutdown: nothing alarming in the log');
is(http(path => $page, account => 'EXCH01$')->status, 200, 'and logins go on');

done_testing();
