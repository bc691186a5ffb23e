# HTTP/3: who logs in, and what is kept of it, over streams that have no
# connection of their own and no Host header.  Only where nginx has it: make
# test-trixie.

use FindBin;
use lib "$FindBin::Bin/../lib";
use RMS::Test;
use RMS::HTTP3;
use RMS::NTLM;
use RMS::TLS;

use JSON::PP;
use MIME::Base64 qw(encode_base64);

my $page = sample('07')->{path};
my $port = free_port();
my $authority = "rmsconnector.rms.test:$port";
my $show = 'add_header X-Who "$rms_role/$rms_auth/$rms_account" always; add_header X-Host $host always;';
my $file = "root \@PREFIX\@; try_files /nginx.conf =404;";
my $users = ntlm_user_file(['RMS', 'EXCH01$', 'EXCH01$-pass']);
my $ca = ca();
my ($key, $pem) = map { dir() . "/client.$_" } qw(key pem);
for my $command (['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=client', '-days', 30, '-addext',
    'extendedKeyUsage=clientAuth', '-CA', $ca, '-CAkey', $ca =~ s/pem$/key/r, '-keyout', $key, '-out', $pem])
{
    my ($status, $said) = run(['openssl', @$command]);
    die $said if $status;
}
my ($print) = (run([qw(openssl x509 -noout -fingerprint -sha256 -in), $pem]))[1] =~ /=(\S+)/;

standin(azure => {});
my $n = nginx(port => $port, ssl => 1, auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', public_url => '', pass => 'azure',
    allow => ['exchange account=EXCH01$@RMS.TEST', 'admin account=alice@RMS.TEST', "fci cert=$print"],
    server => quic($port) . "rms_ntlm_user_file $users;\nssl_client_certificate $ca; ssl_verify_client optional;\n$show\n",
    location => 'rms_session connection;', locations => <<"X");
location /cookie { rms_auth negotiate; rms_session cookie; $file }
location /connection { rms_auth negotiate ntlm; rms_session connection; $file }
location /bound { rms_auth negotiate; rms_channel_binding require; $file }
location /cert { rms_auth cert; $file }
location /admin/ { rms_auth negotiate; rms_session cookie name=admin; rms_status; }
X

# got($response) - "version status who"
sub got {
    my ($r) = @_;
    return join ' ', $r->{version} || "no answer: $r->{stderr}", $r->status, grep {length} split /\//, $r->header('x-who') || '';
}

sub said {
    my ($pattern) = @_;
    my $count = () = $n->error_log =~ /$pattern/g;
    return $count;
}

# Kerberos
my $in = '200 exchange krb5 EXCH01$@RMS.TEST';
my $gss = gss(account => 'EXCH01$');
my $r = curl3($n->url($page), headers => ['Authorization: ' . $gss->header]);
is(got($r), "HTTP/3 $in", 'Kerberos, in one round trip');
ok($gss->mutual($r), 'and knows that it was us');
$r = curl3($n->url($page));
is(got($r), 'HTTP/3 401', 'nobody');

# what nobody can do without a connection
is(join(', ', $r->all('www-authenticate')), 'Negotiate', 'NTLM is not offered');
is(join(', ', curl($n->url($page))->all('www-authenticate')), 'Negotiate, NTLM', 'as it is over HTTP/1.1');
my $first = encode_base64(ntlm(account => 'EXCH01$')->token, '');
for my $case (["NTLM $first", 'NTLM'], ["Negotiate $first", 'NTLM under Negotiate'],
    [gss(account => 'EXCH01$', mech => 'ntlm')->header, 'NTLM in SPNEGO'])
{
    my ($authorization, $what) = @$case;
    my $before = said(qr/refused: reason=ntlm_not_allowed status=403/);
    $r = curl3($n->url($page), headers => ["Authorization: $authorization"]);
    is(got($r) . " after $r->{legs}", 'HTTP/3 403 after 1', "$what: refused");
    is(join(', ', $r->all('www-authenticate')), '', "$what: and not asked for again");
    is(said(qr/refused: reason=ntlm_not_allowed status=403/), $before + 1, "$what: the log says why");
}
is(ntlm_request(tls($port, name => 'rmsconnector.rms.test'), ntlm(account => 'EXCH01$'), path => '/connection')->status, 200, 'over HTTP/1.1 it is good');
$r = curl3($n->url($page), headers => ['Authorization: ' . gss(account => 'EXCH01$', mech => 'negoex')->header]);
is(got($r), 'HTTP/3 403', 'a handshake of several legs');
is(said(qr/event=2000 no usable principal: a handshake of several legs needs HTTP\/1\.1/), 1, 'the log says why');
is(said(qr/refused: reason=legs status=403/), 1, 'and counts it as that');

