# No spelling leads around the publish denial of a read-only cluster, also with
# a careless location beside the one of the relay.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;
use MIME::Base64 qw(encode_base64);

standin(adrms => {}, other => { kind => 'azure', base => 'http://other.rms.test/_wmcs',
    require_host => undef });
my $n = nginx(
    backends => [{ name => 'adrms', read_only => 'on', read_only_answer => 'fault' }],
    server => 'location /app/ { proxy_pass ' . standin()->url('other') . '; }'
        . 'location ~ \.html$ { proxy_pass ' . standin()->url('other') . '; }');

my $publish = 'http://microsoft.com/DRM/PublishingService/GetClientLicensorCert';
my $edit = 'http://microsoft.com/DRM/EditIssuanceLicenseService/EditIssuanceLicense';
my $acquire = 'http://microsoft.com/DRM/LicensingService/AcquireLicense';
my @xml = (['Content-Type', 'text/xml; charset=utf-8']);
my $clc = sample('05')->{request};
my $licence = sample('07e')->{request};

# closed($what, $response) - refused, and no backend saw anything.
my $tries = 0;
sub closed {
    my ($what, $r, @status) = @_;
    $tries++;
    @status = (400, 404, 405, 411, 413, 415, 500, 501) unless @status;
    my $got = $r ? $r->status : 0;
    my @seen = journal();
    my $good = ok((grep { $got == $_ } @status) && !grep({ $_->{listener} eq 'adrms' } @seen)
        && !grep({ $_->{path} =~ /asmx/i && $_->{listener} ne 'other' } @seen), $what);
    diag "    status $got; ", map {"$_->{listener} $_->{path} "} @seen unless $good;
    diag "    a 500 that is no denial: ", $r->body
        unless $got != 500 || ok($r->body =~ /OnlinePublishingDisabled|UnauthorizedAccess/, "$what: denial");
    forget_journal();
    return $good;
}

# the list of the samples: T38-T43
my %only = ('neg-gzip-request' => 415, 'neg-admin' => 404, 'neg-remoting' => 404, 'neg-get-wsdl' => 404,
    'neg-pathinfo' => 404, 'neg-otherfile-pathinfo' => 404, 'neg-doublepercent' => 400,
    'neg-action-missing' => 400, 'neg-action-empty' => 400, map({ ("neg-action-mismatch-$_" => 400) } 1 .. 3),
    map { ("neg-$_" => 500) } qw(case doubleslash dotsegment percent backslash encodedslash trailingdot
        ads query external action-unquoted));
for my $neg (negatives()) {
    closed("$neg->{name}: $neg->{why}", http(account => 'EXCH01$', method => $neg->{method},
        path => $neg->{path}, headers => $neg->{headers}, body => $neg->{body}),
        $only{ $neg->{name} } || (400, 500));
}
is($tries, scalar @{ RMS::Samples::manifest()->{negatives} }, 'every negative was tried');
closed("sample $_: nobody may", post_sample($_), 500, 404) for qw(16 17 18);
closed("sample $_: publishing", post_sample($_), 500) for qw(05 05b 06 11);
closed("$_ is not there", http(account => 'EXCH01$', path => $_, method => 'POST', headers => \@xml,
    body => $licence), 404) for qw(/my/v1/x /_wmcs/my/v1/publish /_wmcs/admin/RoleMgr.asmx /_wmcs/admin/AdminSvc.asmx
    /_wmcs/licensing/ /_wmcs /_wmcs/licensing/publish.asmx.config /_wmcs/web.config / /_wmcs/licensing/licence.asmx);

