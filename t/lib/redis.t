# The harness itself: redis-servers of every kind, and what they can be made to do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin";
use RMS::Test (plain => 1);

use IO::Select;
use RMS::Redis;

# raw($server) - a connection that a test uses by hand.
sub raw { return $_[0]->connect }

sub can_read { return scalar IO::Select->new($_[0])->can_read($_[1]) }

# kinds
my $r = redis();
my $unix = redis('unix');
my $tls = redis('tls', persist => 1);
is($_->role, 'master', "$_->{kind}: it answers") for $r, $unix, $tls;
is($unix->port, 0, 'unix: no port');
like($unix->at, qr{^/.*\.sock$}, 'unix: a path');
isnt((bless { %$tls, kind => 'single', password => undef }, 'RMS::Redis')->error('PING'), '', 'tls: not in plain');
like((bless { %$tls, password => undef }, 'RMS::Redis')->error('PING'), qr/^NOAUTH/, 'tls: nobody without a password');

# the user of the nodes
my $user = bless { %$tls, password => undef }, 'RMS::Redis';
my @auth = ['AUTH', $RMS::Redis::USER, $RMS::Redis::PASSWORD];
is(($user->ask(@auth, ['SET', 'rms:x', 'y']))[1], 'OK', 'the user writes under the prefix');
for my $refused (['SET', 'other', 'y'], ['FLUSHALL'], ['CONFIG', 'GET', '*'], ['KEYS', '*']) {
    ok(!eval { $user->ask(@auth, $refused) }, "the user is refused: @$refused");
    like($@, qr/NOPERM/, '  by its rules');
}
is(ref(($user->ask(@auth, ['ROLE']))[1]), 'ARRAY', 'the user may ask for the role');

# crash and restart
my $port = $tls->port;
$tls->cmd('SET', 'kept', 'yes');
$tls->kill9;
like($tls->error('PING'), qr/refused/i, 'kill9: nobody listens');
$tls->start;
is($tls->port, $port, 'the same port after a start');
is($tls->cmd('GET', 'kept'), 'yes', 'persist: what was written outlives a crash');
$tls->restart(empty => 1);
is($tls->cmd('GET', 'kept'), undef, 'but not empty => 1');
$r->cmd('SET', 'kept', 'no');
$r->restart;
is($r->cmd('GET', 'kept'), undef, 'nothing outlives it without persist');
$unix->stop;
isnt($unix->error('PING'), '', 'stop');
is($unix->start->cmd('PING'), 'PONG', 'and start, on a socket');

# frozen
my $s = raw($r);
$r->freeze;
RMS::Redis::send_command($s, 'PING');
ok(!can_read($s, 0.2), 'frozen: no answer');
ok(IO::Socket::INET->new(PeerAddr => $r->{addr}, PeerPort => $r->port), 'frozen: connections are taken');
$r->thaw;
is(RMS::Redis::reply($s), 'PONG', 'thawed: a late one');

# slow
$r->slow(0.3);
is($r->cmd('PING'), 'PONG', 'slow: an answer');
ok(can_read($r->{busy}, 0), 'slow: after what it was busy with');
my ($longest) = $r->info('commandstats')->{cmdstat_debug} =~ /usec=(\d+)/;
cmp_ok($longest, '>=', 300_000, 'slow: for as long as was said');

# full
$r->full;
like($r->error('SET', 'a', 'b'), qr/^OOM /, 'full: no write');
is($r->cmd('GET', 'a'), undef, 'full: reads go on');
$r->roomy;
is($r->error('SET', 'a', 'b'), '', 'roomy: writes again');

# what others asked for
for my $server ($r, $tls) {
    my $other = raw($server);
    my $ask = sub { RMS::Redis::send_command($other, @_); return RMS::Redis::reply($other) };
    is_deeply($server->commands_seen(sub { }), {}, "$server->{kind}: nothing seen where nothing was asked");
    is_deeply($server->commands_seen(sub { $ask->('GET', 'a') for 1 .. 2; $ask->('SET', 'c', 'd') }),
        { get => 2, set => 1 }, "$server->{kind}: what another asked is seen, no more");
}

# what is in it
$r->flush;
is_deeply($r->dump, {}, 'flush: nothing is left');
my $binary = join '', map {chr} 0 .. 255;
$r->cmd('SET', "k\0\r\n", $binary, 'PX', 100_000);
$r->cmd('HSET', 'h', 'field', 'of a hash');
$r->cmd('SADD', 'set', 'of a set');
$r->cmd('ZADD', 'z', 5, 'of a sorted set');
$r->cmd('RPUSH', 'l', 'of', 'a list');
$r->cmd('XADD', 'x', '1-1', 'f', 'of a stream');
my $dump = $r->dump;
is_deeply([sort keys %$dump], [sort "k\0\r\n", qw(h set z l x)], 'dump: every key');
is($dump->{"k\0\r\n"}{value}, $binary, 'dump: bytes');
cmp_ok($dump->{"k\0\r\n"}{ttl}, '>', 0, 'dump: how long it lives');
is_deeply($dump->{h}, { type => 'hash', ttl => -1, value => ['field', 'of a hash'] }, 'dump: type, time and parts');
is_deeply([grep { index($r->bytes, $_) < 0 } $binary, "k\0\r\n", 'of a hash', 'of a set', 'of a sorted set', 'a list', 'of a stream'],
    [], 'bytes: keys and values of every type');

# conf
like($r->conf, qr/^rms_redis \{\n    server \Q@{[$r->at]}\E;\n(?:    \w+ \S+;\n)+\}\n\z/, 'conf: one server');
like($unix->conf, qr/^    server unix:\/\S+;$/m, 'conf: a socket');
like($tls->conf(server => ['a:1', 'b:2'], tls_name => undef, timeout => '7ms'),
    qr/server a:1;\n    server b:2;\n(?!.*tls_name).*timeout 7ms;.*tls on;/s, 'conf: TLS, given and left out lines');

# sentinels
my $g = redis_sentinel();
my $old = $g->server(0);
is($g->master, $old, 'the first server is the master');
is($g->elected($_), $old, "$_->{name} says so") for $g->sentinels;
like($g->conf, qr/^    sentinel rms(?: [\d.]+:\d+){3};$/m, 'conf: sentinels');
$old->cmd('SET', 'a', 'b');
$g->wait_synced;
is(join(' ', map { $_->cmd('GET', 'a') } $g->servers), 'b b b', 'replicas have what the master has');
like($g->server(1)->error('SET', 'a', 'c'), qr/^READONLY/, 'and take no writes');
$old->kill9;
my $new = $g->wait_master($old);
isnt($new->port, $old->port, 'kill9 of the master: another one');
is($new->error('SET', 'a', 'c'), '', 'which takes writes');
is($g->master, $new, 'and is the only one');
$g->rejoin($old);
is($old->role, 'slave', 'the old one is a replica');
is($old->cmd('GET', 'a'), 'c', 'with the new data');

done_testing();
