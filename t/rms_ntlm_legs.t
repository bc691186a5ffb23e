# NTLM takes two or three requests of one HTTP/1.1 connection: what is between
# them, beside them and in their bodies, and when they never come to an end.

use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use RMS::Test;
use RMS::Clock;
use RMS::NTLM;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');
my @users = map { ['RMS', $_, "$_-pass"] } 'EXCH01$', 'SP01$', 'alice';
my $file = ntlm_user_file(@users);
my %conf = (auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', ntlm_pool => 'threads=1 max_queue=64',
    server => "rms_ntlm_user_file $file;\n");
my $LEGS_MAX = 1024;
my $LEG_TIMEOUT = 30;

sub connect_ { return client(addr(), nginx()->port, @_) }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

# requests() - so far, markers not counted
sub requests {
    http(path => '/marker');
    return scalar grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
}

sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

sub send_token { my ($c, $value, %o) = @_; return http(client => $c, path => $page, authorization => $value, %o) }

# half($connection, %ntlm) - a handshake without its end: (client, its last message)
sub half {
    my ($c, %o) = @_;
    my $n = ntlm(%o);
    my $r = send_token($c, $n->header);
    return ($n, $n->header($n->challenge_in($r)));
}

sub lonely { return scalar(() = nginx()->error_log =~ /event=2000 no usable principal: no NTLM handshake was begun here/g) }

# the same message, as large as asked for
sub padded {
    my ($size) = @_;
    my $fill = ' ' x ($size - length $s->{request});
    return $s->{request} =~ s/(?=<\/soap:Envelope>\s*\z)/$fill/r;
}

# The library reads the file of users in each leg; in its place, a pipe.  Only
# one thread reads, so that all of it goes to one reader.
sub hold_ntlm {
    rename $file, "$file.held" or die "$file: $!";
    POSIX::mkfifo($file, 0640) or die "$file: $!";
    share_with_worker($file);
    return;
}

sub let_ntlm_go {
    rename $file, "$file.pipe" or die "$file: $!";
    rename "$file.held", $file or die "$file: $!";
    open my $fh, '>', "$file.pipe" or die "$file: $!";
    print {$fh} slurp($file);
    close $fh;
    unlink "$file.pipe";
    return;
}

sub posted { return scalar(() = nginx()->error_log =~ /added to thread pool "rms_ntlm"/g) }

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets(map { $_->[2] } @users)], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

standin(azure => {});
nginx(%conf);
my ($worker) = nginx()->workers;

# D44: large bodies with each leg, and the connection stays
my %ways = (plain => {}, chunked => { chunked => 65536 });
for my $size (length $s->{request}, 1 << 20, 16 << 20) {
    my $body = padded($size);
    for my $way (sort keys %ways) {
        forget_journal();
        my $c = connect_();
        my $port = $c->{s}->sockport;
        my ($r, @legs);
        for my $round (1 .. ($size < 1 << 20 ? 3 : 1)) {
            my $n = ntlm();
            for my $leg (1, 2) {
                $c->request(%{ $ways{$way} }, method => 'POST', path => $s->{path}, body => $body,
                    headers => [@{ $s->{headers} }, ['Authorization', $n->header($leg == 2 ? $n->challenge_in($r) : undef)]]);
                $r = $c->response;
                push @legs, $r->status;
            }
            ok($r->body eq $s->{relayed}, "D44: $size bytes, $way, round $round: the licence comes back");
        }
        is(join(' ', @legs), join(' ', (401, 200) x (@legs / 2)), "D44: $size bytes, $way: on one connection");
        is(scalar(journal()), @legs / 2, 'and the backend is asked once each');
    }
}

# D44: Expect: 100-continue
my $large = padded(16 << 20);
for my $send (0, 1) {
    my $c = connect_();
    my $n = ntlm();
    my @expect = (['Expect', '100-continue'], ['Content-Length', length $large]);
    my %call = (method => 'POST', path => $s->{path});
    $c->request(%call, headers => [@{ $s->{headers} }, @expect, ['Authorization', $n->header]]);
    my $r = $c->response(continue => 1);
    is($r->status, 401, 'D44: Expect: the first leg is answered without the body');
    my $answer = $n->header($n->challenge_in($r));
    if (!$send) {
        # a client that sees the answer need not send the body, on another connection
        $c->close;
        $c = connect_();
        ($n, $answer) = half($c);
    } else {
        $c->write($large);
    }
    $c->request(%call, headers => [@{ $s->{headers} }, @expect, ['Authorization', $answer]]);
    $r = $c->response(continue => 1);
    is($r->status, 100, 'Expect: the second leg asks for it');
    $c->write($large);
    is($c->response->status, 200, $send ? 'Expect: and comes in, though the body came twice' : 'Expect: and comes in');
}

