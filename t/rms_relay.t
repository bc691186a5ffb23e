# Allowed messages reach the backend and come back byte for byte, under the
# canonical request line, with the backend's name and no client secret.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

my @ALLOW = ('exchange account=EXCH01$@RMS.TEST', 'sharepoint account=SP01$@RMS.TEST',
    'fci account=FS01$@RMS.TEST', 'rms_server account=EXCH02$@RMS.TEST', 'user account=alice@RMS.TEST');
my %ACCOUNT = (exchange => 'EXCH01$', sharepoint => 'SP01$', fci => 'FS01$',
    rms_server => 'EXCH02$', user => 'alice');
my @LICENSE = qw(07 07b 07c 07d 07e 19);
my @SERVER = (qw(01 01b 03 04 05 05b 06 09 10 11 12), @LICENSE);
my %MAY = (
    exchange => [@SERVER, qw(08 13)], sharepoint => [@SERVER], fci => [@SERVER],
    rms_server => [qw(04 12 13 14 15)], user => [qw(01 01b 02 04 05 05b 06 09 10 12), @LICENSE]);
my @ALL = (@SERVER, qw(02 08 13 14 15));

my $identity = dir() . '/identity';
spew($identity, "Bearer relay-identity-of-the-tenant\n");
share_with_worker($identity);

standin(azure => {});
my %upstream = (
    backends => [{ name => 'azure', proxy => 'http://azure_nodes' }],
    http => 'upstream azure_nodes { server ' . addr() . ':' . standin()->port('azure') . '; keepalive 8; }');
my $n = nginx(%upstream, allow => \@ALLOW);

# every message the role may send: T1, T4, T19, T20, T22, T29, T30, T31, T55-T58
for my $role (sort keys %MAY) {
    for my $name (@{ $MAY{$role} }) {
        passes("$role: $name passes unchanged",
            post_sample($name, account => $ACCOUNT{$role}), sample($name));
    }
}
is(standin_state()->{azure}{accepted}, 1, 'one backend connection carried all of them');

# a fault of the backend is an answer: T34, T51
for my $fault (qw(fault-norights fault-nested fault-unsupporteddataversion fault-unauthorized)) {
    control(azure => { fault => $fault, times => 1 });
    passes("$fault passes unchanged", post_sample('07'), sample('07'),
        status => 500, body => slurp(root() . "/t/samples/$fault.xml"));
}
control(azure => { fault => 'fault-norights', times => 1 });
is(post_sample('12')->body, slurp(root() . '/t/samples/fault-norights.xml'),
    'a fault to a rewritten operation passes too');

# 07 without a header, another one with a version nobody has: T51, T58
for ([qr{<soap:Header>.*?</soap:Header>} => '', 'without SOAP header'],
    [qr{<MaximumVersion>[\d.]+} => '<MaximumVersion>9.0.0.0', 'with version 9.0.0.0'])
{
    my ($pattern, $with, $what) = @$_;
    (my $body = sample('07')->{request}) =~ s/$pattern/$with/s;
    isnt($body, sample('07')->{request}, "$what: the message differs from the sample");
    passes("07 $what passes", post_sample('07', body => $body), sample('07'), request => $body);
}

# the request of the public client: chunked, in small packets
passes('a chunked request arrives whole', post_sample('07', chunked => 1000), sample('07'));

# T25: the decision follows the path
forget_journal();
soap_fault('user certification is not for servers',
    post_sample('03', path => sample('02')->{path}), 'unauthorized');
soap_fault('server certification is not for users',
    post_sample('02', path => sample('03')->{path}, account => 'alice'), 'unauthorized');
untouched('neither reached the backend');
passes('a user message at the server file passes for a server',
    post_sample('02', path => sample('03')->{path}), sample('03'),
    request => sample('02')->{request}, body => sample('02')->{response});

# T57 and the rest of the table: what is not allowed is not contacted
forget_journal();
for my $role (sort keys %MAY) {
    my %may = map { $_ => 1 } @{ $MAY{$role} };
    for my $name (grep { !$may{$_} } @ALL) {
        soap_fault("$role: $name is refused", post_sample($name, account => $ACCOUNT{$role}),
            'unauthorized', sample($name)->{soap});
    }
}
untouched('none of them reached the backend');

