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
# refused($what, $account, $cause, %o) - 401, whatever the cause; that is in the line alone
sub refused {
    my ($what, $account, $cause, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = ask(ntlm(account => $account, %o));
    is($r->status . ' ' . challenges($r), '401 Negotiate | NTLM', "$what: 401");
    my $line = last_warning();
    like($line, qr/$bad\Q$cause\E domain="RMS" user="\Q$account\E"/, "$what: the line names the cause");
    is(last_line()->{rms_account}, '', "$what: nobody is known");
    return $r->body =~ s/\b[0-9a-f]{32}\b/ID/r;
}

sub any_cause {
    my ($when) = @_;
    my %body;
    $body{ refused("$when: $_->[0]", @$_[1 .. $#$_]) }++ for (
        ['a wrong password', 'alice', 'wrong password (NT_STATUS_WRONG_PASSWORD)', password => 'wrong'],
        ['an unknown account', 'nemo', 'unknown account (NT_STATUS_NO_SUCH_USER)'],
        ['a disabled account', 'disabled', 'the account is disabled (NT_STATUS_ACCOUNT_DISABLED)'],
        ['an expired account', 'expired', 'the account has expired (NT_STATUS_ACCOUNT_EXPIRED)'],
        ['a locked account', 'locked', 'the account is locked out (NT_STATUS_ACCOUNT_LOCKED_OUT)'],
        ['a password to be changed', 'mustchange', 'the password has to be changed first (NT_STATUS_PASSWORD_MUST_CHANGE)']);
    is(scalar(keys %body), 1, "$when: the caller is told the same, whatever the cause");
    return;
}
any_cause('at first');
ad()->change([password_age => 1000], [old_password => 'alice']);
refused('an expired password', 'alice', 'the password has expired (NT_STATUS_PASSWORD_EXPIRED)');
ad()->change(['password_age']);
is(ask(ntlm(account => 'alice'), path => '/domain/')->status, 200, 'when passwords do not expire: alice comes in');

# an account is locked by the tenth wrong password; each is one, whatever we ask for the line
sub guess { return map { ask(ntlm(account => 'bob', password => "wrong $_"))->status } 1 .. shift }
is_deeply([guess(9)], [(401) x 9], 'nine wrong passwords');
is(ask(ntlm(account => 'bob'), path => '/domain/')->status, 200, 'count as nine: the account is not locked');
is_deeply([guess(10)], [(401) x 10], 'ten wrong passwords');
refused('locked by wrong passwords', 'bob', 'the account is locked out (NT_STATUS_ACCOUNT_LOCKED_OUT)');
ad()->change([unlock => 'bob']);
is(ask(ntlm(account => 'bob'), path => '/domain/')->status, 200, 'and unlocked again');
nginx()->reload;
any_cause('after a reload');
($worker) = nginx()->workers;
is(ask(ntlm(mic => 'wrong'))->status, 401, 'a wrong MIC');
is(ask(ntlm(old => 1))->status, 401, 'NTLMv1');
finished('accounts');

# where winbind's answer is not heard, the line says what it may be; linked in, the
# module comes before any library, and hears it
my $unheard = $ENV{TEST_RMS_STATIC} ? qr/[a-z ]+\(NT_STATUS_\w+\) /
    : qr/wrong password, one that has expired or has to be changed, or an account that is disabled, locked or expired \(winbind's log tells which\); .*/;
nginx(%conf, env => { LD_PRELOAD => RMS::AD::preload('winbind-deaf') });
for my $case (['alice', password => 'wrong'], map { [$_] } qw(disabled expired locked mustchange)) {
    $r = ask(ntlm(account => $case->[0], @$case[1 .. $#$case]));
    is($r->status . ' ' . challenges($r), '401 Negotiate | NTLM', "unheard, $case->[0]: 401");
    like(last_warning(), qr/${bad}${unheard}domain="RMS" user="$case->[0]"/, "unheard, $case->[0]: the line says what it may be");
}
is(ask(ntlm(account => 'nemo'))->status, 401, 'unheard, an unknown account: 401');
like(last_warning(), qr/${bad}(?:unknown account; .*|$unheard)domain="RMS" user="nemo"/,
    'and the line (winbind of Samba 4.22 does not know either)');
is(ask(ntlm())->status, 200, 'who may log in does so');
finished('unheard');
nginx(%conf);
($worker) = nginx()->workers;

# winbindd is gone, and what it said before on these threads is forgotten
is(ask(ntlm(password => 'wrong'))->status, 401, 'winbindd is there') for 1 .. 6;
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
wait_for(sub { !grep { $_ eq $worker } nginx()->workers }, 'the old worker ends');
ok(nginx_exits(), 'and it ends, though winbindd stands still');
ad()->thaw('winbindd');
unlike(nginx()->error_log, qr/exited on signal/, 'by itself');
is(ask(ntlm())->status, 200, 'NTLM comes in');
finished('exit');

# nginx_exits() - whether the old worker has left its event loop
sub nginx_exits { return nginx()->error_log =~ /\[notice\] $worker#\d+: exiting/ }

done_testing();
