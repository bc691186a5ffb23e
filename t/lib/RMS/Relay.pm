package RMS::Relay;

# What the t/rms_*.t files about relaying have in common: checks of one answer
# with the request the backend received for it, and of the logs at the end.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use Test::More;

use RMS::Env;
use RMS::Nginx;
use RMS::Samples;
use RMS::Standin;

our @EXPORT = qw(passes plain_answer refused soap_fault untouched logs_clean
    nothing_odd);

# the service names in faults: [MS-RMPR] 3.1.4.5
our %FAULT = (
    publishing => 'Microsoft.DigitalRightsManagement.Licensing.OnlinePublishingDisabledException',
    unauthorized => 'System.UnauthorizedAccessException',
);

my %SOAP = ('1.1' => ['text/xml; charset=utf-8', 'http://schemas.xmlsoap.org/soap/envelope/'],
    '1.2' => ['application/soap+xml; charset=utf-8', 'http://www.w3.org/2003/05/soap-envelope']);

# all_ok($what, [condition, what it means]...) - one test of many conditions.
sub all_ok {
    my ($what, @conditions) = @_;
    my @bad = map { $_->[1] } grep { !$_->[0] } @conditions;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = ok(!@bad, $what);
    diag "    $_" for @bad;
    return $good;
}

# passes($what, $response, $sample, %override) - the answer is the one expected
# and the backend received exactly the request: status, body, request, backend.
sub passes {
    my ($what, $r, $s, %o) = @_;
    my %want = (status => $s->{status}, body => relayed($s), request => $s->{request},
        content_type => $s->{content_type}, %o);
    my ($j) = (journal())[-1];
    my $path = $s->{path};
    $path =~ s{License\.asmx}{license.asmx};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return all_ok($what,
        [$r && $r->status == $want{status}, 'status ' . ($r ? $r->status : 'none')],
        [$r && $r->body eq $want{body}, 'the body of the answer differs'],
        [$r && $r->{complete} // 1, 'the answer is not whole'],
        [$r && ($r->header('content-type') || '') eq $want{content_type},
            'content type ' . (($r && $r->header('content-type')) || 'none')],
        [$j, 'no backend was contacted'],
        [$j && !$j->{violation}, 'violation ' . ($j && $j->{violation} || '') . ': ' . ($j && $j->{detail} || '')],
        [$j && $j->{sha256} eq sha256_hex($want{request}), 'the body of the request differs'],
        [$j && $j->{path} eq ($want{path} || $path), 'path ' . ($j && $j->{path} || 'none')],
        [$j && (!$want{backend} || $j->{listener} eq $want{backend}), 'backend ' . ($j && $j->{listener} || 'none')]);
}

# relayed($sample) - what the client gets; the stand-in answers a sample without
# a response of its own (05b) with that of the operation, in SOAP 1.2.
sub relayed {
    my ($s) = @_;
    return $s->{relayed} if defined $s->{relayed};
    my ($twin) = grep { $_->{operation} eq $s->{operation} && defined $_->{response} }
        map { sample($_) } samples();
    (my $body = $twin->{response}) =~ s/\Q$SOAP{'1.1'}[1]\E/$SOAP{'1.2'}[1]/;
    return $body;
}

# plain_answer($what, $response, $status, %o) - an answer of the relay's own:
# short plain text with an exact length, nothing of HTML, XML or a fault.
# retry => 1: with Retry-After.
sub plain_answer {
    my ($what, $r, $status, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(0, "$what: no answer") unless $r;
    my $length = $r->header('content-length');
    return all_ok($what,
        [$r->status == $status, 'status ' . $r->status],
        [($r->header('content-type') || '') eq 'text/plain', 'type ' . ($r->header('content-type') || 'none')],
        [defined $length && $length == length $r->body, 'Content-Length ' . (defined $length ? $length : 'missing')],
        [length $r->body && length $r->body < 200, 'body of ' . length($r->body) . ' bytes'],
        [$r->body !~ /</, 'markup in the body'],
        [$r->{complete} // 1, 'the answer is not whole'],
        [!$o{retry} || ($r->header('retry-after') || '') =~ /^\d+$/, 'no Retry-After']);
}

# refused($what, $response, @statuses) - one of these, and no backend contacted.
sub refused {
    my ($what, $r, @status) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $r ? $r->status : 0;
    return all_ok($what, [(grep { $got == $_ } @status) > 0, "status $got"],
        [!journal(), 'a backend was contacted']);
}

# soap_fault($what, $response, $name, $version) - HTTP 500 with a fault of the
# relay's own: well-formed, of this SOAP version, without VersionData.
sub soap_fault {
    my ($what, $r, $name, $version) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(0, "$what: no answer") unless $r;
    my ($type, $ns) = @{ $SOAP{ $version || '1.1' } };
    my $length = $r->header('content-length');
    my ($exit) = run(['/usr/bin/python3', '-c',
        'import sys, xml.dom.minidom as m; m.parseString(sys.stdin.buffer.read())'], in => $r->body);
    return all_ok($what,
        [$r->status == 500, 'status ' . $r->status],
        [($r->header('content-type') || '') eq $type, 'type ' . ($r->header('content-type') || 'none')],
        [index($r->body, $FAULT{$name}) > 0, 'not this fault'],
        [index($r->body, qq("$ns")) > 0, 'another SOAP version'],
        [$r->body !~ /VersionData/, 'VersionData'],
        [$exit == 0, 'not well-formed'],
        [defined $length && $length == length $r->body, 'length']);
}

# untouched() - no backend has seen a request since forget_journal().
sub untouched {
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply([map {"$_->{listener} $_->{path}"} journal()], [], $what);
}

# logs_clean() - nothing in error.log that a healthy relay never writes, no
# secret anywhere.  errors => 1: [error] lines are expected; expected => qr/.../:
# lines of this kind are.
sub logs_clean {
    my (%o) = @_;
    my $level = $o{errors} ? 'emerg|alert|crit' : 'emerg|alert|crit|error';
    my $expected = $o{expected} || qr/(?!)/;
    my @bad = grep { /\[(?:$level)\]/ && !/$expected/ } split /\n/, nginx()->error_log;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply(\@bad, [], 'error.log holds nothing alarming');
    is_deeply([no_secrets(@{ $o{secrets} || [] })], [], 'no secret in logs and temp files');
    return;
}

# nothing_odd() - the backends found nothing wrong with what they received.
sub nothing_odd {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply([violations()], [], 'the backends saw nothing odd');
}

1;
