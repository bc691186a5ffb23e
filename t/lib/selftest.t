# The harness itself: realm, tokens, stand-in, client, a plain nginx.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin";
use RMS::Test (plain => 1);

# accept_token($header, $keytab) - (client name, reply token, error)
sub accept_token {
    my ($header, $keytab) = @_;
    my ($in) = $header =~ /^Negotiate (\S+)/;
    local $ENV{KRB5_CONFIG} = kdc()->env->{KRB5_CONFIG};
    local $ENV{KRB5_KTNAME} = $keytab || kdc()->keytab;
    local $ENV{KRB5RCACHENAME} = 'none:';
    my ($src, $out, $name);
    my $c = GSSAPI::Context->new;
    my $st = $c->accept(GSSAPI::GSS_C_NO_CREDENTIAL(), MIME::Base64::decode_base64($in),
        GSSAPI::GSS_C_NO_CHANNEL_BINDINGS(), $src, undef, $out, undef, undef, undef);
    if (GSSAPI::Status::GSS_ERROR($st->major)) {
        return (undef, undef, join ' ', $st->generic_message, $st->specific_message);
    }
    $src->display($name) if $src;
    return ($name, $out, '');
}

# realm
for my $mech (qw(spnego krb5 windows)) {
    my ($name, undef, $err) = accept_token(negotiate('EXCH01$', mech => $mech));
    is($name, 'EXCH01$@RMS.TEST', "$mech token is accepted") or diag $err;
}
is((accept_token(negotiate('alice', service => 'HTTP@rms.rms.test')))[0], 'alice@RMS.TEST',
    'second service principal');
is((accept_token(negotiate('SP01$', service => 'host@rmsconnector.rms.test')))[0],
    'SP01$@RMS.TEST', 'host/ principal is in the keytab');
is((accept_token(negotiate('SP01$', service => 'HTTP@wrong.rms.test')))[0], undef,
    'but wrong.rms.test is not');
is((accept_token(negotiate('mallory@OTHER.TEST')))[0], 'mallory@OTHER.TEST', 'trusted realm');

my $old = kdc()->kvno;
kdc()->rotate;
kdc()->kinit('EXCH01$');
cmp_ok(kdc()->kvno, '>', $old, 'rotation makes a new key version');
is((accept_token(negotiate('EXCH01$')))[0], 'EXCH01$@RMS.TEST', 'new key');
is((accept_token(negotiate('alice', service => 'HTTP@rms.rms.test')))[0], 'alice@RMS.TEST',
    'ticket of the old key is still accepted');

sub made { return (accept_token(gss(ccache => mkticket(@_), mech => 'krb5')->header)) }
is((made())[0], 'EXCH01$@RMS.TEST', 'made ticket');
is((made(client => 'EVE$@FAR.TEST'))[0], 'EVE$@FAR.TEST', 'made ticket of a far realm');
like((made(begin => -7200, life => 3600))[2], qr/expired/i, 'expired');
like((made(begin => 7200))[2], qr/not yet valid/i, 'not yet valid');
like((made(wrong_key => 1))[2], qr/decrypt|integrity|key/i, 'wrong key');

# stand-in behind a plain nginx
standin(azure => { tls => 1, base => 'https://tenant.rms.test/_wmcs',
    require_authorization => 'Bearer x' }, adrms => { base => $RMS::Standin::BASES[0] });
my $tls = 'proxy_ssl_name tenant.rms.test; proxy_ssl_server_name on; proxy_ssl_verify on;'
    . ' proxy_ssl_trusted_certificate ' . ca() . ';';
my $to = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0;'
    . ' proxy_set_header Accept-Encoding identity; client_body_buffer_size 1m;';
my %plain = (module => 0, log => 'debug',
    location => "proxy_pass " . standin()->url('adrms') . ";\n$to"
        . ' proxy_set_header Authorization "";'
        . "proxy_set_header Host rms01.corp.harbourline.example;",
    server => "location /t/ { proxy_pass " . standin()->url('azure') . "/; $to $tls\n"
        . "proxy_set_header Host tenant.rms.test; proxy_set_header Authorization 'Bearer x'; }\n"
        . "location /empty { return 204; } location /hello { return 200 hello; }\n");
my $n = nginx(%plain);

