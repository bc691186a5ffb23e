# Path, action and body must agree, and a body that cannot be read is refused:
# T42-T49, T52, T53, and what an attacker would send.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;
use Digest::SHA;
use Encode qw(encode);
use IO::Select;

standin(azure => {});
my $body = sample('07')->{request};
my $clc = sample('05')->{request};
my $action = 'http://microsoft.com/DRM/LicensingService/AcquireLicense';
my $publish = 'http://microsoft.com/DRM/PublishingService/GetClientLicensorCert';
my @soap = (['SOAPAction', "\"$action\""]);
my @xml = (['Content-Type', 'text/xml; charset=utf-8']);
my $first = '<AcquireLicense xmlns="http://microsoft.com/DRM/LicensingService"';
my $n;

# with($pattern, $replacement) - 07 with one change.
sub with {
    my ($pattern, $new, $from) = @_;
    my $text = defined $from ? $from : $body;
    $text =~ s/$pattern/$new/ or die "no $pattern";
    return $text;
}

# stops($what, $status, %o) - refused with short plain text, nobody contacted, and
# the connection still usable.
sub stops {
    my ($what, $status, %o) = @_;
    forget_journal();
    my $c = client(addr(), $n->port);
    plain_answer($what, post_sample('07', client => $c, %o), $status);
    untouched("$what: not forwarded");
    return $c;
}