# sessions
my $login = sub { return [Authorization => negotiate('EXCH01$')] };
my @r = streams($port, { path => '/connection', headers => [$login->()] }, { path => '/connection' });
is(join(', ', map { got($_) } @r), "HTTP/3 $in, HTTP/3 401", 'a stream logs in, the next one of its connection is nobody');
my $over1 = tls($port, name => 'rmsconnector.rms.test');
is(http(client => $over1, path => '/connection', headers => [$login->()])->status, 200, 'over HTTP/1.1 one logs in,');
is(http(client => $over1, path => '/connection')->status, 200, 'and the next is known');
$r = curl3($n->url('/cookie'), headers => [join ': ', @{ $login->() }]);
is(got($r), "HTTP/3 $in", 'a login that sets a cookie');
my ($cookie) = ($r->header('set-cookie') || '') =~ /^(rms_session=[^;]+);.*; Secure/;
ok($cookie, 'for TLS alone');
is(got(curl3($n->url('/cookie'), headers => ["Cookie: $cookie"])), "HTTP/3 $in", 'which is good over another connection,');
is(got(curl($n->url('/cookie'), headers => ["Cookie: $cookie"], args => ['--http1.1'])), "HTTP/1.1 $in", 'and over HTTP/1.1');
is(join(', ', map { got($_) } streams($port, { path => '/cookie', headers => [[Cookie => $cookie]] }, { path => '/cookie' })),
    "HTTP/3 $in, HTTP/3 401", 'a stream without it is nobody');

# who we are: there is no Host
for my $name ('01', '12') {
    my $m = sample($name);
    $r = curl3($n->url($m->{path}), body => $m->{request}, headers => [map({"$_->[0]: $_->[1]"} @{ $m->{headers} }), join ': ', @{ $login->() }]);
    is(got($r), "HTTP/3 $in", "$m->{operation}: answered");
    is($r->header('x-host'), 'rmsconnector.rms.test', "$m->{operation}: \$host is the name");
    like($r->body, qr{https://\Q$authority\E/_wmcs}, "$m->{operation}: addresses are those the client came by");
    ok(check_relayed($m->{response}, $r->body), "$m->{operation}: nothing else differs");
}
for my $case ([200, 'of our own page', "https://$authority"], [403, 'of another site', 'https://evil.test'],
    [403, 'of our name at another port', 'https://rmsconnector.rms.test'], [403, 'of an empty name', 'https://'])
{
    my ($status, $what, $origin) = @$case;
    $r = curl3($n->url('/admin/revoke?account=x@RMS.TEST'), method => 'POST',
        headers => ['X-RMS-Admin: 1', "Origin: $origin", 'Authorization: ' . negotiate('alice')]);
    is($r->status, $status, "revoke, a request $what");
}

# TLS
my $binding = endpoint_binding(cert('rmsconnector.rms.test')->{cert});
my $session = dir() . '/quic.session';
for my $time ('new', 'resumed') {
    for my $case ([200, 'bound', binding => $binding], [401, 'bound to something else', binding => "$binding!"], [401, 'unbound']) {
        my ($status, $what, @binding) = @$case;
        ($r) = streams([$port, session => $session], { path => '/bound', headers => [[Authorization => negotiate('EXCH01$', @binding)]] });
        is(resumed() . ' ' . $r->status, ($time eq 'new' ? 0 : 1) . " $status", "channel binding, $time: $what");
        unlink $session if $time eq 'new' && $what ne 'unbound';
    }
}
is(got(curl3($n->url('/cert'), args => ['--cert', $pem, '--key', $key])), 'HTTP/3 200 fci cert cert=' . lc $print =~ s/://gr, 'a client certificate');
is(got(curl3($n->url('/cert'))), 'HTTP/3 403', 'none');

unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