# request lines
for my $path (
    '/_wmcs/licensing/publish.asmx%00', '/_wmcs/licensing/publish.asmx%00/license.asmx',
    '/_wmcs/licensing/license.asmx%00/../publish.asmx', '/_wmcs/licensing/publish%C0%AEasmx',
    '/_wmcs%C0%AFlicensing%C0%AFpublish.asmx', '/_wmcs/%E0%80%AFlicensing/publish.asmx',
    '/_wmcs/licensing/publish%EF%BC%8Easmx', '/_wmcs/licensing/%u0070ublish.asmx', '/_wmcs/licensing/%70%75blish.asmx',
    '/_wmcs/licensing/publish.asmx;license.asmx', '/_wmcs/licensing/license.asmx;/../publish.asmx',
    '/_wmcs/licensing;x=1/publish.asmx', '/_wmcs/licensing/publish.asmx;', '/_wmcs/licensing/publish.asmx%3b',
    '/_wmcs/licensing/publish.asmx%09', '/_wmcs/licensing/%09publish.asmx', '/_wmcs/licensing/publish.asmx%20',
    '/_wmcs/licensing/publish.asmx%0d%0a', '/_wmcs/licensing/publish.asmx%7f', '/_wmcs/licensing/publish.asmx#license.asmx',
    '/_wmcs/licensing/publish.asmx%23license.asmx', '/_wmcs/licensing/publish.asmx%3Fx', '/_wmcs/licensing/publish.asmx?',
    '/_wmcs/licensing/publish.asmx/', '/_wmcs/licensing/publish.asmx//', '/_wmcs/licensing/publish.asmx\\',
    '/_wmcs/licensing/publish.asmx/.', '/_wmcs/licensing/publish.asmx/..', '/_wmcs/licensing/publish.asmx/../publish.asmx',
    '/_wmcs/licensing/license.asmx/../publish.asmx', '/_wmcs/licensing/license.asmx/publish.asmx',
    '/_wmcs/licensing/publish.asmx...', '/_wmcs/licensing/publish.asmx. .', '/_wmcs/licensing./publish.asmx',
    '/_wmcs/licensing/publish.asmx::$INDEX_ALLOCATION', '/_wmcs/licensing::$INDEX_ALLOCATION/publish.asmx',
    '/_wmcs/licensing/publish.asmx%3a%3a%24DATA', '/_wmcs/licensing/publish.asmx:$DATA', '/_wmcs/licensing/PUBLIS~1.ASM',
    '/_wmcs/licensing/publish.asmx%2e', '/_wmcs/licensing/%2e%2e/licensing/publish.asmx', '/_wmcs/licensing/..%2flicensing/publish.asmx',
    '/_wmcs/licensing/..%5clicensing%5cpublish.asmx', '/_wmcs%255clicensing/publish.asmx', '/_wmcs/licensing%252fpublish.asmx',
    '/_wmcs/licensing/%252570ublish.asmx', '/%5fwmcs/licensing/publish.asmx', '/_WMCS/LICENSINGEXTERNAL/publish.asmx',
    '/./_wmcs/licensing/publish.asmx', '//_wmcs/licensing/publish.asmx', '/\\_wmcs/licensing/publish.asmx',
    '/../_wmcs/licensing/publish.asmx', '/_wmcs/(S(x))/licensing/publish.asmx', '/(S(x))/_wmcs/licensing/publish.asmx',
    '/app/../_wmcs/licensing/publish.asmx', '/app/%2e%2e/_wmcs/licensing/publish.asmx', '/APP/../_wmcs/licensing/publish.asmx',
    '/app/..%2f_wmcs/licensing/publish.asmx', '/app/./../_wmcs/licensing/publish.asmx',
    '/app\\..\\_wmcs\\licensing\\publish.asmx', '/app%5c..%5c_wmcs%5clicensing%5cpublish.asmx',
    '/_wmcs/licensing/publish.asmx/x.html/../../publish.asmx', '/_wmcs/licensing/publish.asmx?.html',
    'http://rmsconnector.rms.test/_wmcs/licensing/publish.asmx', 'HTTP://RMSCONNECTOR.RMS.TEST/_wmcs//licensing/publish.asmx',
    'http://adrms01/_wmcs/licensing/publish.asmx', 'https://rmsconnector.rms.test:443/_wmcs/licensing/publish.asmx',
    'http://x@rmsconnector.rms.test/_wmcs/licensing/publish.asmx', '/' . 'x/../' x 400 . '_wmcs/licensing/publish.asmx')
{
    my $shown = length $path > 80 ? substr($path, 0, 40) . '...' : $path;
    closed("[$shown]", http(account => 'EXCH01$', method => 'POST', path => $path,
        headers => [@xml, ['SOAPAction', "\"$publish\""]], body => $clc));
}

