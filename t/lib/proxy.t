# The harness itself: a network that is spoilt at run time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin";
use RMS::Test (plain => 1);

use Errno qw(ECONNRESET ECONNREFUSED);
use IO::Select;
use RMS::Proxy;
use RMS::Redis;

my $r = redis();
my $wire = proxy($r->at);

# dial() - a connection through it.    say($socket) - "PING".    hear($socket) - all that
# comes in one go: bytes, "" at the end, undef with $! for a reset.
sub dial {
    return IO::Socket::INET->new(PeerAddr => addr(), PeerPort => $wire->port, Timeout => $_[0] || 5);
}

sub say { $_[0]->syswrite("PING\r\n"); return $_[0] }

sub hear {
    my ($s) = @_;
    IO::Select->new($s)->can_read($RMS::Env::DEADLINE) or return 'nothing';
    my $n = sysread $s, my $bytes, 100;
    return defined $n ? $bytes : undef;
}

sub silent { return !IO::Select->new($_[0])->can_read(0.2) }

sub reset_ok {
    my ($s, $what) = @_;
    my $why = $! + 0;           # the reset may come before connect() returns
    my $got = $s ? hear($s) : undef;
    $why = $! + 0 if $s;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(defined $got ? $got : $why, ECONNRESET, $what);
}

my $kept = dial();
is(hear(say($kept)), "+PONG\r\n", 'pass: an answer');
is_deeply($wire->seen, { accepted => 1, open => 1, received => 6, sent => 7 }, 'and what went through is counted');
ok(!eval { $wire->mode('nonsense') }, 'an unknown mode is refused');

$wire->mode('cut');
reset_ok($kept, 'cut: a connection is reset');
reset_ok(dial(), 'cut: so is a new one');
is($wire->seen->{open}, 0, 'cut: none is left');

$wire->mode('refuse');
ok(!dial(), 'refuse: no connection');
is($! + 0, ECONNREFUSED, 'refuse: nobody listens');

$wire->mode('pass');
$kept = dial();
is(hear(say($kept)), "+PONG\r\n", 'pass: again');

$wire->mode('hang');
reset_ok($kept, 'hang: a connection is reset');
ok(!dial(0.3), 'hang: no connection');
like($@, qr/timeout|timed out/i, 'hang: and no refusal');

$wire->mode('pass');
$kept = dial();
is(hear(say($kept)), "+PONG\r\n", 'pass: after a full queue');

$wire->mode('blackhole');
ok(silent(say($kept)), 'blackhole: no answer');
my $new = dial();
ok($new, 'blackhole: connections are taken');
ok(silent(say($new)), 'blackhole: which are as silent');
$wire->mode('pass');
ok(silent($kept), 'pass: what was lost does not come');
is(hear(say($kept)), "+PONG\r\n", 'pass: one answer to the next question');

$wire->mode('delay', 100_000);
say($kept);
wait_for(sub { $wire->seen->{sent} >= 7 * 5 }, 'the answer that is held');
$wire->mode('pass');
is(hear(say($new)), "+PONG\r\n", 'delay: others are not held');
ok(silent($kept), 'delay: an answer is');
$wire->mode('delay', 50);
is(hear(say($new)), "+PONG\r\n", 'delay: it comes at last');

$wire->mode('garbage');
my $bytes = hear(say($new));
is(length $bytes, 7, 'garbage: as many bytes');
isnt($bytes, "+PONG\r\n", 'garbage: others');
$wire->mode('garbage', unpack 'H*', "\$9\r\n");
is(hear(say($new)), "\$9\r\n\$9\r", 'garbage: those that were asked for');

$wire->mode('half');
is(hear(say($new)), '+PO', 'half: half an answer');
is(hear($new), '', 'half: and the end');
is(hear(say(dial())), '+PO', 'half: the next one too');

$wire->mode('pass');
$r->kill9;
reset_ok(dial(), 'a server that is gone: reset');
$r->start;
is(hear(say(dial())), "+PONG\r\n", 'and back');

$wire->stop;
ok(!dial(), 'stop: nobody listens');

my $unix = redis('unix');
$wire = proxy($unix->at);
is(hear(say(dial())), "+PONG\r\n", 'before a socket');

# more than fits into a buffer, to one who reads late
$unix->cmd('SET', 'big', 'x' x 3_000_000);
my $s = dial();
$s->syswrite("GET big\r\n");
is(length RMS::Redis::reply($s), 3_000_000, 'an answer of three megabytes');

done_testing();
