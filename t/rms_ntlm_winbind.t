# NTLM through winbind and a real domain controller: accounts and their groups,
# accounts that may not log in, and a winbindd that is gone or stands still, which
# nobody notices but callers by NTLM.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::AD;
use RMS::Clock;
use RMS::NTLM;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $TASK_TIMEOUT = 30;
my $bad = qr/\[warn\].*event=2000 no usable principal: /;
my $next = 0;

# each from an address of its own: failures of one would make its answers wait
sub fresh { return client(addr(), nginx()->port, from => '127.202.0.' . ++$next) }
sub ask { my ($ntlm, %o) = @_; return ntlm_request(fresh(), $ntlm, path => $page, %o) }
sub challenges { return join ' | ', $_[0]->all('www-authenticate') }
sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }
sub posted { return scalar(() = nginx()->error_log =~ /added to thread pool "rms_ntlm"/g) }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub last_warning {
    my ($said) = grep { /\[(?:warn|error)\]/ && !/\/(?:marker|clock) / } reverse split /\n/, nginx()->error_log;
    return $said;
}

# start_legs($n) - connections whose first leg is on the pool, or waits for it
sub start_legs {
    my ($n) = @_;
    my $at = posted();
    my @c = map { { c => fresh(), ntlm => ntlm() } } 1 .. $n;
    $_->{c}->request(path => $page, headers => [['Authorization', $_->{ntlm}->header]]) for @c;
    wait_for(sub { posted() == $at + $n }, "$n logins on the pool");
    return @c;
}

sub answered { return grep { IO::Select->new($_->{c}{s})->can_read(0) } @_ }

# finish($leg) - the status of the whole handshake
sub finish {
    my ($leg) = @_;
    my $r = $leg->{c}->response;
    return $r->status if $r->status != 401;
    my $answer = $leg->{ntlm}->header($leg->{ntlm}->challenge_in($r));
    return http(client => $leg->{c}, path => $page, authorization => $answer)->status;
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets(map {"$_-pass"} 'EXCH01$', 'alice', 'bob')], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

ad(winbind => 1);
standin(azure => {});
my %sid = map { $_ => ad()->sid($_) } 'Exchange Servers', 'Finance', 'Nested Outer', 'RMS Local', 'alice', 'EXCH01$', 'bob';
sub door { my ($name, @rules) = @_; return "location /$name/ { rms_auth negotiate ntlm; rms_allow admin @rules; empty_gif; }\n" }
my %conf = (auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', ntlm_pool => 'threads=2 max_queue=3', log => 'debug',
    allow => ["exchange sid=$sid{'Exchange Servers'}", "user sid=$sid{Finance}"],
    locations => join '', map { door(@$_) } ['nested', "sid=$sid{'Nested Outer'}"], ['own', "sid=$sid{alice}"],
        ['domain', 'sid=' . $RMS::AD::SID . '-513'], ['nobody', 'sid=' . $RMS::AD::SID . '-99999']);
nginx(%conf);
my ($worker) = nginx()->workers;

# accounts and groups
for my $case (['EXCH01$', 'exchange'], ['alice', 'user']) {
    my ($account, $role) = @$case;
    my $r = post_by($account);
    is($r->status . " $r->{legs}", '200 2', "$account comes in by a group");
    my $line = last_line();
    is("$line->{rms_account} $line->{rms_auth} $line->{rms_role}", "$account\@RMS.TEST ntlm $role", 'with its role');
}

sub post_by {
    my ($account, %o) = @_;
    my $s = sample('07');
    return ntlm_request(fresh(), ntlm(account => $account, %o), method => 'POST', path => $s->{path},
        headers => $s->{headers}, body => $s->{request});
}

my $r = post_by('bob');
is($r->status . ' ' . challenges($r), '500 ', 'who is in no group of a rule is known, and refused');
like(nginx()->error_log, qr/event=2001 not authorised: account="bob\@RMS\.TEST" reason=no_role/, 'and event 2001 says who it was');
for my $case (['nested', 'EXCH01$', 200], ['nested', 'alice', 200], ['nested', 'bob', 403], ['own', 'alice', 200],
    ['own', 'bob', 403], ['domain', 'bob', 200], ['nobody', 'alice', 403])
{
    my ($door, $account, $status) = @$case;
    is(ask(ntlm(account => $account), path => "/$door/")->status, $status, "rule \"$door\": $account: $status");
}
ad()->change([join => 'Finance', 'bob']);
is(ask(ntlm(account => 'bob'), path => '/nested/')->status, 200, 'a group counts from the next login on');
ad()->change([leave => 'Finance', 'bob']);
is(ask(ntlm(account => 'bob'), path => '/nested/')->status, 403, 'until it does not');

