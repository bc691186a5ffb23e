# Bodies: every framing arrives whole, limits by endpoint and caller hold and
# come in their place, 100-continue and pipelining work.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use Digest::SHA ();

my $MB = 1024 * 1024;
my $anonymous = free_port();
standin(azure => {});
my %conf = (backends => ['azure'], port => free_port());
my $text = conf(%conf, http => 'client_body_timeout 1s;', more_servers => 'server { listen ' . addr() . ":$anonymous;
    rms_allow partner any; location / { rms_auth off; rms_pass azure; }
    location \@azure { proxy_pass " . standin()->url('azure') . '; proxy_http_version 1.1; proxy_set_header Host $rms_upstream_host;
        proxy_set_header Connection ""; proxy_max_temp_file_size 0;
        proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering X-Accel-Charset X-Accel-Limit-Rate; } }');
my $n = nginx($text);
my ($worker) = $n->workers;

# padded($name, $size) - a message of exactly that many bytes
sub padded {
    my ($name, $size) = @_;
    my $body = sample($name)->{request};
    my $pad = ' ' x ($size - length $body);
    $body =~ s/(<\/\w+:Envelope>)\s*\z/$pad$1/;
    return $body . ' ' x ($size - length $body);
}

# whole($what, $response, $body) - 200, and the backend got that body
sub whole {
    my ($what, $r, $body) = @_;
    my ($j) = (journal())[-1];
    ok($r && $r->status == 200 && $j->{length} == length $body && $j->{sha256} eq Digest::SHA::sha256_hex($body)
        && !$j->{violation}, $what) or diag $r ? $r->status : 'no answer', ' ', $j->{violation} || '';
    return;
}

# framing
my $body = sample('07')->{request};
whole('content-length', post_sample('07'), $body);
whole('chunks of one byte', post_sample('07', chunked => 1), $body);
whole('chunks of 7 bytes', post_sample('07', chunked => 7), $body);
whole('one chunk', post_sample('07', chunked => length $body), $body);
my $c = client(addr(), $n->port);
my $s = sample('07');
my @request = (method => 'POST', path => $s->{path}, body => $body);
my $auth = sub { headers => [@{ $s->{headers} }, [Authorization => negotiate('EXCH01$')], @_] };
$c->write_split(build_request(@request, $auth->()), 1000);
whole('in small packets', $c->response, $body);
$c->write_split(build_request(@request, $auth->(), chunked => 333), 100);
whole('chunks that packets cut anywhere, on the same connection', $c->response, $body);
(my $extended = build_request(@request, $auth->(), chunked => 5000)) =~ s/\r\n\r\n([0-9a-f]+)\r\n/\r\n\r\n$1;name="value"\r\n/;
$extended =~ s/0\r\n\r\n\z/0\r\nX-Trailer: x\r\n\r\n/;
$c->write($extended);
whole('a chunk extension and a trailer', $c->response, $body);
is(post_sample('07', body => '', chunked => 10)->status, 400, 'an empty chunked body');
is(post_sample('07', body => '')->status, 400, 'an empty body');
is(http(method => 'POST', path => $s->{path}, account => 'EXCH01$', headers => [@{ $s->{headers} }, ['Content-Length', undef]])->status,
    400, 'no body at all');

# limits
for my $case (['07', 16 * $MB, 'license'], ['06', 16 * $MB, 'publish'], ['12', $MB, 'server'], ['09', $MB, 'templates']) {
    my ($name, $limit, $what) = @$case;
    my $full = padded($name, $limit);
    whole("$what: $limit bytes pass", post_sample($name, body => $full), $full);
    whole("$what: also chunked", post_sample($name, body => $full, chunked => 65536), $full) if $what ne 'publish';
    my $asked = journal();
    my $r = post_sample($name, body => "$full ");
    is($r->status, 413, "$what: one more is too large");
    like($r->body, qr/^413 body_too_large, request [0-9a-f]{32}$/, '  said in plain text');
    $r = post_sample($name, body => "$full ", chunked => 65536);
    is($r->status, 413, "$what: nor chunked");
    is(scalar(() = journal()), $asked, '  the backend is not asked');
}

