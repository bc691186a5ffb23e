# Handshakes of more than one leg: a client whose first choice is not Kerberos
# (NEGOEX first) needs two, or three with mutual authentication.  They belong to
# one HTTP/1.1 connection; whatever else is tried gets a clear refusal that ends
# the handshake.

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(decode_base64);
use RMS::Test;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');

# two legs; three with one_way => 0
sub negoex { return gss(account => 'EXCH01$', mech => 'negoex', one_way => 1, @_) }

sub challenge { return join ' | ', $_[0]->all('www-authenticate') }

sub reply {
    my ($r) = @_;
    my ($token) = map { /^Negotiate (\S+)$/ ? decode_base64($1) : () } $r->all('www-authenticate');
    return $token;
}

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub refused { return scalar(() = nginx()->error_log =~ /event=2000 no usable principal: .*$_[0]/g) }

sub leg {
    my ($c, $value, %o) = @_;
    return http(client => $c, path => $page, authorization => $value, %o);
}

sub post {
    my ($c, $value, $body, @headers) = @_;
    $c->request(method => 'POST', path => $s->{path}, body => $body,
        headers => [@{ $s->{headers} }, ['Authorization', $value], @headers]);
    return $c->response;
}

# the same message, as large as asked for
sub padded {
    my ($size) = @_;
    my $text = $s->{request};
    my $fill = ' ' x ($size - length $text);
    $text =~ s/(?=<\/soap:Envelope>\s*\z)/$fill/;
    return $text;
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

standin(azure => {});
my $copy = dir() . '/copy.keytab';
share_with_worker(spew($copy, slurp(kdc()->keytab)));
nginx(locations => "location /other/ { rms_auth negotiate; rms_keytab $copy; empty_gif; }\n");
my $port = nginx()->port;
my ($worker) = wait_for(sub { (nginx()->workers)[0] }, 'worker');

# two legs
my $c = client(addr(), $port);
my $gss = negoex();
my $r = leg($c, $gss->header);
is($r->status, 401, 'leg 1 is not the end');
like(challenge($r), qr/^Negotiate \S+$/, 'one challenge, with a token');
is(last_line()->{rms_reason}, 'auth_continue', 'the log says so');
$r = leg($c, $gss->header(reply($r)));
is($r->status, 200, 'leg 2 is');
like(challenge($r), qr/^Negotiate \S+$/, 'its answer carries the last token');
is(last_line()->{rms_account}, 'EXCH01$@RMS.TEST', 'and the caller is known');

# three legs
$c = client(addr(), $port);
$r = post_sample('07', client => $c, mech => 'negoex');
is($r->status . " $r->{legs}", '200 3', 'three legs with mutual authentication');
ok($r->{gss}->mutual($r), 'which the second proves');
ok($r->body eq $s->{relayed}, 'the licence comes back');
is($c->{s}->peerport, $port, 'all on one connection');

# bodies on each leg
for my $size (length $s->{request}, 1 << 20, 6 << 20) {
    my $body = padded($size);
    forget_journal();
    $c = client(addr(), $port);
    for my $round (1 .. 2) {
        $gss = negoex();
        $r = post($c, $gss->header, $body);
        is($r->status, 401, "$size bytes with leg 1, round $round");
        $r = post($c, $gss->header(reply($r)), $body);
        is($r->status, 200, "$size bytes with leg 2 on the same connection, round $round");
        ok($r->body eq $s->{relayed}, 'the licence comes back');
    }
    is(join(' ', map { $_->{length} } journal()), "$size $size", 'each call reached the backend once');
}

# chunked legs, and an empty leg 1 as Windows sends it
$c = client(addr(), $port);
$r = http(client => $c, method => 'POST', path => $s->{path}, headers => $s->{headers}, mech => 'negoex',
    account => 'SP01$', body => $s->{request}, chunked => 1000);
is($r->status . " $r->{legs}", '200 3', 'chunked bodies');
$gss = negoex();
$r = post($c, $gss->header, '');
is($r->status, 401, 'leg 1 with Content-Length 0');
is(post($c, $gss->header(reply($r)), $s->{request})->status, 200, 'leg 2 with the body');

# Expect: 100-continue
$c = client(addr(), $port);
$gss = negoex();
my @expect = (['Expect', '100-continue'], ['Content-Length', length $s->{request}]);
my %call = (method => 'POST', path => $s->{path});
$c->request(%call, headers => [@{ $s->{headers} }, @expect, ['Authorization', $gss->header]]);
$r = $c->response(continue => 1);
is($r->status, 401, 'leg 1 does not ask for the body');
my $value = $gss->header(reply($r));
$c->write($s->{request});
$c->request(%call, headers => [@{ $s->{headers} }, @expect, ['Authorization', $value]]);
$r = $c->response(continue => 1);
is($r->status, 100, 'leg 2 does');
$c->write($s->{request});
is($c->response->status, 200, 'and gets its licence');
$c->request(%call, headers => [@{ $s->{headers} }, @expect, ['Authorization', negotiate('ROGUE01$')]]);
$r = $c->response(continue => 1);
is($r->status, 500, 'a caller without a role is not asked for its body');
$c->close;

# pipelined legs are served in order
$c = client(addr(), $port);
$gss = negoex();
my $first = build_request(path => $page, headers => [['Authorization', $gss->header]]);
$c->write($first . build_request(path => '/elsewhere'));
is($c->response->status . $c->response->status, '401404', 'two requests at once');

# leg 2 where there was no leg 1
my $plain = 'Negotiate';
sub second { my $g = negoex(); $g->header; return $g->header('') }
$c = client(addr(), $port);
$r = leg($c, second());
is($r->status . ' ' . challenge($r), "401 $plain", 'leg 2 alone');
is(last_line()->{rms_reason}, 'auth_failed', 'is refused');
is(refused('leg 1 was not on this connection'), 1, 'and event 2000 says what was missing');

# on another connection
my ($one, $two) = map { client(addr(), $port) } 1 .. 2;
$gss = negoex();
$r = leg($one, $gss->header);
$value = $gss->header(reply($r));
$r = leg($two, $value);
is($r->status . ' ' . challenge($r), "401 $plain", 'leg 2 on another connection');
is(leg($one, $value)->status, 200, 'does not spoil it on its own');
$r = leg($one, $value);
is($r->status . ' ' . challenge($r), "401 $plain", 'leg 2 again');

# after a reconnect that gets the same address of memory
for (1 .. 20) {
    $c = client(addr(), $port);
    my $g = negoex();
    $value = $g->header(reply(leg($c, $g->header)));
    $c->close;
    $r = leg(client(addr(), $port), $value);
    last if $r->status != 401;
}
is($r->status, 401, 'a handshake ends with its connection');

# with another keytab
$c = client(addr(), $port);
$gss = negoex();
$value = $gss->header(reply(leg($c, $gss->header)));
$r = leg($c, $value, path => '/other/');
is($r->status . ' ' . challenge($r), "401 $plain", 'leg 2 at a location with another keytab');
is(leg($c, negotiate('EXCH01$'), path => '/other/')->status, 200, 'where one leg is a login');

# too many legs, or none that ends
$c = client(addr(), $port);
my @status;
for (1 .. 12) {
    $gss = negoex();
    $r = leg($c, $gss->header);
    push @status, $r->status;
}
is("@status", join(' ', (401) x 12), 'first legs without end each get their answer');
is(leg($c, $gss->header(reply($r)))->status, 200, 'the latest of them can be finished');
my $empty = 'Negotiate ' . MIME::Base64::encode_base64(tlv("\xa1", tlv("\x30", '')), '');
leg($c, negoex()->header);
@status = map { leg($c, $empty)->status } 1 .. 6;
is("@status", join(' ', (401) x 6), 'empty later legs');
is(challenge(leg($c, $empty)), $plain, 'lead nowhere');

# nobody inherits anything
$c = client(addr(), $port);
is(leg($c, negotiate('EXCH01$'))->status, 200, 'EXCH01$ logs in');
$r = leg($c, undef);
is($r->status . ' ' . challenge($r), "401 $plain", 'the next request of the connection is nobody');
is(leg($c, negotiate('alice'))->status, 200, 'alice logs in there');
is(last_line()->{rms_account}, 'alice@RMS.TEST', 'as herself');
$gss = negoex();
$value = $gss->header(reply(leg($c, $gss->header)));
$r = leg($c, undef);
is($r->status, 401, 'between the legs of EXCH01$ others are nobody');
is(leg($c, negotiate('SP01$'))->status, 200, 'SP01$ comes in between');
is(last_line()->{rms_account}, 'SP01$@RMS.TEST', 'as itself');
$r = leg($c, $value);
is($r->status . ' ' . challenge($r), "401 $plain", 'and ends the handshake of EXCH01$');

# HTTP/1.0 has no connection to keep
$c = client(addr(), $port);
$r = leg($c, negoex()->header, version => 'HTTP/1.0');
is($r->status . ' ' . challenge($r), '403 ', 'HTTP/1.0: 403 without a challenge');
is(last_line()->{rms_reason}, 'legs', 'for its reason');
is((nginx()->workers)[0], $worker, 'the worker is the one of the start');
finished('HTTP/1.1');

# nor has HTTP/2
nginx(ssl => 1, http2 => 1);
my $url = nginx()->url($page);
$r = curl($url, args => ['--http2'], headers => ['Authorization: ' . negoex()->header]);
is("$r->{version} " . $r->status . ' ' . challenge($r), 'HTTP/2 403 ', 'HTTP/2: 403 without a challenge');
is(refused('a handshake of several legs needs HTTP/1\.1'), 1, 'event 2000 says why');
$r = curl($url, args => ['--http2'], headers => ['Authorization: ' . second()]);
is("$r->{version} " . $r->status . ' ' . challenge($r), "HTTP/2 401 $plain", 'leg 2 there leads nowhere');
$r = curl($url, args => ['--http2'], account => 'EXCH01$');
is("$r->{version} " . $r->status, 'HTTP/2 200', 'one leg does');
finished('HTTP/2');

done_testing();