# who may not log in
my $cause = qr/${bad}wrong password, or an account that is disabled, locked or expired \(winbind's log tells which\); /;
for my $account (qw(disabled expired locked mustchange)) {
    $r = ask(ntlm(account => $account));
    is($r->status . ' ' . challenges($r), '401 Negotiate | NTLM', "$account: 401");
    like(last_warning(), qr/$cause.*domain="RMS" user="$account"/, 'and the line says what it may be');
    is(last_line()->{rms_account}, '', 'and nobody is known');
}
$r = ask(ntlm(account => 'alice', password => 'wrong'));
is($r->status, 401, 'a wrong password: 401');
like(last_warning(), qr/$cause.*user="alice"/, 'and the line');
$r = ask(ntlm(account => 'nemo'));
is($r->status, 401, 'an unknown account: 401');
like(last_warning(), qr/${bad}(?:unknown account; |wrong password, or an account that).*user="nemo"/,
    'and the line (winbind of Samba 4.22 does not know either)');
is(ask(ntlm(mic => 'wrong'))->status, 401, 'a wrong MIC');
is(ask(ntlm(old => 1))->status, 401, 'NTLMv1');
finished('accounts');

# winbindd is gone
ad()->stop_winbind;
for (1, 2) {
    $r = ask(ntlm());
    is($r->status . ' ' . challenges($r), '503 ', 'without winbindd: 503');
    like($r->header('retry-after') || '', qr/^\d+$/, 'and when to come again');
    like(last_warning(), qr/reason=auth_unavailable/, 'for its reason');
    like(nginx()->error_log, qr/event=3000 login not possible: winbindd does not answer; start it \(systemctl start winbind\)/, 'event 3000 says what to do');
    is(http(path => $page, account => 'EXCH01$')->status, 200, 'Kerberos does not notice') if $_ == 1;
}
is(status_page()->{refused}{auth_unavailable}, 2, 'and the status counts it');
ad()->start_winbind;
is(ask(ntlm())->status, 200, 'with winbindd, NTLM comes in again');

# D29, D31: winbindd stands still: two logins on threads, three wait, the next are told to come again
my $early = { c => fresh(), ntlm => ntlm() };
$r = http(client => $early->{c}, path => $page, authorization => $early->{ntlm}->header);
my $answer = $early->{ntlm}->header($early->{ntlm}->challenge_in($r));
ad()->freeze('winbindd');
my $at = posted();
$early->{c}->request(path => $page, headers => [['Authorization', $answer]]);
wait_for(sub { posted() == $at + 1 }, 'a second leg on the pool');
my @legs = start_legs(1);
my $running = sub { return scalar(() = nginx()->error_log =~ /run task #\d+ in thread pool "rms_ntlm"/g) };
wait_for(sub { $running->() == posted() }, 'both threads wait');
push @legs, start_legs(3);
for (1 .. 3) {
    $r = http(client => fresh(), path => $page, authorization => ntlm()->header);
    is($r->status . ' ' . challenges($r), '503 ', 'D31: the queue is full: 503');
}
is(status_page()->{refused}{auth_busy}, 3, 'and the status counts it');
my @status = map { http(path => $page, account => 'EXCH01$')->status } 1 .. 20;
is("@status", join(' ', (200) x 20), 'D29: twenty logins by Kerberos come in');
is(scalar(answered($early, @legs)), 0, 'while no login by NTLM has an answer');
is(http(path => $page)->status, 401, 'nor does anybody else wait');
ad()->thaw('winbindd');
is($early->{c}->response->status, 200, 'winbindd goes on: a second leg comes in');
is(join(' ', map { finish($_) } @legs), '200 200 200 200', 'and all that waited');
is(ask(ntlm())->status, 200, 'and new ones');
is(status_page()->{counters}{orphaned_tasks}, 0, 'none was given up');
is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');
finished('winbindd');

# a login that takes too long is given up, and its thread is not lost
nginx(%conf, env => clock_env());
($worker) = nginx()->workers;
ad()->freeze('winbindd');
my ($leg) = start_legs(1);
put_forward($TASK_TIMEOUT - 1);
is(scalar(answered($leg)), 0, 'a login waits for its time');
put_forward(2);
$r = $leg->{c}->response;
is($r->status . ' ' . challenges($r), '503 ', 'and no longer: 503');
like(nginx()->error_log, qr/event=3000 a login took longer than 30 s and was given up; .*winbind/, 'event 3000 says why');
like(last_warning(), qr/reason=auth_timeout/, 'for its reason');
is(status_page()->{counters}{orphaned_tasks}, 1, 'and the status counts it');
is(http(path => $page, account => 'EXCH01$')->status, 200, 'Kerberos goes on');
($leg) = start_legs(1);
ad()->thaw('winbindd');
is(finish($leg), 200, 'winbindd goes on: and so does the next login');
is(ask(ntlm())->status, 200, 'and new ones');
is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');
finished('time');

# D42: a worker that leaves waits for its logins, and no longer than they take
my $port = free_port();
nginx(%conf, port => $port, env => clock_env());
($worker) = nginx()->workers;
ad()->freeze('winbindd');
($leg) = start_legs(1);
my ($lost) = start_legs(1);
nginx()->reload;
ok((grep { $_ eq $worker } nginx()->leaving), 'D42: the old worker waits');
is(http(path => $page, account => 'EXCH01$')->status, 200, 'the new one serves');
$lost->{c}->reset;
put_forward($TASK_TIMEOUT + 1, sub { $leg->{c}->write("GET /wake HTTP/1.1\r\n") });
is($leg->{c}->response->status, 503, 'D42: its logins are given up in time');
$leg->{c}->close;
nginx()->wait_log(qr/$worker#\d+: (?:epoll timer: [89]\d{5}$|exiting)/m);
ok(!nginx_exits(), 'and it waits for the threads where it costs nothing');
ad()->thaw('winbindd');
wait_for(sub { !grep { $_ eq $worker } nginx()->workers }, 'the old worker ends');
ok(nginx_exits(), 'when they are done');
unlike(nginx()->error_log, qr/exited on signal/, 'by itself');
is(ask(ntlm())->status, 200, 'NTLM comes in');
finished('exit');

# nginx_exits() - whether the old worker has left its event loop
sub nginx_exits { return nginx()->error_log =~ /\[notice\] $worker#\d+: exiting/ }

done_testing();
