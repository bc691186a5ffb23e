# A backend that is gone, slow, rude or broken: T33-T37.  Short plain text with
# a status that tells clients to go elsewhere or come again, never a SOAP fault,
# never HTML; and all is well again when the backend is.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

my $short = 'proxy_read_timeout 1s; proxy_send_timeout 1s; proxy_connect_timeout 2s;';
standin(azure => {});
my $port = standin()->port('azure');
my $n = nginx(backends => [{ name => 'azure', proxy_extra => $short }]);

# back($what) - the next request works.
sub back {
    my ($what, @on) = @_;
    control(azure => {});
    return passes("$what: the next request works", post_sample('07', @on), sample('07'));
}

# gone($what, $response, $status) - the relay's own answer.
sub gone {
    my ($what, $r, $status) = @_;
    plain_answer("$what: $status, plain and short", $r, $status, retry => $status == 503);
    ok($r->{gss}->mutual($r), "$what: the mutual token goes with it") if $r->{gss};
    return;
}

# T36
passes('a healthy backend', post_sample('07'), sample('07'));
standin()->stop;
my $c = client(addr(), $n->port);
gone('refused', post_sample('07', client => $c), 503);
gone('refused, a rewritten operation', post_sample('01', client => $c), 503);
gone('refused, SOAP 1.2', post_sample('07c', client => $c), 503);
standin(azure => { port => $port });
back('refused', client => $c);
like($n->error_log, qr/connect\(\) failed \(111/, 'the log says what happened');

# resets, hangs and garbage, of a streamed and of a rewritten operation; T37
for my $name (qw(07 01)) {
    for ([{ reset => 'connect' }, 503], [{ reset => 'request' }, 503], [{ reset => 'before' }, 503],
        [{ reset => 'headers' }, 503], [{ garbage => 1 }, 503], [{ hang => 1 }, 504])
    {
        my ($how, $status) = @$_;
        my $what = join ' ', $name, %$how;
        $c = client(addr(), $n->port);
        control(azure => { %$how, times => 1 });
        gone($what, post_sample($name, client => $c), $status);
        back($what, client => $c);
    }
    control(azure => { headers => [['X-Large', 'x' x 20000]], times => 1 });
    gone("$name, a header too large", post_sample($name), 503);
}

# in the middle of a streamed answer all that can be said is that it is over
for my $how ({ reset => 'body' }, { truncate => 300 }, { truncate => 0 }) {
    control(azure => { %$how, times => 1 });
    my $what = join ' ', %$how;
    my $r = eval { post_sample('07') };
    ok(!$r || !$r->{complete} || $r->status != 200, "07 $what: the client can tell that it is not whole");
    back("07 $what");
}
control(azure => { write => 5000, pause => 0.05, times => 1 });
passes('a slow answer is whole', post_sample('07'), sample('07'));

# a backend that will not have our identity
for my $how ({ unauthorized => 1 }, { status => 401, headers => [['WWW-Authenticate', 'Basic realm="x"']] },
    { status => 407, headers => [['Proxy-Authenticate', 'NTLM']] }, { status => 401, chunk => 5 })
{
    for my $name (qw(07 01)) {
        my $from = length $n->error_log;
        control(azure => { %$how, times => 1 });
        $c = client(addr(), $n->port);
        my $r = post_sample($name, client => $c);
        my $what = "$name: " . join ' ', map {"$_ $how->{$_}"} grep { !ref $how->{$_} } sort keys %$how;
        gone($what, $r, 502);
        is_deeply([grep { !/^Negotiate \S/ } $r->all('www-authenticate'), $r->all('proxy-authenticate')], [],
            "$what: no challenge of the backend");
        is(scalar $r->header('x-aspnet-version'), undef, "$what: nothing else of it");
        like(substr($n->error_log, $from), qr/rms event=3000 backend "azure" refused our identity: status=40[17] endpoint=\S+/,
            "$what: event 3000");
        back($what);
    }
}

# its own answers are answers: T33, T34
for my $status (400, 403, 404, 500, 502, 503, 504) {
    control(azure => { status => $status, body => 'of the backend', content_type => 'text/plain',
        headers => [['Retry-After', '77'], ['WWW-Authenticate', 'NTLM']], times => 1 });
    my $r = post_sample('07');
    is_deeply([$r->status, $r->body, $r->header('retry-after')], [$status, 'of the backend', 77],
        "$status of the backend passes as it is");
    is_deeply([grep { !/^Negotiate \S/ } $r->all('www-authenticate')], [], "$status: without its challenge");
}
control(azure => { redirect => 'https://other.example/', times => 1 });
is(post_sample('07')->status, 302, 'a redirect passes, nobody follows it');
control(azure => { status => 204, times => 1 });
is(post_sample('07')->status, 204, '204 passes');
control(azure => { fault => 'fault-norights', times => 3 });
passes("fault $_", post_sample('07'), sample('07'), status => 500, body => slurp(root() . '/t/samples/fault-norights.xml'))
    for 1 .. 3;
back('faults');

# a client that goes away while the backend thinks
my $before = standin_state()->{azure}{requests};
control(azure => { delay => 0.3, times => 1 });
$c = client(addr(), $n->port);
$c->request(method => 'POST', path => sample('07')->{path}, body => sample('07')->{request},
    headers => [@{ sample('07')->{headers} }, ['Authorization', negotiate('EXCH01$')]]);
wait_for(sub { standin_state()->{azure}{requests} > $before }, 'request at the backend');
$c->reset;
back('a client that went away');
logs_clean(errors => 1);
is_deeply([grep { !/^azure not-read:/ } violations()], [], 'the backend saw nothing odd');
$n->quit;

# what is not HTTP: a server that says one thing
my $saying = dir() . '/saying';
my $rude = free_port();
spew($saying, '');
spawn('rude', ['/usr/bin/perl', '-MIO::Socket::INET', '-e', <<'P', addr(), $rude, $saying]);
my $l = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1], Listen => 9, ReuseAddr => 1) or die $!;
$SIG{PIPE} = 'IGNORE';
while (my $s = $l->accept) {
    my ($in, $length) = ('', 0);
    while ($in !~ /\r\n\r\n/ && sysread $s, $in, 65536, length $in) { }
    ($length) = $in =~ /content-length: (\d+)/i;
    while (length($in) - index($in, "\r\n\r\n") - 4 < ($length || 0) && sysread $s, $in, 65536, length $in) { }
    open my $f, '<:raw', $ARGV[2]; local $/; print {$s} scalar <$f>; close $s;
}
P
wait_port(addr(), $rude);
$n = nginx(backends => [{ name => 'azure', proxy => 'http://' . addr() . ":$rude", proxy_extra => $short }]);
my $soap = 'Content-Type: text/xml; charset=utf-8';
for (['nothing', ''], ['text', "hello\r\n"], ['an old status line', "200 OK\r\n\r\nx"], ['HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ['a status of five digits', "HTTP/1.1 20000 OK\r\n\r\n"], ['no status', "HTTP/1.1 \r\n\r\n"], ['a header without end', "HTTP/1.1 200 OK\r\nX: y"],
    ['a length that is none', "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"], ['NUL in a header', "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"],
    ['TLS', "\x15\x03\x01\x00\x02\x02\x28"], ['XML', "<?xml version=\"1.0\"?><soap:Fault/>"])
{
    my ($what, $bytes) = @$_;
    spew($saying, $bytes);
    for my $name (qw(07 01)) {
        my $r = post_sample($name);
        if ($what eq 'a length that is none') {
            ok($r->status == 502 || $r->status == 503 || $r->body eq '', "$name, $what: nothing is made of it");
        } else {
            gone("$name, $what", $r, 503);
        }
    }
}
for (['chunks that are none', "Transfer-Encoding: chunked\r\n\r\nzzz\r\n"], ['a chunk that is cut', "Transfer-Encoding: chunked\r\n\r\nff\r\nabc"]) {
    my ($what, $rest) = @$_;
    spew($saying, "HTTP/1.1 200 OK\r\n$soap\r\n$rest");
    my $r = eval { post_sample('07') };
    ok(!$r || !$r->{complete} || $r->status != 200, "07, $what: the client can tell");
    gone("01, $what", post_sample('01'), 502);
}
# RFC 9110 15.2: an interim answer is never the last, and never goes on
# (nginx 1.29.0 and later reads on behind a 103, and here the backend has gone)
my ($minor) = (run([nginx_bin(), '-v']))[1] =~ m{nginx/1\.(\d+)\.};
for (['100 and a 401', "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"],
    ['101', "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ['103', "HTTP/1.1 103 Early Hints\r\n\r\n", $minor < 29 ? 502 : 503],
    ['103 and a 401', "HTTP/1.1 103 Early Hints\r\nX-Hint: y\r\n\r\nHTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"])
{
    my ($what, $bytes, $status) = @$_;
    spew($saying, $bytes);
    for my $name (qw(07 01)) {
        my $r = post_sample($name);
        gone("$name, $what", $r, $status || 502);
        unlike($r->header('www-authenticate') || '', qr/NTLM/, "$name, $what: no challenge of the backend");
    }
}

# one name for the coding of a body, or none can be believed
spew($saying, "HTTP/1.1 200 OK\r\n$soap\r\nContent-Encoding: br\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx");
gone('01, two codings', post_sample('01'), 502);
logs_clean(errors => 1);
$n->quit;

# two peers: a request that was sent is not sent again
standin(azure => {}, azure2 => { base => $RMS::Standin::BASES[0] });
$n = nginx(backends => [{ name => 'azure', proxy => 'http://nodes', proxy_extra => $short }],
    http => 'upstream nodes { ' . join(' ', map { 'server ' . addr() . ':' . standin()->port($_) . ' max_fails=0;' }
        qw(azure azure2)) . ' keepalive 4; }');
for my $how ({ reset => 'request' }, { reset => 'before' }, { reset => 'headers' }, { garbage => 1 }, { hang => 1 }) {
    my ($stage) = %$how;
    my $status = $stage eq 'hang' ? 504 : 503;
    control($_ => $how) for qw(azure azure2);
    forget_journal();
    my $r = post_sample('07');
    is($r->status, $status, "two peers, @{[%$how]}: $status");
    is(scalar journal(), 1, "two peers, @{[%$how]}: one of them got the request, once");
}
control($_ => {}) for qw(azure azure2);
my $closed = free_port();
$n->quit;
$n = nginx(backends => [{ name => 'azure', proxy => 'http://nodes', proxy_extra => $short }],
    http => 'upstream nodes { server ' . addr() . ":$closed max_fails=0; server " . addr() . ':' . standin()->port('azure') . ' max_fails=0; }');
forget_journal();
is(post_sample('07')->status, 200, 'a peer that refuses the connection is passed over') for 1 .. 4;
is(scalar journal(), 4, 'and the other one got each request once');
logs_clean(errors => 1);
$n->quit;

# a backend that cannot prove its name
standin(azure => { tls => cert('another.example'), base => 'https://tenant.rms.test/_wmcs' });
$n = nginx(backends => [{ name => 'azure', proxy_extra => $short }]);
forget_journal();
gone('a certificate of another name', post_sample('07'), 503);
untouched('nothing was sent to it');
like($n->error_log, qr/upstream SSL certificate does not match "tenant\.rms\.test"/, 'the log says why');
logs_clean(errors => 1);

done_testing();
