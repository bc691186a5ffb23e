package Mutate;

# Requests for http.pl: a good one from the samples, changed in ways that have
# broken HTTP and SOAP software before.  rand() decides everything, so that a
# seed gives the same requests again (tokens apart).

use strict;
use warnings;

use Compress::Zlib ();
use Exporter qw(import);

use RMS::Gss;
use RMS::Samples;

our @EXPORT = qw(any chance request connection answer h2_connection flip);

# those whose answers are rewritten come more often
our @MESSAGES = grep { defined sample($_)->{request} } samples();
push @MESSAGES, grep { /^(?:01|12)/ } @MESSAGES for 1 .. 3;

sub any    { return $_[rand @_] }
sub chance { return rand() < $_[0] }

my @METHODS = (qw(GET HEAD PUT OPTIONS TRACE CONNECT PROPFIND post PRI), "POST\x01");
my @TARGETS = qw(/ * /rms/ /rms/status /@azure @azure http://x/_wmcs/licensing/license.asmx
    /_wmcs /_wmcs/ /_wmcs/admin/x.asmx /_wmcs/licensing/license.asmx/x
    /_wmcs/GetRmsoUri.aspx /_wmcs/certification/ /_vti_bin/x);
my @FRAGMENTS = ('<', '>', '</', '/>', '"', "'", '&', '&amp;', '&#0;', '&#x10FFFF;', '&x;', ']]>',
    '<![CDATA[', '<!--', '-->', '<?x y?>', '<!DOCTYPE a [<!ENTITY b "c">]>', '<?xml version="1.1"?>',
    '<?xml version="1.0" encoding="utf-16"?>', "\xef\xbb\xbf", "\xff\xfe", "\0", ' xmlns=""', ' xmlns:a="b"',
    ' i:nil="true"', '<s:Body>', '</soap:Body>', '<soap:Body/>', '<soap:Header/>', '<a:b/>',
    '<XrML xmlns="">', '<IssuanceLicense>', '</IssuanceLicense>', '<ISSUEDPRINCIPALS>', "\xc0\xaf", "\xed\xa0\x80",
    '<a>' x 130, '<a b="' . 'c' x 17000 . '"/>', join(' ', '<a', map({"a$_=''"} 1 .. 70), '/>'));
my @HEADERS = (['Transfer-Encoding', 'chunked'], ['Transfer-Encoding', 'gzip, chunked'], ['Transfer-Encoding', 'xchunked'],
    ['Content-Length', '0'], ['Content-Length', '-1'], ['Content-Length', '18446744073709551616'], ['Content-Length', '+5'],
    ['Expect', '100-continue'], ['Expect', 'x'], ['Connection', 'close'], ['Connection', 'Authorization, SOAPAction'],
    ['Upgrade', 'h2c'], ['HTTP2-Settings', 'AAMAAABkAAQAAP__'], ['Connection', 'Upgrade, HTTP2-Settings'],
    ['Range', 'bytes=0-1,2-3'], ['If-Range', 'x'], ['Content-Encoding', 'gzip'], ['Content-Encoding', 'deflate, gzip'],
    ['Content-Encoding', 'identity'], ['Accept-Encoding', 'gzip, br'], ['Host', 'x'], ['Host', ''], ['Host', 'a b'],
    ['SOAPAction', ''], ['SOAPAction', '""'], ['SOAPAction', '"http://microsoft.com/DRM/LicensingService/AcquireLicense"'],
    ['SOAPAction', '"http://microsoft.com/DRM/ServerService/GetServerInfo"'], ['Content-Type', 'text/xml'],
    ['Content-Type', 'text/xml; charset=utf-16'], ['Content-Type', 'application/soap+xml; charset=utf-8; action="x"'],
    ['Content-Type', 'multipart/related; boundary="'], ['Content-Type', 'text/xml; charset="utf-8'], ['Cookie', 'rms=x'],
    ['X-Forwarded-For', '127.0.0.1'], ['X-Original-URL', '/'], ['X-HTTP-Method-Override', 'GET'], ['Trailer', 'Host'],
    ['TE', 'trailers'], ['Proxy-Authorization', 'Basic eDp5'], ['X-Accel-Redirect', '@azure'], ['User-Agent', "\x01\x1b[2J"],
    ['User-Agent', 'x' x 5000], ['Authorization', 'Negotiate'], ['Authorization', 'NTLM TlRMTVNTUAABAAAAB4IIogAAAAA='],
    ['Authorization', 'Basic eDp5'], ['Authorization', 'Negotiate ===='], ['Authorization', 'Bearer x.y.z'],
    ['Authorization', 'Negotiate ' . 'A' x 20000], [' X', 'y'], ['X ', 'y'], ['', 'y'], ['X', "a\r\n b"], ["X\0", 'y']);