# methods and headers that rename things
for my $method (qw(GET PUT M-POST PATCH DELETE OPTIONS TRACE PROPFIND post)) {
    closed("$method at the publish file", http(account => 'EXCH01$', method => $method,
        path => '/_wmcs/licensing/publish.asmx?op=GetClientLicensorCert',
        headers => [@xml, ['SOAPAction', "\"$publish\""]], body => $clc));
}
closed('HTTP-POST binding', http(account => 'EXCH01$', method => 'POST', body => 'x=1',
    path => '/_wmcs/licensing/publish.asmx/GetClientLicensorCert',
    headers => [['Content-Type', 'application/x-www-form-urlencoded']]));

my @at_licence = (account => 'EXCH01$', method => 'POST', path => sample('07')->{path});
my @mixed = (
    ['two actions, the harmless one first', $licence, ['SOAPAction', "\"$acquire\""], ['SOAPAction', "\"$publish\""]],
    ['two actions, the harmless one last', $licence, ['SOAPAction', "\"$publish\""], ['SOAPAction', "\"$acquire\""]],
    ['two actions in one value', $licence, ['SOAPAction', "\"$acquire\", \"$publish\""]],
    ['an action with a fragment', $licence, ['SOAPAction', "\"$acquire#$publish\""]],
    ['an action that is cut', $licence, ['SOAPAction', "\"$acquire"]],
    ['an action in another case', $clc, ['SOAPAction', '"' . uc($publish) . '"']],
    ['an action with a tab inside', $clc, ['SOAPAction', "\"$publish\t\""]],
    ['the edit action at the licence file', $clc, ['SOAPAction', "\"$edit\""]]);
