# Who may log in with Kerberos, in which framing, and how the caller learns
# that it talked to the right server (RFC 4559 4.2, 5): the token of the last
# leg goes with every answer but a 401.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $HTTP = 'rmsconnector.rms.test';
my $page = '/_wmcs/certification/ServerCertification.asmx';

sub tokens { return grep {/^Negotiate \S/} $_[0]->all('www-authenticate') }

# The line of a request is written before the next request of the same worker
# is answered.
sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

standin(azure => {});
nginx();

# framings
for my $mech (qw(spnego krb5 windows)) {
    my $r = post_sample('07', mech => $mech);
    is($r->status, 200, "$mech: admitted");
    is($r->{legs}, 1, "$mech: in one leg");
    ok($r->body eq sample("07")->{relayed}, "$mech: the licence comes back");
    is(scalar tokens($r), 1, "$mech: one token with the answer");
    ok($r->{gss}->mutual($r), "$mech: it proves who answered");
    my $line = last_line();
    is("$line->{rms_account} $line->{rms_role} $line->{rms_auth}", 'EXCH01$@RMS.TEST exchange krb5',
        "$mech: and the log says who asked");
}
is((grep { exists $_->{headers}{authorization} } journal()), 0, 'no token reaches the backend');
like(nginx()->error_log, qr/login: krb5 account="EXCH01\$\@RMS\.TEST" service="HTTP\/$HTTP\@RMS\.TEST" etype=aes256-\S+ kvno=\d+/,
    'the log names account, service, enctype and kvno');

# other answers than 200
my $r = http(path => $page, account => 'EXCH01$');
is($r->status, 200, 'a service page');
ok($r->{gss}->mutual($r), 'carries the token');
$r = http(method => 'HEAD', path => $page, account => 'EXCH01$');
is($r->status, 200, 'HEAD of it');
ok($r->{gss}->mutual($r), 'carries the token');
$r = http(path => "$page?wsdl", account => 'EXCH01$');
is($r->status, 404, 'what an endpoint does not have');
ok($r->{gss}->mutual($r), 'carries the token on 404');
$r = http(path => '/elsewhere', account => 'EXCH01$');
is($r->status, 404, 'a path nobody has');
is(scalar tokens($r), 0, 'is refused before Kerberos is asked: no token');
$r = http(method => 'PUT', path => $page, account => 'EXCH01$');
is($r->status, 405, 'a method nobody may use');
ok($r->{gss}->mutual($r), 'carries the token on 405');
$r = post_sample('07', account => 'ROGUE01$');
is($r->status, 500, 'a caller without a role');
like($r->body, qr/UnauthorizedAccessException/, 'gets a fault');
ok($r->{gss}->mutual($r), 'with the token');
control(azure => { fault => 'fault-norights', times => 1 });
$r = post_sample('07');
is($r->status, 500, "a backend's own fault");
ok($r->{gss}->mutual($r), 'carries the token');
control(azure => { unauthorized => 1, times => 1 });
$r = post_sample('07');
is($r->status, 502, 'a backend that refuses us');
is_deeply([$r->all('www-authenticate')], [tokens($r)], 'its challenges are not passed on');
ok($r->{gss}->mutual($r), 'and ours carries the token');
$r = post_sample('07', body => 'no XML');
is($r->status, 400, 'a body that is none');
ok($r->{gss}->mutual($r), 'carries the token on 400');
$r = post_sample('12', account => 'SP01$');
is($r->status, 200, 'a rewritten answer');
ok($r->{gss}->mutual($r), 'carries the token');

# never on 401
$r = http(path => $page);
is($r->status, 401, 'no credentials');
is_deeply([$r->all('www-authenticate')], ['Negotiate'], 'a challenge, no token');
nginx(server => 'rms_deny 401;');
$r = post_sample('07', account => 'ROGUE01$');
is($r->status, 401, 'rms_deny 401');
is_deeply([$r->all('www-authenticate')], ['Negotiate'], 'a challenge, never a token');

# one connection, several callers and tokens
my $c = client(addr(), nginx()->port);
for my $account (qw(EXCH01$ SP01$ alice EXCH01$)) {
    $r = http(client => $c, path => $page, account => $account);
    ok($r->status == 200 && $r->{gss}->mutual($r), "$account on a connection others used");
    is(last_line()->{rms_account}, "$account\@RMS.TEST", 'is itself');
}

# services
for my $name ($HTTP, 'rms.rms.test') {
    $r = http(path => $page, account => 'EXCH01$', service => "HTTP\@$name");
    is($r->status, 200, "HTTP/$name is a key of the keytab");
}
my %refused = (
    "host\@$HTTP" => qr/wrong service, not HTTP\/: account=".*" service="host\/$HTTP\@RMS\.TEST"/,
    'HTTP@wrong.rms.test' => qr/wrong service: no key for it in the keytab.*"HTTP\/$HTTP\@RMS\.TEST"/,
);
for my $service (sort keys %refused) {
    for my $mech (qw(spnego krb5 windows)) {
        $r = http(path => $page, account => 'EXCH01$', mech => $mech, service => $service);
        is($r->status, 401, "D11: $service by $mech is refused");
        is_deeply([$r->all('www-authenticate')], ['Negotiate'], 'without a token');
        is(last_line()->{rms_reason}, 'auth_failed', 'for its reason');
    }
    my @why = nginx()->error_log =~ /event=2000 no usable principal: .*$refused{$service}/g;
    is(scalar @why, 3, "and event 2000 says it each time: $service");
}
finished('by hand');

