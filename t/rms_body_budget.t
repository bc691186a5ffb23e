# The memory for bodies has a budget: beyond it 503 with Retry-After, and every
# end of a request, also of a client that goes away at any stage, gives back
# what it took.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $MB = 1024 * 1024;
standin(azure => {});
my $n = nginx(backends => ['azure'], http => 'rms_body_memory 16m; client_body_timeout 1s;');
my ($worker) = $n->workers;
my $s = sample('07');

# start($length, @more) - a client whose request has that length, and no body
# yet; it has been admitted when "100 Continue" comes
sub start {
    my ($length, @more) = @_;
    my $c = client(addr(), $n->port);
    $c->request(method => 'POST', path => $s->{path}, body => '', headers => [@{ $s->{headers} },
        [Authorization => negotiate('EXCH01$')], ['Expect', '100-continue'], ['Content-Length', $length], @more]);
    return $c;
}

# admitted($what, $client) - it has its memory
sub admitted {
    my ($what, $c) = @_;
    my $r = $c->response(continue => 1);
    is($r && $r->status, 100, $what);
    return $c;
}

# free($what) - the whole budget is there: a request of all of it is admitted,
# and given back by going away
sub free {
    my ($what) = @_;
    my ($r, $c);
    wait_for(sub {
        $c = start(16 * $MB);
        $r = $c->response(continue => 1);
        $c->reset if $r->status != 100;
        return $r->status == 100;
    }, $what);
    is($r->status, 100, $what);
    $c->reset;
    wait_for(sub { post_sample('07')->status == 200 }, 'and given back');
    return;
}

# beyond the budget
my $holder = admitted('a request that takes the whole budget', start(16 * $MB));
my $r = post_sample('07');
is($r->status, 503, 'leaves nothing for another');
cmp_ok($r->header('retry-after') || 0, '>', 0, 'which is told when to come again');
like($r->body, qr/^503 body_memory, request [0-9a-f]{32}$/, 'and why');
is($r->header('connection'), 'keep-alive', 'on a connection that stays');
$r = post_sample('07', chunked => 100);
is($r->status, 503, 'chunked or not');
is(http(path => $s->{path}, account => 'EXCH01$')->status, 200, 'a request without a body is served');
is(post_sample('07', account => 'ROGUE01$')->status, 500, 'and so is a refusal');
$holder->reset;
free('a client gone before its body');

$holder = admitted('two halves', start(8 * $MB));
my $second = admitted('fit', start(8 * $MB));
is(post_sample('07')->status, 503, 'and a third does not');
$_->close for $holder, $second;
free('both gone');

# a chunked body is reckoned at its limit until it is read
my $c = client(addr(), $n->port);
$c->request(method => 'POST', path => $s->{path}, body => '', headers => [@{ $s->{headers} },
    [Authorization => negotiate('EXCH01$')], ['Expect', '100-continue'], ['Transfer-Encoding', 'chunked'], ['Content-Length', undef]]);
admitted('a chunked request', $c);
is(post_sample('07')->status, 503, 'takes what it may grow to');
$c->reset;
free('gone');

# clients that go away, each many times: without the way back the second of
# each would find nothing left
my $padded = $s->{request} =~ s/(<\/soap:Envelope>)\s*\z/' ' x (10 * $MB) . $1/er;
my $large = build_request(method => 'POST', path => $s->{path}, body => $padded,
    headers => [@{ $s->{headers} }, [Authorization => 'AUTH']]);
sub large { my $t = negotiate('EXCH01$'); return $large =~ s/AUTH/$t/r }
my %stage = (
    'before the body' => sub { start(10 * $MB)->reset },
    'after 100 Continue' => sub { my $x = start(10 * $MB); $x->response(continue => 1); $x->reset },
    'in the middle of the body' => sub { my $x = client(addr(), $n->port); $x->write(substr large(), 0, 3 * $MB); $x->reset },
    'in the middle of the body, quietly' => sub { my $x = client(addr(), $n->port); $x->write(substr large(), 0, 3 * $MB); $x->close },
    'half closed in the body' => sub {
        my $x = client(addr(), $n->port);
        $x->write(substr large(), 0, 3 * $MB);
        $x->half_close;
        eval { $x->response };
        $x->close;
    },
    'during the login' => sub {
        my $x = client(addr(), $n->port);
        $x->write(build_request(method => 'POST', path => $s->{path}, body => '',
            headers => [@{ $s->{headers} }, [Authorization => negotiate('EXCH01$')], ['Content-Length', 10 * $MB]]));
        $x->reset;
    },
);
for my $what (sort keys %stage) {
    for (1 .. 4) {
        $stage{$what}->();
    }
    free("clients gone $what");
}

# while the backend works, and in the middle of the answer
for my $case (['while the backend works', { hang => 1 }, sub { my ($x, $asked) = @_; wait_for(sub { (() = journal()) > $asked }, 'the backend has it') }],
    ['in the middle of the answer', { body_file => spew(dir() . '/answer', $s->{response} . ' ' x (8 * $MB)) }, sub { $_[0]->fill }])
{
    my ($what, $behaviour, $until) = @$case;
    control(azure => $behaviour);
    for (1 .. 2) {
        my $asked = () = journal();
        my $x = client(addr(), $n->port);
        $x->write(large());
        $until->($x, $asked);
        $x->reset;
    }
    control(azure => {});
    free("clients gone $what");
}

# other ends
my $asked = () = journal();
is(post_sample('07', body => $padded)->status, 200, 'an answered one');
is(post_sample('07', body => $padded =~ s/<soap:Body>/<soap:Body><x\/>/r)->status, 400, 'a refused one');
control(azure => { reset => 'before', times => 1 });
is(post_sample('07', body => $padded)->status, 503, 'one whose backend is gone');
control(azure => {});
$c = admitted('one that sends nothing more', start(16 * $MB));
$r = $c->response;
ok(!$r || $r->status == 408, 'and is given up');
free('all of them give back');

# framing counts: chunk extensions cannot fill what the budget never saw
$c = client(addr(), $n->port);
$c->write(build_request(method => 'POST', path => $s->{path}, body => '', headers => [@{ $s->{headers} },
    [Authorization => negotiate('EXCH01$')], ['Transfer-Encoding', 'chunked'], ['Content-Length', undef]]));
my $extension = '1;' . 'x' x 60000 . "\r\n \r\n";
my $sent = 0;
eval { while ($sent < 40 * $MB) { $c->write($extension); $sent += length $extension; } };
$r = eval { $c->response };
ok(!$r || $r->status == 413 || $r->status == 400, 'a body that is all framing is refused');
cmp_ok($sent, '<', 40 * $MB, 'before it is through') if !$r;
$c->reset;
free('and gives back');

# requests of one connection do not add up
$c = client(addr(), $n->port);
my @status;
for (1 .. 4) {
    $c->write(large());
    push @status, $c->response->status;
}
is("@status", '200 200 200 200', 'keepalive: each takes it anew');
is_deeply([$n->workers], [$worker], 'one worker did it all');
is_deeply([grep { $_ ne 'azure connection: ' } violations()], [], 'the backend saw nothing odd');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
is_deeply([$n->temp_files], [], 'no temporary file');

done_testing();