closed($_->[0], http(@at_licence, headers => [@xml, @$_[2 .. $#$_]], body => $_->[1])) for @mixed;
closed('underscore for a dash: another header name', http(@at_licence, body => $clc,
    headers => [@xml, ['SOAPAction', "\"$acquire\""], ['SOAP_Action', "\"$publish\""]]), 400);
for my $name ('X-HTTP-Method', 'X-HTTP-Method-Override', 'X-Method-Override', 'X-Original-URL', 'X-Rewrite-URL') {
    my $r = http(@at_licence, headers => [@xml, ['SOAPAction', "\"$acquire\""],
        [$name, '/_wmcs/licensing/publish.asmx']], body => $licence);
    my @seen = journal();
    is_deeply([map { [$_->{path}, $_->{operation}] } @seen], [['/_wmcs/licensing/license.asmx', 'AcquireLicense']],
        "$name does not rename the request");
    is_deeply([map { $_->{headers}{ lc $name } // () } @seen], [],
        "$name does not reach a backend that might obey it");
    forget_journal();
}

# bodies that say something else than the headers
my @other = (['SOAPAction', "\"$acquire\""]);
(my $wrapped = $licence) =~ s{<soap:Body>}{<soap:Body><!-- <GetClientLicensorCert/> -->};
(my $cdata = $clc) =~ s{<soap:Body>}{<soap:Body><![CDATA[<AcquireLicense/>]]>};
(my $first = $licence) =~ s{<soap:Body>}{<soap:Body><GetClientLicensorCert xmlns="http://microsoft.com/DRM/PublishingService"/>};
(my $headed = $clc) =~ s{<soap:Body>}{<soap:Header><AcquireLicense xmlns="http://microsoft.com/DRM/LicensingService"/></soap:Header><soap:Body>};
(my $ns = $clc) =~ s{PublishingService}{LicensingService}g;
closed('a publish element before the licence', http(@at_licence, headers => [@xml, @other], body => $first));
closed('a licence element in the header alone', http(@at_licence, headers => [@xml, @other], body => $headed));
closed('a licence element in CDATA alone', http(@at_licence, headers => [@xml, @other], body => $cdata));
closed('a publish element in the licensing namespace', http(@at_licence, headers => [@xml, @other], body => $ns));
passes('a comment is only a comment', http(@at_licence, headers => [@xml, @other], body => $wrapped), sample('07'),
    request => $wrapped);
forget_journal();

# framing: what one server takes for the end and another does not
my $c = client(addr(), $n->port);
my $token = negotiate('EXCH01$');
my $smuggled = build_request(method => 'POST', path => '/_wmcs/licensing/publish.asmx', body => $clc,
    headers => [@xml, ['SOAPAction', "\"$publish\""]]);
$c->write("POST /_wmcs/licensing/license.asmx HTTP/1.1\r\nHost: rmsconnector.rms.test\r\nAuthorization: $token\r\n"
    . "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"$acquire\"\r\nContent-Length: 4\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n$smuggled");
closed('length and chunks together', $c->response, 400, 401);
for my $te ("Transfer-Encoding: xchunked\r\nContent-Length: 4", "Transfer-Encoding : chunked",
    "Transfer-Encoding: chunked, identity", "Content-Length: 4\r\nContent-Length: 5", "Content-Length: +4",
    "Content-Length: 0x10")
{
    $c = client(addr(), $n->port);
    $c->write("POST /_wmcs/licensing/license.asmx HTTP/1.1\r\nHost: rmsconnector.rms.test\r\nAuthorization: "
        . negotiate('EXCH01$') . "\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"$acquire\"\r\n$te\r\n\r\n0\r\n\r\n$smuggled");
    (my $shown = $te) =~ s/\r\n/, /g;
    closed("[$shown]", $c->response, 400, 501);
}
closed('two Host headers', http(account => 'EXCH01$', method => 'POST', path => '/_wmcs/licensing/publish.asmx',
    headers => [['Host', 'rmsconnector.rms.test'], ['Host', 'adrms01'], @xml, ['SOAPAction', "\"$publish\""]], body => $clc), 400);
for my $host ('adrms01.corp.contoso.com', 'other.rms.test', '127.0.0.1', '') {
    closed("Host [$host]", http(account => 'EXCH01$', method => 'POST', path => '/_wmcs/licensing/publish.asmx',
        headers => [['Host', $host], @xml, ['SOAPAction', "\"$publish\""]], body => $clc), 500, 400);
}
closed('a folded action', do {
    $c = client(addr(), $n->port);
    $c->write("POST /_wmcs/licensing/license.asmx HTTP/1.1\r\nHost: rmsconnector.rms.test\r\nAuthorization: "
        . negotiate('EXCH01$') . "\r\nContent-Type: text/xml\r\nSOAPAction: \"$acquire\"\r\n \"$publish\"\r\nContent-Length: "
        . length($clc) . "\r\n\r\n$clc");
    $c->response;
}, 400);

# subrequests and pipelining: what follows a refusal is judged for itself
$c = client(addr(), $n->port);
$c->write(join '', map { build_request(method => 'POST', path => $_->{path}, body => $_->{request},
    headers => [@{ $_->{headers} }, ['Authorization', negotiate('EXCH01$')]]) } sample('05'), sample('07e'), sample('06'));
is(join(' ', map { $c->response->status } 1 .. 3), '500 200 500', 'pipelined: denied, allowed, denied');
is_deeply([map { $_->{operation} } journal()], ['AcquireLicense'], 'the backend saw the middle one alone');
forget_journal();

# the relay still works, and the careless location still does what it did
passes('licences still open', post_sample('07e'), sample('07e'), status => 200, body => sample('07')->{response});
http(path => '/app/index');
is_deeply([map {"$_->{listener} $_->{path}"} (journal())[-1]], ['other /app/index'], 'the other location is used');
is_deeply([violations('adrms')], [], 'the cluster saw nothing odd');
logs_clean();

done_testing();