# Windows sends an empty first leg
my $r = ntlm_request(connect_(), ntlm(), method => 'POST', path => $s->{path}, headers => $s->{headers}, body => $s->{request},
    first => { body => '' });
is($r->status . " $r->{legs}", '200 2', 'a first leg with Content-Length 0');

# requests between and behind the legs
my $c = connect_();
my ($n, $answer) = half($c);
is(send_token($c, undef)->status, 401, 'between the legs others are nobody');
is(last_line()->{rms_account}, '', 'and stay it');
is(send_token($c, $answer)->status, 200, 'and the handshake goes on');
is(last_line()->{rms_account}, 'EXCH01$@RMS.TEST', 'to its end');
is(send_token($c, undef)->status, 401, 'D6: the next request of the connection is nobody');

$c = connect_();
$n = ntlm();
$c->write(build_request(path => $page, headers => [['Authorization', $n->header]])
    . build_request(path => $page) . build_request(path => '/elsewhere'));
my @r = map { $c->response } 1 .. 3;
is(join(' ', map { $_->status } @r), '401 401 404', 'pipelined requests are answered in order');
is(send_token($c, $n->header($n->challenge_in($r[0])))->status, 200, 'the handshake among them goes on');
$c = connect_();
($n, $answer) = half($c);
$c->write(build_request(path => $page, headers => [['Authorization', $answer]]) . build_request(path => $page));
is(join(' ', map { $c->response->status } 1 .. 2), '200 401', 'D6: a request right behind the login is nobody');

# two clients at a time
my @two = (connect_(), connect_());
my @half = ([half($two[0], account => 'EXCH01$')], [half($two[1], account => 'alice')]);
is(send_token($two[1], $half[1][1])->status, 200, 'two clients whose legs interleave');
is(last_line()->{rms_account}, 'alice@RMS.TEST', 'are each themselves');
is(send_token($two[0], $half[0][1])->status, 200, 'and the other');
is(last_line()->{rms_account}, 'EXCH01$@RMS.TEST', 'too');
@half = ([half($two[0], account => 'EXCH01$')], [half($two[1], account => 'alice')]);
is(send_token($two[0], $half[1][1])->status, 401, 'the answer of one to the challenge of the other');
is(last_line()->{rms_account}, '', 'is nobody');

# D5: a handshake is of one connection
$c = connect_();
my $other = connect_();
($n, $answer) = half($c);
my $before = lonely();
is(send_token($other, $answer)->status, 401, 'the second leg on another connection');
is(lonely(), $before + 1, 'and the log says what was missing');
is(send_token($c, $answer)->status, 200, 'does not spoil it on its own');
for (1 .. 20) {
    $c = connect_();
    ($n, $answer) = half($c);
    $c->close;
    $r = send_token(connect_(from => "127.200.1.$_"), $answer);
    last if $r->status != 401;
}
is($r->status, 401, 'D5: a handshake ends with its connection');

# an error between the legs, after which the connection is closed
$c = connect_();
($n, $answer) = half($c);
$c->write("NONSENSE\r\n\r\n");
like($c->read_to_end, qr/400 Bad Request/, 'nonsense between the legs');
is(status_page()->{counters}{orphaned_tasks}, 0, 'no login was given up');
is((nginx()->workers)[0], $worker, 'the worker is the one of the start');
is(scalar(() = nginx()->error_log =~ /token was used before/g), 0, 'D33: no login was taken for a replay');
finished('legs');

# what a login costs, with a session of the connection and without
for my $case (['off', 9, 'take three round trips each'], ['connection', 5, 'take one handshake']) {
    my ($session, $trips, $what) = @$case;
    nginx(%conf, server => $conf{server} . "rms_session $session;\n");
    $c = connect_();
    $before = requests();
    my @status;
    for my $i (1 .. 3) {
        my $r = send_token($c, undef);
        $r = ntlm_request($c, ntlm(), path => $page) if $r->status == 401;
        push @status, $r->status;
    }
    is("@status", '200 200 200', "session $session: three requests");
    is(requests() - $before, $trips, $what);
}
is(send_token(connect_(), undef)->status, 401, 'D5: another connection has no session');
my $third = connect_();
ntlm_request($third, ntlm(), path => $page);
is(send_token($third, undef)->status, 200, 'a session of the connection');
ntlm_request($third, ntlm(password => 'wrong'), path => $page);
is(send_token($third, undef)->status, 401, 'ends with a login that fails');
finished('sessions');

