# Dependencies that stand still or are gone: whom it concerns, and whom not.
# winbindd that does not answer holds no thread for longer than a login may take,
# and no worker that leaves; Kerberos needs neither it nor a domain controller.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::AD;
use RMS::Clock;
use RMS::NTLM;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $TASK_TIMEOUT = 30;
my ($THREADS, $QUEUE) = (2, 3);
my $next = 0;

# each from an address of its own: failures of one would make its answers wait
sub fresh { return client(addr(), nginx()->port, from => '127.203.0.' . ++$next) }
sub ask { return ntlm_request(fresh(), ntlm(), path => $page) }
sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }
sub orphans { return status_page()->{counters}{orphaned_tasks} }
sub count { my ($what) = @_; return scalar(() = nginx()->error_log =~ /$what/g) }
sub posted { return count(qr/added to thread pool "rms_ntlm"/) }
sub running { return count(qr/run task #\d+ in thread pool "rms_ntlm"/) }
sub done { return count(qr/complete task #\d+ in thread pool "rms_ntlm"/) }
sub answered { return grep { IO::Select->new($_->{s})->can_read(0) } @_ }

# start($n) - connections with a login by NTLM on the pool, or waiting for it.
sub start {
    my ($n) = @_;
    my $at = posted();
    my @clients = map { fresh() } 1 .. $n;
    $_->request(path => $page, headers => [['Authorization', ntlm()->header]]) for @clients;
    wait_for(sub { posted() == $at + $n }, "$n logins on the pool");
    return @clients;
}

# fill() - as many as there is room for, on threads and before them.
sub fill {
    my $at = running();
    my @clients = start($THREADS);
    wait_for(sub { running() == $at + $THREADS }, 'every thread has one');
    return @clients, start($QUEUE);
}

sub statuses { return join ' ', map { $_->response->status } @_ }
sub last_worker { return (nginx()->workers)[-1] }

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]|exited on signal/, "$name: nothing alarming in the log");
    is_deeply([no_secrets(map {"$_-pass"} 'EXCH01$', 'alice')], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

ad(winbind => 1);
standin(azure => {});
my %conf = (main => "env KRB5_CONFIG;\n", auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', log => 'debug',
    ntlm_pool => "threads=$THREADS max_queue=$QUEUE",
    location => 'rms_session cookie;', allow => ['exchange sid=' . ad()->sid('Exchange Servers'), 'admin account=alice@RMS.TEST'],
    locations => 'location /admin/ { rms_auth negotiate; rms_status; }');
my $all = join ' ', (200) x 20;

# winbindd stands still: the order in which callers are answered
nginx(%conf, port => free_port(), env => clock_env());
my $first = http(path => $page, account => 'EXCH01$');
is($first->status, 200, 'a login by Kerberos');
my ($cookie) = $first->header('set-cookie') =~ /^([^;]+)/;
is(ask()->status, 200, 'a login by NTLM');
ad()->freeze('winbindd');
my @hung = fill();
my @kerberos = map { fresh() } 1 .. 20;
$_->request(path => $page, headers => [['Authorization', negotiate('EXCH01$')]]) for @kerberos;
is(statuses(@kerberos), $all, 'logins by Kerberos that came after it are answered');
my @sessions = map { fresh() } 1 .. 20;
$_->request(path => $page, headers => [['Cookie', $cookie]]) for @sessions;
is(statuses(@sessions), $all, 'so are sessions');
my $r = http(client => fresh(), path => $page, authorization => ntlm()->header);
is($r->status, 503, 'one more login by NTLM is told to come again');
like($r->header('retry-after') || '', qr/^\d+$/, 'and when');
is(status_page()->{refused}{auth_busy}, 1, 'for its reason, and it alone');
is(scalar(answered(@hung)), 0, 'before any login by NTLM');

# its threads come back, though it does not: first by way of connections that it
# does not answer, then, when it has no room for more, of those it does not take
for my $round (1 .. 5) {
    my $before = orphans();
    put_forward($TASK_TIMEOUT + 1);
    my @answers = map { $_->response } @hung;
    is(join(' ', map { $_->status } @answers), join(' ', (503) x @hung), "round $round: all that waited: 503");
    is(scalar(grep { ($_->header('retry-after') || '') =~ /^\d+$/ } @answers), scalar @hung, 'with Retry-After');
    is(orphans(), $before + @hung, 'each is counted once');
    ok(wait_for(sub { done() == posted() }, 'its threads are free'), 'and its threads are free');
    @hung = fill();
}
is(http(path => $page, account => 'EXCH01$')->status, 200, 'Kerberos has not noticed');
my ($worker) = nginx()->workers;
ad()->thaw('winbindd');
is(statuses(@hung), join(' ', (401) x @hung), 'winbindd goes on: those that wait have a challenge');
is(ask()->status, 200, 'and NTLM comes in');
is(last_worker(), $worker, 'the worker is the one of the start');
finished('threads');

# a worker that leaves does not wait for winbindd
for my $case ([1, 'a login on a thread'], [$THREADS + $QUEUE, 'logins on threads and before them']) {
    my ($n, $what) = @$case;
    my ($old) = nginx()->workers;
    ad()->freeze('winbindd');
    @hung = $n == 1 ? start(1) : fill();
    ok(nginx()->reload, "$what: reload");
    is(http(path => $page, account => 'EXCH01$')->status, 200, 'the new worker serves');
    is(statuses(@hung), join(' ', (503) x $n), 'who waited is told to come again');
    ok(wait_for(sub { !grep { $_ == $old } nginx()->workers }, 'the old worker ends'), 'the old worker ends');
    ad()->thaw('winbindd');
    is(ask()->status, 200, 'and NTLM comes in');
}
nginx()->wait_log(qr/event=3000 a login took longer than 5 s and was given up; does winbindd answer/);
finished('exit');

# the domain controller is gone, and so is the KDC
my @tokens = map { negotiate('EXCH01$') } 1 .. 6;
my $alice = negotiate('alice');
ad()->stop;
@kerberos = map { fresh() } 1 .. 5;
$_->request(path => $page, headers => [['Authorization', shift @tokens]]) for @kerberos;
is(statuses(@kerberos), join(' ', (200) x 5), 'without a KDC, who has a ticket comes in');
$r = http(path => '/admin/explain?account=EXCH01$@RMS.TEST', authorization => $alice);
my $e = $RMS::Standin::JSON->decode($r->body);
is($e->{groups}{source}, 'last_login', 'explain goes by the last login');
like($e->{groups}{s4u2self}, qr/Cannot contact any KDC/, 'and says why');
is($e->{locations}[0]{answer}{role}, 'exchange', 'the role is known');

# winbindd is there, and reaches no domain controller
ad()->stop_winbind;
start_member();
$r = ask();
is($r->status, 503, 'NTLM without a domain controller: 503');
like($r->header('retry-after') || '', qr/^\d+$/, 'and when to come again');
like(nginx()->error_log, qr/event=3000 login not possible: domain controller unreachable/, 'event 3000 names the cause');
is(status_page()->{refused}{auth_unavailable}, 1, 'and the status counts it');
is(http(path => $page, authorization => shift @tokens)->status, 200, 'Kerberos has not noticed');
finished('gone');

# start_member() - winbindd of a member of the domain in the place of the other
# one, in a network with nobody in it; ended with all processes of a test.
sub start_member {
    my $d = dir() . '/member';
    my $sockets = ad()->winbind_env->{SELFTEST_WINBINDD_SOCKET_DIR};
    mkdir $_, 0755 or die "$_: $!" for $d, map {"$d/$_"} qw(state cache lock run log ncalrpc);
    mkdir "$d/private", 0700 or die "$d/private: $!";
    my $conf = spew("$d/smb.conf", <<"X");
[global]
  realm = $RMS::AD::REALM
  workgroup = $RMS::AD::NETBIOS
  netbios name = NODE1
  security = ads
  interfaces = lo
  bind interfaces only = yes
  disable netbios = yes
  private dir = $d/private
  state directory = $d/state
  cache directory = $d/cache
  lock directory = $d/lock
  pid directory = $d/run
  ncalrpc dir = $d/ncalrpc
  winbindd socket directory = $sockets
  log file = $d/log/log.%m
  logging = file
X
    RMS::AD::command(RMS::AD::as_root(), RMS::AD::tool_path('net'), '-s', $conf, 'setdomainsid', $RMS::AD::SID);
    my $pid = spawn('member', [RMS::AD::as_root(), qw(unshare --net --), RMS::AD::tool_path('winbindd'),
        qw(--foreground --no-process-group -s), $conf]);
    wait_for(sub {
        die 'winbindd ended: ' . slurp(dir() . '/member.out') unless alive($pid);
        return -S "$d/state/winbindd_privileged/pipe" && !(run(['wbinfo', '-p'], env => ad()->winbind_env))[0];
    }, 'winbindd of a member');
    chown -1, scalar getgrnam(RMS::Env::worker_group()), "$d/state/winbindd_privileged" if $> == 0;
    return;
}

done_testing();