# anonymous callers: 1 MiB on any endpoint
my %partner = (account => undef, port => $anonymous);
my $full = padded('07', $MB);
whole('an anonymous caller: 1 MiB passes', post_sample('07', %partner, body => $full), $full);
is(post_sample('07', %partner, body => "$full ")->status, 413, 'one more is too large');
is(post_sample('07', %partner, body => "$full ", chunked => 65536)->status, 413, 'nor chunked');

# in order: who may not ask does not hear about the limit of an endpoint
my $info = sample('12');
my $refuse = sub {
    my ($what, $status, $size, $path, $account) = @_;
    my $x = client(addr(), $n->port);
    $x->request(method => 'POST', path => $path, headers => [@{ $info->{headers} }, ['Content-Length', $size],
        $account ? [Authorization => negotiate($account)] : ()]);
    my $r = $x->response;
    is($r->status, $status, $what);
    $x->close;
    return $r;
};
$refuse->('2 MiB without credentials: 401', 401, 2 * $MB, $info->{path});
$refuse->('2 MiB of nobody: the fault', 500, 2 * $MB, $info->{path}, 'ROGUE01$');
$refuse->('2 MiB to nowhere: 404', 404, 2 * $MB, '/_wmcs/nothing', 'EXCH01$');
$refuse->('2 MiB of another action: 400', 400, 2 * $MB, $s->{path}, 'EXCH01$');
$refuse->('2 MiB of a server: 413', 413, 2 * $MB, $info->{path}, 'EXCH01$');
my $huge = 17 * $MB;
my $r = $refuse->('what no endpoint takes is 413 for everybody', 413, $huge, $info->{path});
like($r->body, qr/^413 body_too_large, request [0-9a-f]{32}$/, 'in plain text');

# refused with its body on the way: discarded, the connection stays
$c = client(addr(), $n->port);
$c->request(@request, headers => $s->{headers});
is($c->response->status, 401, 'refused with a body');
$c->request(@request, $auth->());
is($c->response->status, 200, 'the connection goes on');

# Expect
$c->request(@request, body => '', $auth->(['Expect', '100-continue'], ['Content-Length', length $body]));
is($c->response(continue => 1)->status, 100, 'Expect is answered');
$c->write($body);
whole('and the body arrives', $c->response, $body);
$c->request(@request, body => '', headers => [@{ $s->{headers} }, ['Expect', '100-continue'], ['Content-Length', length $body]]);
is($c->response(continue => 1)->status, 401, 'not before the caller is known');
$c->close;
$c = client(addr(), $n->port);
$c->request(@request, body => '', $auth->(['Expect', '100-continue'], ['Content-Length', $huge]));
is($c->response(continue => 1)->status, 413, 'nor for a body that is too large');
$c->close;

# pipelining
$c = client(addr(), $n->port);
my @names = qw(07 12 09 07);
$c->write(join '', map { my $m = sample($_); build_request(method => 'POST', path => $m->{path}, body => $m->{request},
    headers => [@{ $m->{headers} }, [Authorization => negotiate('EXCH01$')]], $_ eq '09' ? (chunked => 100) : ()) } @names);
my @right = grep { my $r = $c->response; $r && $r->status == 200 && $r->body eq sample($_)->{relayed} } @names;
is("@right", "@names", 'four pipelined requests are answered in order');
$c->write(build_request(@request, headers => $s->{headers}) . build_request(@request, $auth->())
    . build_request(@request, body => '<x/>', $auth->()) . build_request(@request, $auth->()));
is(join(' ', map { my $r = $c->response; $r ? $r->status : '-' } 1 .. 4), '401 200 400 200', 'refusals among them, too');

# a body that stops
$c = client(addr(), $n->port);
$c->write(substr build_request(@request, $auth->()), 0, -1000);
$r = $c->response;
ok(!$r || $r->status == 408, 'a body that stops ends with client_body_timeout');
$c->close;
is(post_sample('07')->status, 200, 'and nothing else');

is_deeply([$n->workers], [$worker], 'one worker did it all');
is_deeply([violations()], [], 'the backend saw nothing odd');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
is_deeply([$n->temp_files], [], 'no temporary file');

done_testing();