# goes($what, %o) - forwarded as it is.
sub goes {
    my ($what, %o) = @_;
    return passes($what, post_sample('07', %o), sample('07'), request => $o{body} // $body);
}

my $deep = join('', map {"<a>"} 1 .. 10000) . '</a>' x 10000;
my $two = with(qr{(?=</soap:Body>)}, '<GetClientLicensorCert xmlns="http://microsoft.com/DRM/PublishingService"/>');
my $prolog = '<?xml version="1.0" encoding="utf-8"?>';
my $doctype = '<!DOCTYPE x [<!ENTITY e "AcquireLicense">]>';
(my $bare = $body) =~ s/^\s*<\?xml.*?\?>\s*//;

# bad in the same way whatever is read of them
my @BAD = (
    ['two Body children, publish first: T42', 400, with('<soap:Body>',
        '<soap:Body><GetClientLicensorCert xmlns="http://microsoft.com/DRM/PublishingService"/>')],
    ['another body: T42', 400, $clc],
    ['UTF-16LE with BOM: T46', 415, "\xff\xfe" . encode('UTF-16LE', $clc)],
    ['UTF-16BE with BOM', 415, "\xfe\xff" . encode('UTF-16BE', $body)],
    ['UTF-16LE without BOM', 415, encode('UTF-16LE', $bare)],
    ['UTF-32 with BOM', 415, "\xff\xfe\0\0" . encode('UTF-32LE', $body)],
    ['a declared encoding', 415, '<?xml version="1.0" encoding="iso-8859-1"?>' . $bare],
    ['UTF-7', 415, '<?xml version="1.0" encoding="utf-7"?>' . $bare],
    ['DOCTYPE: T47', 400, "<!DOCTYPE x>$bare"],
    ['DOCTYPE after the declaration', 400, $prolog . $doctype . $bare],
    ['DOCTYPE with an external subset', 400, '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x">' . $bare],
    ['an external entity', 400, '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' . with('<soap:Body>', '<soap:Body>&e;', $bare)],
    ['a bomb of entities', 400, '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "' . '&a;' x 50
        . '"><!ENTITY c "' . '&b;' x 50 . '">]>' . with('<soap:Body>', '<soap:Header>&c;</soap:Header><soap:Body>',
            with(qr{<soap:Header>.*?</soap:Header>}s, '', $bare))],
    ['an undeclared entity', 400, with('<soap:Body>', '<soap:Body>&publish;')],
    ['10,000 elements deep in the header', 400, with('<soap:Body>', "$deep<soap:Body>")],
    ['a processing instruction: SOAP 1.1 section 3', 400, with('<soap:Body>', '<?p x?><soap:Body>')],
    ['no body at all', 400, ''],
    ['a blank body', 400, " \r\n "],
    ['one NUL', 415, "\0" . $body],
    ['a control character', 400, with('<soap:Body>', "<soap:Body>\x01")],
    ['not XML', 400, 'op=GetClientLicensorCert'],
    ['JSON', 400, '{"AcquireLicense":{}}'],
    ['cut in the header', 400, substr $body, 0, index($body, '<soap:Body>')],
    ['cut in the first element', 400, substr $body, 0, index($body, $first) + 20],
    ['a Body and no child', 400, with(qr{<soap:Body>.*</soap:Body>}s, '<soap:Body></soap:Body>')],
    ['no Body', 400, with(qr{<soap:Body>.*</soap:Body>}s, '')],
    ['another root', 400, with(qr{soap:Envelope}, 'soap:Envelop')],
    ['an Envelope of no namespace', 400, with('http://schemas.xmlsoap.org/soap/envelope/', 'urn:x')],
    ['a SOAP 1.2 envelope as text/xml', 400, sample('07c')->{request}],
    ['an unbound prefix', 400, with('xmlns:soap=', 'xmlns:sop=')],
    ['the operation of another namespace', 400, with(qr{(<AcquireLicense xmlns=")[^"]+}, '<AcquireLicense xmlns="urn:x')],
    ['the operation in another case', 400, with('<AcquireLicense ', '<acquirelicense ')],
    ['a Body inside the Header', 400, with(qr{<soap:Header>.*?</soap:Header>}s, "<soap:Header><soap:Body>$first/></soap:Body></soap:Header>",
        with(qr{(?<=<soap:Body>).*(?=</soap:Body>)}s, '<x/>'))],
    ['bytes that are not UTF-8', 400, with('<soap:Body>', "<soap:Body>\xc0\xaf")],
    ['the same attribute twice', 400, with('<soap:Envelope ', '<soap:Envelope a="1" a="2" ')],
    ['an attribute of a megabyte', 400, with('<soap:Body>', '<soap:Body a="' . 'x' x 11_000_000 . '">')],
);

# good whatever is read of them
my @GOOD = (
    ['a UTF-8 BOM', "\xef\xbb\xbf$body"],
    ['comments and CDATA', with('<soap:Body>', '<!-- &x; <soap:Body> --><soap:Body><!-- ]]> -->')],
    ['another prefix', do { (my $t = $body) =~ s/\bsoap:/zz:/g; $t =~ s/xmlns:soap=/xmlns:zz=/; $t }],
    ['a namespace in character references', with('DRM/LicensingService"', 'DRM/Licensing&#83;&#x65;rvice"')],
    ['single quotes', with(qr{xmlns="(http://microsoft.com/DRM/LicensingService)"}, q{xmlns='http://microsoft.com/DRM/LicensingService'})],
    ['white space', with('<soap:Body>', "<soap:Body\n >\r\n\t ")],
    ['no XML declaration', $bare],
);

for my $mode ('on', 'strict') {
    $n = nginx(server => "rms_inspect $mode;");
    stops("$mode: $_->[0]", $_->[1], body => $_->[2]) for @BAD;
    goes("$mode: $_->[0]", body => $_->[1]) for @GOOD;
    goes("$mode: chunks of three bytes", chunked => 3);
    is_deeply([violations()], [], "$mode: the backend saw nothing odd");

    # headers
    stops("$mode: T44, two actions that differ", 400, headers => [@xml, @soap, ['SOAPAction', "\"$publish\""]]);
    stops("$mode: a SOAP 1.2 action beside another header", 400, body => sample('07c')->{request},
        headers => [['Content-Type', "application/soap+xml; action=\"$action\""], ['SOAPAction', "\"$publish\""]]);
    stops("$mode: two media types", 400, headers => [@xml, ['Content-Type', 'application/soap+xml'], @soap]);
    stops("$mode: no action", 400, headers => [@xml]);
    stops("$mode: an empty action", 400, headers => [@xml, ['SOAPAction', '""']]);
    stops("$mode: an action of another file", 400, headers => [@xml, ['SOAPAction', "\"$publish\""]]);
    stops("$mode: an unknown action", 400, headers => [@xml, ['SOAPAction', '"urn:x"']]);
    for my $type ('text/plain', 'application/xml', 'application/octet-stream', 'multipart/related; type="text/xml"',
        'text/xml; charset=utf-16', 'text/xml; charset=iso-8859-1', 'text/xml-external', 'text/xmlx')
    {
        stops("$mode: Content-Type [$type]", 415, headers => [['Content-Type', $type], @soap]);
    }
    stops("$mode: an empty Content-Type", 400, headers => [['Content-Type', ''], @soap]);
    stops("$mode: no Content-Type", 415, headers => [@soap]);
    for my $type ('text/xml', 'TEXT/XML ; Charset=UTF-8', 'text/xml;charset="utf-8"', 'text/xml; charset=us-ascii') {
        goes("$mode: Content-Type [$type]", headers => [['Content-Type', $type], @soap]);
    }
    for my $coding ('gzip', 'deflate', 'br', 'identity, gzip', 'x') {
        stops("$mode: T45, Content-Encoding $coding", 415, headers => [@xml, @soap, ['Content-Encoding', $coding]]);
    }
    stops("$mode: two Content-Encoding", 415, headers => [@xml, @soap, ['Content-Encoding', 'identity'], ['Content-Encoding', 'gzip']]);
    goes("$mode: Content-Encoding identity", headers => [@xml, @soap, ['Content-Encoding', 'identity']]);

    # T49
    my $c = client(addr(), $n->port);
    $c->write(build_request(method => 'POST', path => sample('07')->{path}, headers => [@xml, @soap, ['Expect', '100-continue'],
        ['Authorization', negotiate('EXCH01$')], ['Content-Length', length $body]]));
    is($c->response(continue => 1)->status, 100, "$mode: T49, 100 before the body is sent");
    $c->write($body);
    passes("$mode: and then the licence", $c->response, sample('07'));
    is((journal())[-1]{headers}{expect}, undef, "$mode: Expect stays here");

    # a refused connection is a usable one
    $c = stops("$mode: refused", 400, body => $clc);
    goes("$mode: the next request on the same connection", client => $c);
}

# after the first element: read in strict mode, the backend's business else; an
# ASMX server runs the action of the header and reads the first element alone
my @TAIL = (
    ['T48, two Body children', $two, ''],
    ['a second Body', with('</soap:Envelope>', '<soap:Body/></soap:Envelope>'), ''],
    ['10,000 elements deep', with('</AcquireLicense>', "$deep</AcquireLicense>"), ''],
    ['cut in the licence', substr($body, 0, length($body) / 2), 'xml'],
    ['cut before the end', substr($body, 0, -1), 'xml'],
    ['something behind the end', "$body<x/>", 'xml'],
    ['an undeclared entity in the licence', with('</AcquireLicense>', '&x;</AcquireLicense>'), 'xml'],
);
for (@TAIL) {
    stops("strict: $_->[0]", 400, body => $_->[1]);
}
nothing_odd();
logs_clean();
$n = nginx(workers => 1);
for (@TAIL) {
    my ($what, $text, $violation) = @$_;
    forget_journal();
    post_sample('07', body => $text);
    my ($j) = journal();
    is_deeply([@$j{qw(path operation sha256)}], ['/_wmcs/licensing/license.asmx', 'AcquireLicense',
        Digest::SHA::sha256_hex($text)], "on: $what is the backend's to judge, as the operation that was allowed");
    is($j->{violation} // '', $violation, "on: $what: and it does");
}

# T52: sizes
forget_journal();
stops('on: T52, more than 16 MiB by its length', 413, headers => [@xml, @soap, ['Content-Length', (16 << 20) + 1]], body => '');
stops('on: more than 1 MiB elsewhere', 413, path => sample('09')->{path}, headers => sample('09')->{headers},
    body => sample('09')->{request} . ' ' x (1 << 20));
my $c = client(addr(), $n->port);
$c->write("POST $_->{path} HTTP/1.1\r\nHost: rmsconnector.rms.test\r\n"
    . join('', map {"$_->[0]: $_->[1]\r\n"} @{ $_->{headers} }) . 'Authorization: ' . negotiate('EXCH01$')
    . "\r\nTransfer-Encoding: chunked\r\n\r\n") for sample('09');
my $sent = 0;
while ($sent < 64 << 20) {
    last unless $c->write(sprintf "%x\r\n%s\r\n", 65536, ' ' x 65536);
    last if IO::Select->new($c->{s})->can_read(0);
    $sent += 65536;
}
cmp_ok($sent, '<', 16 << 20, 'on: chunks without end are stopped early');
my $r = eval { $c->response };
plain_answer('on: and answered 413', $r, 413) if $r;
untouched('on: nothing of it was forwarded');
my $large = with('</AcquireLicense>', '<!--' . 'x' x (9 << 20) . '--></AcquireLicense>');
is(post_sample('07', body => $large)->status, 200, 'on: nine megabytes of licence pass');
is((journal())[-1]{sha256}, Digest::SHA::sha256_hex($large), 'on: whole');
is_deeply([$n->temp_files], [], 'on: and never through a file');
like($n->error_log, qr/rms denied: reason=body_too_large/, 'on: and the log says why');
logs_clean(expected => qr/client intended to send too large body/);

done_testing();