# half-done handshakes: so many, and so long
nginx(%conf, connections => 4096, main => "worker_rlimit_nofile 8192;\n", env => clock_env());
my ($oldest, $next) = (connect_(), connect_());
my (undef, $first) = half($oldest);
my (undef, $second) = half($next);
my @holders;
for my $n (($LEGS_MAX - 1) >> 1, $LEGS_MAX >> 1) {
    # in processes of their own: no process may have so many files open
    pipe my $from, my $to;
    pipe my $in, my $out;
    my $pid = fork;
    if (!$pid) {
        CORE::close $out;
        my @c = map { connect_() } 1 .. $n;
        my $ok = grep { send_token($_, ntlm()->header)->status == 401 } @c;
        syswrite $to, "$ok\n";
        sysread $in, my $byte, 1;
        POSIX::_exit(0);
    }
    push @holders, { pid => $pid, from => $from, out => $out, n => $n };
    CORE::close $in;
    CORE::close $to;
}
my $held = 0;
$held += readline $_->{from} for @holders;
is($held, $LEGS_MAX - 1, "$held more");
is(send_token($oldest, $first)->status, 401, 'the oldest of too many half-done handshakes goes');
is(send_token($next, $second)->status, 200, 'the one after it does not');
CORE::close $_->{out} for @holders;
waitpid $_->{pid}, 0 for @holders;

($c, $other) = (connect_(), connect_());
($n, $answer) = half($c);
put_forward($LEG_TIMEOUT - 1);
(undef, $second) = half($other);
put_forward(2);
is(send_token($c, $answer)->status, 401, 'a handshake that waited too long');
is(send_token($other, $second)->status, 200, 'and one that did not');
finished('bounds');

# clients that go away in the middle
nginx(%conf, log => 'debug');
($worker) = nginx()->workers;
my $legs = status_page()->{counters}{auth_legs};
my @clients = map { connect_() } 1 .. 20;
my @answers = map { (half($_))[1] } @clients;
hold_ntlm();
my $at = posted();
$clients[$_]->request(path => $page, headers => [['Authorization', $answers[$_]]]) for 0 .. 19;
wait_for(sub { posted() == $at + 20 }, 'twenty logins on the pool');
$_ % 2 ? $clients[$_]->reset : $clients[$_]->close for 0 .. 19;
is(http(path => $page, account => 'EXCH01$')->status, 200, 'while NTLM logins hang, Kerberos logins go on');
let_ntlm_go();
wait_for(sub { status_page()->{counters}{auth_legs} >= $legs + 41 }, 'all logins end');
is(status_page()->{counters}{auth_legs}, $legs + 41, 'logins whose clients went away end');
is((nginx()->workers)[0], $worker, 'the worker is the one of the start');
is(ntlm_request(connect_(), ntlm(), path => $page)->status, 200, 'and others come in');
is(status_page()->{counters}{orphaned_tasks}, 0, 'none was given up');
wait_for(sub { my $fds = () = glob "/proc/$worker/fd/*"; return $fds < 40 }, 'their connections are closed');
finished('aborts');

# D42: a reload between the legs, and one while a login is under way
my $port = free_port();
my %again = (%conf, port => $port);
nginx(%again, log => 'debug');
($worker) = nginx()->workers;
$c = connect_();
($n, $answer) = half($c);
$other = connect_();
(undef, $second) = half($other, account => 'alice');
my $copy = spew("$file.copy", slurp($file));
share_with_worker($copy);
hold_ntlm();
$at = posted();
$other->request(method => 'POST', path => $s->{path}, body => $s->{request}, headers => [@{ $s->{headers} }, ['Authorization', $second]]);
wait_for(sub { posted() == $at + 1 }, 'a login on the pool');
ok(nginx()->reload(conf(%again, server => "rms_ntlm_user_file $copy;\n")), 'D42: a reload in the middle');
ok((grep { $_ eq $worker } nginx()->workers), 'the old worker waits for the login');
ok($c->at_end, 'a connection between two legs is closed, as any that is idle');
is(http(path => $page, account => 'EXCH01$')->status, 200, 'the new worker serves');
let_ntlm_go();
$r = $other->response;
is($r->status, 200, 'D42: the login under way comes in');
ok($r->body eq $s->{relayed}, 'with its licence');
$other->close;
wait_for(sub { !grep { $_ eq $worker } nginx()->workers }, 'the old worker ends');
is(ntlm_request(connect_(), ntlm(), path => $page)->status, 200, 'a new connection comes in');
unlike(nginx()->error_log, qr/exited on signal/, 'no worker was killed');
finished('reload');

done_testing();
