# Service locations are rewritten, by position, and nothing else is: T8-T18, T60;
# an answer that cannot be rewritten and proven is never sent.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;
use Compress::Zlib ();
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);

my @ALLOW = ('exchange account=EXCH01$@RMS.TEST', 'rms_server account=EXCH02$@RMS.TEST');
my $PUBLIC = 'https://rights-gateway.edge.harbourline.example';
my ($base, $second) = @RMS::Standin::BASES;
my ($host) = $base =~ m{//([^/]+)};
my $small = 'proxy_buffer_size 1k; proxy_buffers 4 1k; proxy_busy_buffers_size 1k;';

standin(azure => {});
my $n = nginx(allow => \@ALLOW, backends => [{ name => 'azure', proxy_extra => $small }]);

# ask($sample, \%behaviour, %o) - one call, the backend behaving so.
sub ask {
    my ($name, $behaviour, %o) = @_;
    $behaviour->{body_b64} = encode_base64(delete $behaviour->{bytes}, '') if defined $behaviour->{bytes};
    control(azure => { %$behaviour, times => 1 });
    return post_sample($name, account => $name eq '14' ? 'EXCH02$' : 'EXCH01$', %o);
}

# is_relayed($what, $response, $body) - 200 with exactly this, its length, and
# well-formed.
sub is_relayed {
    my ($what, $r, $body) = @_;
    is($r->status, 200, "$what: 200") or diag $r->body;
    ok($r->body eq $body, "$what: the expected bytes") or diag substr $r->body, 0, 2000;
    is($r->header('content-length'), length $body, "$what: exact length");
    is_deeply([map { $r->header($_) // () } qw(content-encoding transfer-encoding)], [], "$what: not coded");
    return;
}

# one_place($url) - an FSLFU answer that holds this URL.
my $fslfu = sample('01')->{response};
sub one_place {
    my ($raw, $element) = @_;
    $element ||= "<URL>$raw</URL>";
    (my $text = $fslfu) =~ s{<URL>[^<]*</URL>}{$element} or die;
    return $text;
}

# T8, T9, T10, T11, T60
for my $name (qw(01 01b 12 14)) {
    my $s = sample($name);
    passes("sample $name", ask($name, {}), $s);
    is_relayed("sample $name", ask($name, {}), $s->{relayed});
    my $r = ask($name, {});
    ok(check_relayed($s->{response}, $r->body), "$name: only unsigned addresses differ");
    cmp_ok(certificates($r->body), '>=', 0, "$name: signatures verify");
}

# T12, T13, T14: transport makes no difference
for my $name (qw(01 12)) {
    my $want = sample($name)->{relayed};
    for my $how ({ chunk => 1 }, { write => 1 }, { chunk => 7 }, { write => 211 }, { eof => 1 }, { close => 1 },
        { gzip => 1 }, { deflate => 1 }, { gzip => 1, chunk => 1 }, { deflate => 1, write => 3 }, { gzip => 1, eof => 1 })
    {
        my $what = join ' ', $name, map {"$_=$how->{$_}"} sort keys %$how;
        is_relayed($what, ask($name, $how, add => [['Accept-Encoding', 'gzip, deflate']]), $want);
    }
    my $raw = Compress::Zlib::deflateInit(-WindowBits => -15);
    my $deflated = $raw->deflate(sample($name)->{response}) . $raw->flush;
    is_relayed("$name deflate without the zlib header", ask($name, { bytes => $deflated,
        headers => [['Content-Encoding', 'deflate']] }), $want);
}
for my $at (0 .. 40) {          # a packet boundary at every byte of one address
    my $text = one_place("$base/licensing?a=1&amp;b=2");
    my $cut = index($text, '<URL>') - 2 + $at;
    my $r = ask('01', { bytes => $text, write => $cut });
    (my $want = sample('01')->{relayed}) =~ s{<URL>[^<]*}{<URL>$PUBLIC/_wmcs/licensing?a=1&amp;b=2};
    ok($r->body eq $want, "T14: cut at byte $cut");
}

# the values: what is under a base, and what only looks so
my %under = (
    "$base/licensing" => '/licensing', "$second/licensing/" => '/licensing/', $base => '', "$base/" => '/',
    "\U$base\E/Licensing" => '/Licensing', "http://$host:80/_wmcs/licensing" => '/licensing',
    'https://rights.harbourline.example:443/_wmcs/x.asmx' => '/x.asmx', "HTTP://$host/_WMCS/licensing/publish.asmx" => '/licensing/publish.asmx',
    "$base/licensing?a=1&amp;b=&lt;" => '/licensing?a=1&amp;b=&lt;', "$base?x" => '?x',
    "http:&#47;&#x2f;$host/_wmcs/licensing" => '/licensing',
);
for my $url (sort keys %under) {
    my $r = ask('01', { bytes => one_place($url) });
    like($r->body, qr{<URL>\Q$PUBLIC/_wmcs$under{$url}\E</URL>}, "[$url] is rewritten");
    is($r->header('content-length'), length $r->body, "[$url]: exact length");
}
for my $url ("http://$host.evil.example/_wmcs/licensing", "http://$host/_wmcsx/licensing", "http://$host:8080/_wmcs/licensing",
    "http://evil.example/$base/licensing", "https://$host/_wmcs/licensing", "http://$host/", "http://$host/x/_wmcs/licensing",
    "http://user\@$host/_wmcs/licensing", "http://$host\@evil.example/_wmcs/licensing", "ftp://$host/_wmcs/licensing",
    "//$host/_wmcs/licensing", "/_wmcs/licensing", 'urn:x', "http://x$host/_wmcs", "http://$host:80800/_wmcs",
    "http://$host:443/_wmcs/licensing", 'https://rms.northquay.example/_wmcs/licensing/')
{
    (my $want = sample('01')->{relayed}) =~ s{<URL>[^<]*}{<URL>$url};
    is_relayed("[$url] stays", ask('01', { bytes => one_place($url) }), $want);
}

# T15, T16: by position
my $ns = 'http://microsoft.com/DRM/ServerService';
is_relayed('T15, a prefix', ask('01', { bytes => one_place('', "<q:URL xmlns:q=\"$ns\">$base/licensing</q:URL>") }),
    (sample('01')->{relayed} =~ s{<URL>[^<]*</URL>}{<q:URL xmlns:q="$ns">$PUBLIC/_wmcs/licensing</q:URL>}r));
my ($rewritten) = sample('01')->{relayed} =~ m{<URL>([^<]*)};
for my $element ("<URL xmlns=\"urn:x\">$base/licensing</URL>", "<url>$base/licensing</url>", "<URL />", '<URL></URL>',
    "<Type><URL>$base/licensing</URL></Type>", "<x Url=\"$base/licensing\"/>", "<!--<URL>$base/licensing</URL>-->",
    "<Note>$base/licensing</Note>", "<Note><![CDATA[<URL>$base/licensing</URL>]]></Note>")
{
    (my $want = sample('01')->{relayed}) =~ s{<URL>[^<]*</URL>}{$element};
    is_relayed("T16, [$element] is no place", ask('01', { bytes => one_place('', $element) }), $want);
}
my $outside = sample('12')->{response};
$outside =~ s{(<soap:Body>)}{<soap:Header><ServiceLocation xmlns="$ns" Url="$base/licensing"/></soap:Header>$1};
like(ask('12', { bytes => $outside })->body, qr{<soap:Header><ServiceLocation xmlns="$ns" Url="\Q$base\E/licensing"/>},
    'a place outside of the answer is none');
(my $quotes = sample('12')->{response}) =~ s{\bUrl="(http[^"]*)"}{Url='$1'};
(my $quotes_want = sample('12')->{relayed}) =~ s{\bUrl="(http[^"]*)"}{Url='$1'};
is_relayed('single quotes stay', ask('12', { bytes => $quotes }), $quotes_want);
is_relayed('a BOM, blanks, comments stay', ask('01', { bytes => "\xef\xbb\xbf" . $fslfu . "\n<!-- $base -->\n" }),
    "\xef\xbb\xbf" . sample('01')->{relayed} . "\n<!-- $base -->\n");

# validators of another body go
my @validators = ([ETag => '"x"'], ['Last-Modified', 'Sat, 01 Mar 2025 00:00:00 GMT'], ['Content-MD5', 'x'], ['Accept-Ranges', 'bytes']);
my $r = ask('01', { headers => \@validators });
is($r->header($_->[0]), undef, "$_->[0] goes with the rewriting") for @validators;
$r = ask('07', { headers => \@validators });
is($r->header($_->[0]), $_->[1], "$_->[0] of a streamed answer stays") for @validators[0 .. 2];
is(ask('01b', { headers => \@validators })->header('etag'), '"x"', 'ETag of an answer without a change stays');
is(ask('01', { headers => [['X-Trace', 'a'], ['Set-Cookie', 'b=c']] })->header('x-trace'), 'a', 'other headers stay');

# what is not one of the three operations streams as it is
my $packed = Compress::Zlib::memGzip(sample('07')->{response});
$r = ask('07', { bytes => $packed, headers => [['Content-Encoding', 'gzip']] }, add => [['Accept-Encoding', 'gzip']]);
is($r->header('content-encoding'), 'gzip', 'a compressed licence stays compressed');
ok($r->body eq $packed, 'to the byte');
$r = ask('07', { bytes => "<URL>$base</URL> is not XML at all", content_type => 'text/html' });
is($r->body, "<URL>$base</URL> is not XML at all", 'and nobody reads it');
is(ask('04', { body => $fslfu })->body, $fslfu, 'the operation decides, not the looks of the answer');

# what cannot be rewritten is a 502, plain, without a byte of it
my $bomb = Compress::Zlib::memGzip($fslfu . ' ' x (4 << 20));
my @unusable = (
    ['an unknown coding', 'unknown Content-Encoding', { headers => [['Content-Encoding', 'br']] }],
    ['two codings', 'unknown Content-Encoding', { headers => [['Content-Encoding', 'gzip, gzip']] }],
    ['a coding that is not there', 'cannot be rewritten', { headers => [['Content-Encoding', 'gzip']] }],
    ['cut gzip', 'cannot be rewritten', { bytes => substr($bomb, 0, 300), headers => [['Content-Encoding', 'gzip']] }],
    ['a gzip bomb', 'cannot be rewritten', { bytes => $bomb, headers => [['Content-Encoding', 'gzip']] }],
    ['more than 128 KiB', 'too large', { bytes => $fslfu . ' ' x (1 << 20) }],
    ['more than 128 KiB in chunks', 'too large', { bytes => $fslfu . ' ' x (1 << 20), chunk => 60000 }],
    map({ ["more than 128 KiB, $_ at a time", 'too large', { bytes => $fslfu . ' ' x (1 << 20), chunk => $_ }] }
        4096, 16384, 100000, 1 << 19),
    ['HTML', 'not XML', { body => '<html>welcome</html>', content_type => 'text/html' }],
    ['no type', 'not XML', { content_type => '' }],
    ['DIME', 'not XML', { body => "\x0c\x01", content_type => 'application/dime' }],
    ['malformed XML', 'cannot be rewritten', { bytes => substr $fslfu, 0, -20 }],
    ['an empty body', 'cannot be rewritten', { body => '' }],
    ['a DOCTYPE', 'cannot be rewritten', { bytes => $fslfu =~ s{(?<=\?>)}{<!DOCTYPE x>}r }],
    ['an entity', 'cannot be rewritten', { bytes => one_place("&x;$base") }],
    ['markup inside an address', 'cannot be rewritten', { bytes => one_place("$base/<x/>licensing") }],
    ['UTF-16', 'cannot be rewritten', { bytes => "\xff\xfe" . join '', map {"$_\0"} split //, $fslfu }],
    ['the answer of another operation', 'cannot be rewritten', { bytes => sample('04')->{response} }],
    ['two answers', 'cannot be rewritten', { bytes => $fslfu . $fslfu }],
    ['10,000 levels', 'cannot be rewritten', { bytes => one_place('', '<a>' x 10000 . '</a>' x 10000) }],
    ['300 addresses', 'cannot be rewritten', { bytes => $fslfu =~ s{(<ServiceLocationResponse>.*?</ServiceLocationResponse>)}{$1 x 300}er }],
    ['206', 'status is not 200', { status => 206, headers => [['Content-Range', 'bytes 0-9/100']] }],
    ['203', 'status is not 200', { status => 203 }],
    ['cut short', 'cut short', { truncate => 500 }],
    ['nothing after the header', 'cut short', { truncate => 0 }],
    ['reset in the body', 'cut short', { reset => 'body' }],
);
my $bad = 0;
for (@unusable) {
    my ($what, $why, $how) = @$_;
    my $c = client(addr(), $n->port);
    my $from = length $n->error_log;
    $r = ask('01', $how, client => $c);
    plain_answer("$what: 502", $r, 502);
    is_deeply([map { $r->header($_) // () } qw(content-encoding content-range etag)], [], "$what: no header of the backend");
    ok($r->{gss}->mutual($r), "$what: the mutual token is there");
    my $said = substr $n->error_log, $from;
    like($said, qr/rms event=3000 answer of backend "azure" not usable: [^\n]*$why[^\n]* operation=FindServiceLocationsForUser/,
        "$what: event 3000 says why");
    control(azure => {});
    is(eval { post_sample('01', client => $c)->body } // '', sample('01')->{relayed}, "$what: the next answer on this connection is right")
        if lc($r->header('connection') // '') ne 'close' || ++$bad < 0;
}
cmp_ok($bad, '<', @unusable / 2, 'most refusals keep the connection');

# other statuses of these operations are answers
for my $status (400, 500, 503) {
    $r = ask('01', { status => $status, body => "$base says no", content_type => 'text/plain' });
    is_deeply([$r->status, $r->body], [$status, "$base says no"], "$status passes as it is");
}
$r = ask('01', { status => 304 });
is_deeply([$r->status, $r->body], [304, ''], '304 passes without a body');
$r = ask('01', { gzip => 1, fault => 'fault-unspecified' });
is_deeply([$r->status, Compress::Zlib::memGunzip($r->body)], [500, slurp(root() . '/t/samples/fault-unspecified.xml')],
    'a compressed fault passes as it is');

# redirects
for (["$base/licensing/server.asmx", "$PUBLIC/_wmcs/licensing/server.asmx"], ["\U$base\E/x", "$PUBLIC/_wmcs/x"],
    ['https://other.example/_wmcs/x', 'https://other.example/_wmcs/x'],
    ["http://$host.evil.example/_wmcs/x", "http://$host.evil.example/_wmcs/x"])
{
    for my $name ('01', '07') {
        $r = ask($name, { redirect => $_->[0] });
        is_deeply([$r->status, $r->header('location')], [302, $_->[1]], "$name: Location $_->[0]");
        $r = ask($name, { headers => [['Content-Location', $_->[0]]] });
        is($r->header('content-location'), $_->[1], "$name: Content-Location $_->[0]");
    }
}

# HEAD is the service page's, and no backend's
forget_journal();
my $c = client(addr(), $n->port);
$c->request(method => 'HEAD', path => sample('12')->{path}, headers => [['Authorization', negotiate('EXCH01$')]]);
$r = $c->response;
is_deeply([$r->status, $r->body], [200, ''], 'HEAD of a service page');
cmp_ok($r->header('content-length'), '>', 0, 'with its length');
untouched('no backend is asked');

is_deeply([$n->temp_files], [], 'nothing went to a file');
nothing_odd();
logs_clean(expected => qr/rms event=3000 |upstream prematurely closed|Connection reset by peer/);
$n->quit;

# the public address: as configured, or as this client came
my @public = (
    [{ public_url => '' }, 'http://rmsconnector.rms.test:PORT'],
    [{ public_url => '', ssl => 1 }, 'https://rmsconnector.rms.test:PORT'],
    [{ public_url => 'http://a.example:8080' }, 'http://a.example:8080'],
    [{ public_url => 'https://$host' }, 'https://rmsconnector.rms.test'],
);
for my $port (80, 443) {
    my $free = IO::Socket::INET->new(LocalAddr => addr(), LocalPort => $port, Listen => 1, ReuseAddr => 1) or next;
    $free->close;
    push @public, [{ public_url => '', port => $port }, 'http://rmsconnector.rms.test' . ($port == 80 ? '' : ':443')],
        [{ public_url => '', ssl => 1, port => $port }, 'https://rmsconnector.rms.test' . ($port == 443 ? '' : ':80')];
}
for (@public) {
    my ($p, $url) = @$_;
    $n = nginx(allow => \@ALLOW, %$p);
    $url =~ s/PORT/$n->port/e;
    for my $name (qw(01 12)) {
        my $s = sample($name);
        $r = curl($n->url($s->{path}), account => 'EXCH01$', body => $s->{request},
            headers => [map {"$_->[0]: $_->[1]"} @{ $s->{headers} }]);
        is_relayed("$url: $name", $r, $s->{relayed} =~ s/\Q$PUBLIC\E/$url/gr);
    }
    $n->quit;
}

done_testing();