for my $name (grep { !/^(07b|07e|16|17|18)/ } samples()) {
    my $s = sample($name);
    my $r = post_sample($name);
    my $got = $r->body;
    ok($r->status == $s->{status} && check_same($got, defined $s->{response} ? $s->{response} : $got),
        "$name passes a plain proxy");
}
is(scalar violations(), 0, 'nothing to complain about') or diag join "\n", violations();
my ($j) = grep { $_->{operation} eq 'AcquireLicense' } journal('adrms');
is($j->{length}, length sample('07')->{request}, 'the journal has the length');
cmp_ok($j->{verified}, '>=', 7, 'and the number of good signatures');
is(certificates(sample('07')->{request}), $j->{verified}, 'as check.py counts them');

is(post_sample('07', path => '/t' . sample('07')->{path})->status, 200, 'TLS backend with an identity');
is((journal('azure'))[-1]{headers}{authorization}, 'Bearer x', 'which the journal holds');
forget_journal();
my $r = post_sample('07b');
is($r->status, 400, 'another spelling is refused by the stand-in');
like((violations())[0], qr/^adrms path/, 'and named');
is(scalar journal('azure'), 0, 'the other backend was not contacted');

ok(check_relayed(sample('12')->{response}, sample('12')->{relayed}), 'check_relayed accepts');
{
    open my $save, '>&', \*STDERR;
    close STDERR;
    open STDERR, '>', '/dev/null';
    my $x = sample('07')->{response};
    (my $y = $x) =~ s/<\/ISSUEDTIME>/ $&/;
    my $bad = check_same($x, $y);
    my $n_bad = certificates($y);
    open STDERR, '>&', $save;
    ok(!$bad, 'check_same refuses a changed licence');
    is($n_bad, -1, 'certificates() too');
}

control(adrms => { chunk => 7, gzip => 1, times => 1 });
$r = post_sample('09');
is($r->header('content-encoding'), 'gzip', 'control: gzip once');
is(post_sample('09')->body, sample('09')->{response}, 'then normal');
control(adrms => { reset => 'before' });
is(post_sample('09')->status, 502, 'control: reset');
control(adrms => {});

# client
my $c = client(addr(), $n->port);
$c->write(build_request(path => '/empty') x 3 . build_request(path => '/hello'));
is(join(' ', map { $c->response->status } 1 .. 4), '204 204 204 200', 'pipelining');
$c->write_split(build_request(path => '/hello', headers => [['X', 'y']]), 5);
is($c->response->body, 'hello', 'split writes');
$c->request(method => 'POST', path => sample('09')->{path}, headers => sample('09')->{headers},
    body => sample('09')->{request}, chunked => 100);
is($c->response->body, sample('09')->{response}, 'chunked request');
$c->request(path => '/hello', headers => [['Connection', 'close']]);
is($c->response->status, 200, 'keepalive');
ok($c->at_end, 'end of stream is seen');
$r = curl($n->url(sample('09')->{path}), account => 'EXCH01$', body => sample('09')->{request},
    headers => [map {"$_->[0]: $_->[1]"} @{ sample('09')->{headers} }]);
is($r->status, 200, 'curl --negotiate') or diag $r->{stderr};
is($r->body, sample('09')->{response}, 'the body is whole');
like($n->error_log, qr/http header: "Authorization: Negotiate Y/, 'curl sent its token');

# logs, reload
my @log = $n->access_log(10);
is($log[-1]{status}, 200, 'access log');
my @found = no_secrets();
is_deeply(\@found, [], 'no secrets in logs');
spew($n->prefix . '/access.log', substr sample('02')->{request}, 0, 3000);
isnt(scalar no_secrets(), 0, 'a leak would be found');
my ($worker) = $n->workers;
$c = client(addr(), $n->port);
ok($n->reload, 'reload');
isnt(($n->workers)[-1], $worker, 'new worker');
ok(!$n->reload('nonsense;'), 'a bad configuration is refused');
my ($status, $text) = nginx_t('events {} http { nonsense; }');
isnt($status, 0, 'nginx -t fails');
like($text, qr/unknown directive "nonsense"/, 'and says why');
$c->close;
ok($n->quit, 'QUIT ends it');

my $h2 = nginx(%plain, port => undef, ssl => 1, http2 => 1);
$r = curl($h2->url('/hello'), args => ['--http2']);
is($r->{version}, 'HTTP/2', 'HTTP/2 over TLS') or diag $r->{stderr};

done_testing();