# flip($bytes, $n) - bytes changed, taken out, doubled or put in, at n places.
sub flip {
    my ($text, $n) = @_;
    for (1 .. $n) {
        my $at = int rand(length($text) + 1);
        my $way = int rand 5;
        if    ($way == 0) { substr($text, $at, 1) = chr int rand 256 }
        elsif ($way == 1) { substr($text, $at, int rand 40) = '' }
        elsif ($way == 2) { substr($text, $at, 0) = substr $text, rand length($text), rand 80 }
        elsif ($way == 3) { substr($text, $at, 0) = chr int rand 256 }
        else              { substr($text, $at, 1) = any("\r", "\n", "\0", ' ', ':', '"', '%', '/', ';', "\xff") }
    }
    return $text;
}

sub token {
    my ($account) = @_;
    my $value = negotiate($account, mech => any(qw(spnego spnego krb5 windows negoex)));
    return chance(.9) ? $value : 'Negotiate ' . flip(substr($value, 10), 1);
}

sub body {
    my ($r) = @_;
    my $way = int rand 8;
    my $text = $r->{body};
    if ($way < 3) {
        # beside markup it does most
        my @tags;
        push @tags, pos $text while $text =~ /(?=[<>"])/g && pos($text) < 8000;
        for (1 .. 1 + rand 3) {
            my $at = @tags && chance(.8) ? any(@tags) : int rand length $text;
            substr($text, $at, 0) = any(@FRAGMENTS) if $at <= length $text;
        }
    }
    elsif ($way == 3) { $text = flip($text, 1 + rand 6) }
    elsif ($way == 4) { $text = substr $text, 0, rand length $text }
    elsif ($way == 5) { $text = sample(any(@MESSAGES))->{request} }
    elsif ($way == 6) {
        my $other = sample(any(@MESSAGES))->{request};
        $text = substr($text, 0, rand length $text) . substr $other, rand length $other;
    }
    else { $text .= any('', ' ' x 70000, 'x', $text, "\0") }
    if (chance(.1)) {
        $text = chance(.7) ? Compress::Zlib::memGzip($text) : Compress::Zlib::compress($text);
        $text = flip($text, 1) if chance(.3);
        push @{ $r->{headers} }, ['Content-Encoding', any(qw(gzip deflate x-gzip))];
    }
    $r->{body} = $text;
    return;
}

sub target {
    my ($r) = @_;
    my $way = int rand 9;
    my $t = $r->{target};
    my $at = int rand length $t;
    if    ($way == 0) { $t = any(@TARGETS) }
    elsif ($way == 1) { $t .= any('#', qw(?wsdl ?disco ? /x %00 %20 %2fx ;x . /. /..)) }
    elsif ($way == 2) { substr($t, $at, 1) = sprintf '%%%02' . any(qw(x X)), ord substr $t, $at, 1 }
    elsif ($way == 3) { $t = chance(.5) ? uc $t : lc $t }
    elsif ($way == 4) { substr($t, $at, 0) = any(qw(/ // ./ ../ \\ %5c %2e%2e/ %25 %c0%af), "\x80", "\t") }
    elsif ($way == 5) { $t =~ tr{/}{\\} }
    elsif ($way == 6) { $t = flip($t, 1) }
    elsif ($way == 7) { $t = any('http://', 'https://', '//', '') . 'rmsconnector.rms.test' . $t }
    else              { $t = sample(any(@MESSAGES))->{path} }
    $r->{target} = $t;
    return;
}

sub header {
    my ($r) = @_;
    my $h = $r->{headers};
    my $way = int rand 6;
    my $i = int rand @$h;
    if    ($way < 2)  { splice @$h, rand(@$h + 1), 0, [@{ any(@HEADERS) }] }
    elsif ($way == 2) { splice @$h, $i, 1 if @$h > 1 }
    elsif ($way == 3) { splice @$h, $i, 0, [@{ $h->[$i] }] }
    elsif ($way == 4) { $h->[$i] = [$h->[$i][0], flip($h->[$i][1], 1)] }
    else              { push @$h, map { ["X-$_", 'y' x rand 60] } 1 .. 1 + rand 150 }
    return;
}

# request() - { method, target, version, headers, body }: a good one, or
# one that differs in a few places.
sub request {
    my $s = sample(any(@MESSAGES));
    my %r = (method => 'POST', target => $s->{path}, version => 'HTTP/1.1', body => $s->{request},
        headers => [['Host', any(qw(rmsconnector.rms.test rms.rms.test))], map { [@$_] } @{ $s->{headers} }]);
    push @{ $r{headers} }, ['Authorization', token(any('EXCH01$', 'SP01$', 'FS01$', 'alice', 'ROGUE01$'))] if chance(.6);
    return \%r if chance(.25);
    for (1 .. any(1, 1, 1, 2, 3)) {
        my $what = rand;
        if    ($what < .4)  { body(\%r) }
        elsif ($what < .6)  { target(\%r) }
        elsif ($what < .9)  { header(\%r) }
        elsif ($what < .97) { $r{method} = any(@METHODS) }
        else                { $r{version} = any(qw(HTTP/1.0 HTTP/0.9 HTTP/1.2 HTTP/2.0 http/1.1 HTTP/1.1x)) }
    }
    return \%r;
}

sub chunked {
    my ($body) = @_;
    my $out = '';
    while (length $body) {
        my $part = substr $body, 0, 1 + rand(chance(.2) ? 10 : 20000), '';
        my $size = sprintf any('%x', '%X', '%04x'), length $part;
        $size .= any('', '', ';a=b', ';a="b\\"c"', ' ', ';' . 'x' x 300) if chance(.1);
        $size = any('g', '-1', 'ffffffffffffffff', '0x5', '', '10000000000000000') if chance(.003);
        $out .= "$size\r\n$part" . (chance(.003) ? any('', "\n", 'x') : "\r\n");
    }
    return $out if chance(.03);
    return $out . '0' . (chance(.1) ? ';x' : '') . "\r\n" . (chance(.1) ? "Host: x\r\nX: y\r\n" : '') . "\r\n";
}

# text($request) - as bytes of HTTP/1.
sub text {
    my ($r) = @_;
    my ($body, @h) = ($r->{body}, @{ $r->{headers} });
    if ($r->{method} eq 'POST' ? chance(.97) : chance(.3)) {
        if (chance(.35)) {
            push @h, ['Transfer-Encoding', 'chunked'];
            $body = chunked($body);
        } else {
            push @h, ['Content-Length', length($body) + (chance(.03) ? int(rand 20) - 10 : 0)];
        }
    } else {
        $body = '';
    }
    my $end = chance(.03) ? "\n" : "\r\n";
    return join($end, "$r->{method} $r->{target} $r->{version}", map {"$_->[0]: $_->[1]"} @h) . $end x 2 . $body;
}

# connection() - { parts => [bytes of each write], abort, waits }: one to four
# requests behind each other, in pieces; abort: then leave at once.
sub connection {
    my @r = map { request() } 1 .. (chance(.7) ? 1 : 2 + rand 3);
    my $text = join '', map { text($_) } @r;
    $text = flip($text, 1 + rand 4) if chance(.1);
    my %c = (abort => '', text => $text);
    if (chance(.08)) {
        $c{text} = substr $text, 0, rand length $text;
        $c{abort} = any(qw(reset close half));
    }
    my $pieces = chance(.6) ? 1 : 2 + rand 6;
    my @at = sort { $a <=> $b } map { int rand length $c{text} } 2 .. $pieces;
    my $from = 0;
    for my $to (@at, length $c{text}) {
        push @{ $c{parts} }, substr $c{text}, $from, $to - $from;
        $from = $to;
    }
    return \%c;
}

# answer() - a behaviour of the stand-in (t/standin/behave.py) for one request.
sub answer {
    my %b = (times => 1);
    my $way = int rand 12;
    if ($way < 5) {
        my $text = sample(any(grep { defined sample($_)->{response} } @MESSAGES))->{response};
        my %r = (body => $text, headers => []);
        body(\%r);
        $b{body_b64} = MIME::Base64::encode_base64($r{body}, '');
        push @{ $b{headers} }, @{ $r{headers} };
    }
    $b{ any(qw(gzip deflate eof close garbage unauthorized)) } = \1 if $way >= 5 && $way < 8;
    $b{chunk}    = 1 + int rand 9000 if $way == 8;
    $b{truncate} = int rand 6000 if $way == 9;
    $b{reset}    = any(qw(request before headers body)) if $way == 10;
    $b{status}   = any(100, 101, 204, 206, 302, 304, 401, 403, 404, 407, 413, 500, 502, 503, 504) if chance(.15);
    push @{ $b{headers} }, any(['X-Accel-Redirect', '@azure'], ['Set-Cookie', 'x=y'], ['Content-Encoding', 'gzip'], ['WWW-Authenticate', 'NTLM'],
        ['Location', 'http://rms01.corp.harbourline.example/_wmcs'], ['X-Long', 'x' x 5000], ['Transfer-Encoding', 'chunked'],
        ['Content-Type', 'text/html'], ['Connection', 'close']) if $way == 11;
    return \%b;
}

# HTTP/2, RFC 7540: frames by hand, HPACK literals only.

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

sub hpack_int {
    my ($n, $first) = @_;
    return chr $n if $n < 127;
    my $out = chr 127;
    for ($n -= 127; $n >= 128; $n >>= 7) { $out .= chr($n & 127 | 128) }
    return $out . chr $n;
}

sub hpack {
    return join '', map { chr(any(0, 0, 16)) . hpack_int(length $_->[0]) . $_->[0] . hpack_int(length $_->[1]) . $_->[1] } @_;
}

sub h2_request {
    my ($r, $stream) = @_;
    my @h = ([':method', $r->{method}], [':scheme', any(qw(http http https x))], [':path', $r->{target}],
        [':authority', 'rmsconnector.rms.test']);
    push @h, map { [chance(.98) ? lc $_->[0] : $_->[0], $_->[1]] } grep { $_->[0] ne 'Host' || chance(.1) } @{ $r->{headers} };
    push @h, ['content-length', length($r->{body}) + (chance(.1) ? 1 : 0)] if chance(.5);
    if (chance(.05)) {
        push @h, splice @h, rand @h, 1;
    }
    my $block = hpack(@h);
    $block = any("\x20", "\x3f\xe1\x1f", "\x80", "\xff\xff\xff\xff\xff", "\xbe") . $block if chance(.05);
    $block = flip($block, 1) if chance(.05);
    my $more = $r->{method} eq 'POST' ? 0 : 1;
    my @f;
    if (length $block > 16000 || chance(.15)) {
        my $cut = int rand(length($block) < 16000 ? length $block : 16000);
        push @f, frame(1, $more, $stream, substr $block, 0, $cut, '');
        push @f, frame(9, 0, $stream, substr $block, 0, 16000, '') while length $block > 16000;
        push @f, frame(9, 4, $stream, $block);
    } elsif (chance(.1)) {
        my $pad = int rand 200;
        push @f, frame(1, 4 | $more | 8 | 32, $stream, pack('C', $pad) . pack('NC', int rand 9, 16) . $block . "\0" x $pad);
    } else {
        push @f, frame(1, 4 | $more, $stream, $block);
    }
    return @f if $more;
    my $body = $r->{body};
    while (length $body) {
        my $part = substr $body, 0, 1 + rand(chance(.2) ? 50 : 16384), '';
        my $end = length $body || chance(.1) ? 0 : 1;
        push @f, chance(.1) && length $part < 16000 ? frame(0, 8 | $end, $stream, "\x05$part" . "\0" x 5)
            : frame(0, $end, $stream, $part);
    }
    push @f, any(frame(1, 5, $stream, hpack(['x-trailer', 'y'])), frame(0, 1, $stream, '')) if chance(.2);
    return @f;
}

# h2_connection() - as connection(), for a port that speaks HTTP/2 without TLS.
sub h2_connection {
    my @streams = map { [h2_request(request(), 2 * $_ - 1)] } 1 .. (chance(.6) ? 1 : 2 + rand 5);
    my @f = (frame(4, 0, 0, chance(.8) ? pack('nNnN', 4, 1 << 20, 3, 100) : pack 'nN', int rand 8, rand 2**32));
    push @f, frame(8, 0, 0, pack 'N', 1 << 24) if chance(.8);
    while (@streams) {
        my $i = chance(.7) ? 0 : rand @streams;
        push @f, shift @{ $streams[$i] };
        splice @streams, $i, 1 unless @{ $streams[$i] };
        push @f, any(frame(6, 0, 0, 'x' x 8), frame(6, 1, 0, 'x' x 8), frame(3, 0, 1 + 2 * int rand 4, pack 'N', 8),
            frame(8, 0, 1, pack 'N', any(0, 1, 0x7fffffff)), frame(2, 0, 1 + 2 * int rand 4, pack 'NC', int rand 8, int rand 256),
            frame(7, 0, 0, pack 'NN', 0, 0), frame(int rand 256, int rand 256, int rand 9, 'x' x rand 40), frame(4, 1, 0, ''),
            frame(4, 0, 0, pack 'nN', any(1, 4, 5), any(0, 1, 65535, 2**31))) if chance(.1);
    }
    $f[rand @f] = flip($f[rand @f], 1) if chance(.15);
    my %c = (abort => chance(.08) ? any(qw(reset close half)) : '', text => '');
    push @{ $c{parts} }, chance(.98) ? "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" : "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n";
    pop @f while $c{abort} && @f > 1 && chance(.5);
    if (chance(.5)) {
        push @{ $c{parts} }, join '', @f;
    } else {
        push @{ $c{parts} }, join '', splice @f, 0, 1 + rand 4 while @f;
    }
    $c{text} = join '', @{ $c{parts} };
    return \%c;
}

1;