# curl
my $url = nginx()->url($page);
last_line();
my $before = grep { $_->{request_uri} eq $page } nginx()->access_log;
$r = curl($url, account => 'EXCH01$');
is($r->status, 200, 'curl --negotiate');
last_line();
is((grep { $_->{request_uri} eq $page } nginx()->access_log) - $before, 1, 'in one round trip');
is(scalar tokens($r), 1, 'gets a token back');
$r = curl($url, account => 'EXCH01$', args => ['--anyauth']);
is($r->status, 200, 'curl --anyauth');
is($r->{legs}, 2, 'after one challenge');

# python3-requests-kerberos, which believes nothing that carries no token
my $py = spew(dir() . '/ask.py', <<'X');
import json, sys
import requests
from requests_kerberos import HTTPKerberosAuth, REQUIRED
from requests_kerberos.exceptions import MutualAuthenticationError
out = []
for spec in json.load(open(sys.argv[1])):
    s = requests.Session()
    s.trust_env = False
    auth = HTTPKerberosAuth(mutual_authentication=REQUIRED,
                            hostname_override="rmsconnector.rms.test")
    try:
        r = s.request(spec["method"], spec["url"], headers=spec["headers"],
                      data=spec["body"].encode(), auth=auth, timeout=15)
        out.append([r.status_code, type(r).__name__, len(r.content), len(r.history)])
    except MutualAuthenticationError:
        out.append([0, "MutualAuthenticationError", 0, 0])
json.dump(out, sys.stdout)
X

sub requests {
    my ($account, @specs) = @_;
    my $in = spew(dir() . '/requests.json', $RMS::Standin::JSON->encode(\@specs));
    my ($status, $text) = run(['/usr/bin/python3', '-B', $py, $in], env => kdc()->env($account));
    my ($json) = $text =~ /^(\[\[.*)/m;
    diag $text if $status || !$json;
    return @{ $RMS::Standin::JSON->decode($json || '[]') };
}

sub spec {
    my ($name, %more) = @_;
    my $s = sample($name);
    return { method => 'POST', body => $s->{request}, headers => { map {@$_} @{ $s->{headers} } },
        url => 'http://' . addr() . ':' . nginx()->port . $s->{path}, %more,
    };
}

my $get = spec('03', method => 'GET', body => '', headers => {});
my @got = requests('EXCH01$', $get, spec('07'), { %$get, url => "$get->{url}?wsdl" });
is_deeply($got[0], [200, 'Response', $got[0][2], 1], 'requests-kerberos believes a 200');
is_deeply($got[1], [200, 'Response', length sample('07')->{relayed}, 1], 'and that of a backend');
is_deeply($got[2], [404, 'Response', $got[2][2], 1], 'and a 404');
cmp_ok($got[2][2], '>', 0, 'of which it shows the text');
control(azure => { fault => 'fault-norights', times => 1 });
@got = requests('EXCH01$', spec('07'));
is_deeply($got[0], [500, 'Response', $got[0][2], 1], 'and the 500 of a fault');
cmp_ok($got[0][2], '>', 100, 'of which it shows the text');
control(azure => { reset => 'before' });
@got = requests('EXCH01$', spec('07'));
is_deeply($got[0], [503, 'Response', $got[0][2], 1], 'and a 503');
cmp_ok($got[0][2], '>', 0, 'of which it shows the text');
control(azure => {});
@got = requests('ROGUE01$', spec('07'));
is($got[0][0], 401, 'but a definitive 401 stays one');
finished('clients');

nginx(server => 'rms_deny 403;');
@got = requests('ROGUE01$', spec('07'));
is_deeply($got[0], [403, 'Response', $got[0][2], 1], 'and a 403');
cmp_ok($got[0][2], '>', 0, 'of which it shows the text');
$r = post_sample('07', account => 'ROGUE01$');
is($r->status, 403, 'rms_deny 403');
ok($r->{gss}->mutual($r), 'carries the token');

# HTTP/2
nginx(ssl => 1, http2 => 1);
my $s = sample('07');
$r = curl(nginx()->url($s->{path}), account => 'EXCH01$', args => ['--http2'], body => $s->{request},
    headers => [map {"$_->[0]: $_->[1]"} @{ $s->{headers} }]);
is("$r->{version} " . $r->status, 'HTTP/2 200', 'HTTP/2') or diag $r->{stderr};
ok($r->body eq $s->{relayed}, 'a licence over HTTP/2');
is(scalar tokens($r), 1, 'and a token');
finished('HTTP/2');

done_testing();