# canonical spelling out, whatever comes in
my $action = 'http://microsoft.com/DRM/LicensingService/AcquireLicense';
for my $path ('/_WMCS/LICENSING/LICENSE.ASMX', '/_wmcs//licensing///License.asmx',
    '/_wmcs/certification/../licensing/./license.asmx', '/_wmcs/licensing/%6Cicense%2Easmx',
    '/_wmcs/licensing%5Clicense.asmx', '/_wmcs/licensing%2Flicense.asmx', '/_wmcs\\licensing\\license.asmx',
    '/_wmcs/licensing/license.asmx.', '/_wmcs/licensing/license.asmx::$DATA',
    '/_wmcs/licensing/license.asmx?x=publish.asmx',
    'http://rmsconnector.rms.test/_wmcs/licensing/license.asmx')
{
    passes("$path becomes the canonical path", post_sample('07', path => $path), sample('07'));
}
for my $spelling ($action, " \"$action\" ", "\t$action\t", "\"$action\"") {
    passes("SOAPAction [$spelling] is understood", post_sample('07',
        headers => [['Content-Type', 'TEXT/XML;charset="UTF-8"'], ['soapaction', $spelling]]), sample('07'));
    my ($j) = (journal())[-1];
    is_deeply([map { $_->[1] } grep { lc $_->[0] eq 'soapaction' } @{ $j->{raw} }], ["\"$action\""],
        'and goes out once, quoted');
}
passes('the same SOAPAction twice is one', post_sample('07', add => [['SOAPAction', "\"$action\""]]), sample('07'));
passes('SOAP 1.2 with an unquoted action', post_sample('07c',
    headers => [['Content-Type', "Application/SOAP+XML; action=$action"]]), sample('07c'));

# Host and secrets
passes('a client that claims other headers', post_sample('07', host => 'rmsconnector.rms.test:8443',
    add => [['Proxy-Authorization', 'Basic eA=='], ['Range', 'bytes=0-1'], ['If-Range', '"x"'], ['Trailer', 'x'],
        ['Accept-Encoding', 'gzip'], ['X-Forwarded-Host', 'evil.example']]), sample('07'));
my ($j) = (journal())[-1];
is($j->{headers}{host}, 'rms01.corp.harbourline.example', 'the backend is asked by its own name');
for my $name (qw(authorization proxy-authorization range if-range trailer)) {
    is($j->{headers}{$name}, undef, "$name stays here");
}
is($j->{headers}{'accept-encoding'}, 'gzip', 'Accept-Encoding of a streamed operation is not our business');
post_sample('12', add => [['Accept-Encoding', 'gzip'], ['accept-encoding', 'br']]);
is((journal())[-1]{headers}{'accept-encoding'}, 'identity', 'that of a rewritten one is identity');
is_deeply([map { $_->{headers}{authorization} } journal()], [(undef) x journal()],
    'D13: no client Authorization ever reached the backend');
is_deeply([grep { $_->{headers}{connection} } journal()], [], 'backend connections are kept');
my $proof = post_sample('07');
ok($proof->{gss}->mutual($proof), 'the answer of a backend carries the mutual token');
nothing_odd();
logs_clean();
$n->quit;

# our own identity: for the four server roles alone
standin_options(azure => { require_authorization => 'Bearer relay-identity-of-the-tenant' });
$upstream{backends}[0]{identity} = "file=$identity";
$n = nginx(%upstream, allow => \@ALLOW, ssl => 1, http2 => 1);
for my $role (qw(exchange sharepoint fci rms_server)) {
    my $s = sample($role eq 'rms_server' ? '15' : '07');
    my $r = curl($n->url($s->{path}), account => $ACCOUNT{$role}, body => $s->{request}, args => ['--http2'],
        headers => [map {"$_->[0]: $_->[1]"} @{ $s->{headers} }]);
    is($r->{version}, 'HTTP/2', "$role speaks HTTP/2") or diag $r->{stderr};
    passes("$role: with the identity of the relay, over HTTP/2", $r, $s);
}
standin_options(azure => { require_authorization => undef });
my $s = sample('07');
my $r = curl($n->url($s->{path}), account => 'alice', body => $s->{request},
    headers => [map {"$_->[0]: $_->[1]"} @{ $s->{headers} }]);
passes('D12: a user never goes with the identity of the relay, though his connection was used with it', $r, $s);
logs_clean(secrets => ['relay-identity-of-the-tenant']);
$n->quit;

$n = nginx(%upstream, auth => 'off', allow => ['partner any']);
for my $name (qw(07 07c 04)) {
    passes("partner: $name passes without the identity of the relay",
        post_sample($name, account => undef), sample($name));
    passes("partner: $name passes, and the client's Authorization stays here",
        post_sample($name, account => undef, authorization => 'Bearer of-the-client'), sample($name));
}
forget_journal();
soap_fault("partner: $_ is refused", post_sample($_, account => undef), 'unauthorized',
    sample($_)->{soap}) for qw(01 02 03 05 06 08 09 10 11 12 13 14 15);
untouched('none of them reached the backend');
nothing_odd();
logs_clean(secrets => ['relay-identity-of-the-tenant', 'of-the-client']);

done_testing();
