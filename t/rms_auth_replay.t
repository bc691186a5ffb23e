# A Kerberos token admits once: on one connection, on another, at another
# worker, after a reload, and in whatever framing it comes again.

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64 decode_base64);
use RMS::Test;

my $page = '/_wmcs/certification/ServerCertification.asmx';

sub negotiate_header { return 'Negotiate ' . encode_base64($_[0], '') }

sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub get {
    my ($value, %o) = @_;
    return http(path => $page, authorization => $value, %o);
}

sub replayed {
    my ($name, $value, %o) = @_;
    my $at = length nginx()->error_log;
    my $r = get($value, %o);
    is($r->status, 401, "$name: refused");
    is(join(' | ', $r->all('www-authenticate')), 'Negotiate', "$name: a challenge, no token");
    like(substr(nginx()->error_log, $at),
        qr/\[warn\].*event=2000 token was used before and is refused: .*account="EXCH01\$\@RMS\.TEST"/,
        "$name: event 2000 names the account");
    return $r;
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

standin(azure => {});
nginx();

# the same bytes
my $value = negotiate('EXCH01$');
my $c = client(addr(), nginx()->port);
is(get($value, client => $c)->status, 200, 'the first time');
replayed('on the same connection', $value, client => $c);
is(last_line()->{rms_reason}, 'replay', 'with its reason');
is(last_line()->{rms_account} || '', '', 'nobody is logged in by it');
replayed('on another connection', $value);
is(status_page()->{refused}{replay}, 2, 'both are counted');
is(get(negotiate('EXCH01$'), client => $c)->status, 200, 'a new token of the same ticket is a login');

# a call is not made twice
$value = negotiate('EXCH01$');
is(post_sample('07', account => undef, authorization => $value)->status, 200, 'a licence');
is(post_sample('07', account => undef, authorization => $value)->status, 401, 'not a second one');
is(scalar journal(), 1, 'one call reached the backend');

# in another framing
for my $first (qw(krb5 spnego windows)) {
    my %value;
    my $raw = gss(account => 'EXCH01$', mech => 'krb5')->token;
    for my $mech (qw(windows ntlmless)) {
        my $g = gss(account => 'EXCH01$', mech => 'windows');
        $g->{list} = [qw(krb5)] if $mech eq 'ntlmless';
        $value{$mech} = negotiate_header($g->wrap($raw));
    }
    $value{krb5} = negotiate_header($raw);
    my $start = $first eq 'spnego' ? 'ntlmless' : $first;
    is(get($value{$start})->status, 200, "first as $first");
    replayed("then $first as $_", $value{$_}) for sort keys %value;

    $c = client(addr(), nginx()->port);
    my $g = gss(account => 'EXCH01$', mech => 'negoex', one_way => 1);
    my $r = get($g->header, client => $c);
    $g->{done} = 0;
    my $leg2 = $g->later($raw);
    $r = get(negotiate_header($leg2), client => $c);
    isnt($r->status, 200, "then $first as leg 2 of another handshake");
}

# a handshake of two legs, again
my $g = gss(account => 'EXCH01$', mech => 'negoex', one_way => 1);
$c = client(addr(), nginx()->port);
my $leg1 = $g->header;
get($leg1, client => $c);
my $leg2 = $g->header('');
is(get($leg2, client => $c)->status, 200, 'two legs');
$c = client(addr(), nginx()->port);
is(get($leg1, client => $c)->status, 401, 'leg 1 again is a handshake');
replayed('leg 2 again', $leg2, client => $c);
replayed('its inner token', negotiate_header($g->{first}));

# the same ticket in another order: the hash is of what the client encrypted
my @tokens = map { negotiate('EXCH01$', mech => 'krb5') } 1 .. 50;
my %status;
$c = client(addr(), nginx()->port);
$status{ get($_, client => $c)->status }++ for @tokens;
is_deeply(\%status, { 200 => 50 }, 'fifty tokens of one second are fifty logins');
%status = ();
$status{ get($_, client => $c)->status }++ for reverse @tokens;
is_deeply(\%status, { 401 => 50 }, 'and none of them a second time');

# across a reload
$value = negotiate('EXCH01$');
is(get($value)->status, 200, 'before a reload');
ok(nginx()->reload, 'reload');
replayed('after a reload', $value);
finished('one worker');

# across workers: connections stay with the worker that accepted them
nginx(workers => 2, location => "add_header X-Worker \$pid always;\n");
my %at;
wait_for(sub {
    my $client = client(addr(), nginx()->port);
    my $r = get(undef, client => $client);
    $at{ $r->header('x-worker') } ||= $client;
    return keys %at == 2;
}, 'a connection to each worker');
my @workers = sort keys %at;
for my $order ([0, 1], [1, 0]) {
    my ($one, $two) = @workers[@$order];
    $value = negotiate('EXCH01$');
    is(get($value, client => $at{$one})->status, 200, 'at one worker');
    my $r = replayed('at the other worker', $value, client => $at{$two});
    is($r->header('x-worker'), $two, 'which it was');
}

# both at once: one of them
$value = negotiate('EXCH01$');
$_->request(path => $page, headers => [['Authorization', $value]]) for @at{@workers};
is(join(' ', sort map { $_->response->status } @at{@workers}), '200 401', 'at both at once: one is let in');
finished('two workers');

# evaluated once, however often the request is redirected
my $www = dir() . '/www';
mkdir $www;
chmod 0755, $www;
spew("$www/index.html", "inside\n");
chmod 0644, "$www/index.html";
nginx(server => "rms_allow user any;\n", allow => ['exchange account=EXCH01$@RMS.TEST'], locations => <<"X");
location /index/ { rms_auth negotiate; alias $www/; index none.html index.html; }
location /try/ { rms_auth negotiate; root $www; try_files /none /elsewhere/index.html; }
location /error/ { rms_auth negotiate; root $www; error_page 404 = /elsewhere/index.html; }
location /elsewhere/ { rms_auth negotiate; alias $www/; }
location /rewritten/ { rewrite ^ /elsewhere/index.html last; }
X
for my $path (qw(/index/ /try/ /error/ /rewritten/)) {
    my $before = status_page()->{counters}{auth_legs};
    my $r = http(path => $path, account => 'EXCH01$');
    is($r->status . ' ' . $r->body, "200 inside\n", "$path is redirected inside and let in");
    ok($r->{gss}->mutual($r), "D43: $path: the answer to a redirected request carries the token");
    is(status_page()->{counters}{auth_legs} - $before, 1, "D33: $path: the token was evaluated once");
}
finished('redirected');

# off
nginx(server => "rms_replay off;\n");
$value = negotiate('EXCH01$');
is(get($value)->status, 200, "D32: rms_replay off, time $_") for 1 .. 3;
is(status_page()->{replay}{used}, 0, 'nothing is remembered');
finished('off');

done_testing();
