# A node with Redis: RELOADS (200) reloads under load lose no request, and master,
# worker and Redis hold as much afterwards as before; nor does a worker grow that
# loses its connections again and again (REQUESTS / 5).

use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use RMS::Test;
use Soak;

use RMS::Redis;

my $reloads = $ENV{RELOADS} || 200;
my $requests = ($ENV{REQUESTS} || 100_000) / 5;
my $rounds = 10;
my $players = 4;
my $slack = 1024;                   # KiB: what a heap may differ by without a leak

my $keys = spew(dir() . '/seal.keys', sprintf("%064x\n", 0x50a7));
share_with_worker($keys);
my $redis = redis();
my $port = free_port();
soak_backend();
my $n = nginx(soak_conf(port => $port, log => 'notice',
    http => $redis->conf . "rms_seal_key_file $keys;\n",
    location => "rms_session cookie;\nrms_replay shared;\n"));

# held($pid) - heap in KiB, descriptors; two looks that say the same count
sub held {
    my ($pid) = @_;
    my $fds = -1;
    wait_for(sub {
        my $before = $fds;
        $fds = () = glob "/proc/$pid/fd/*";
        return $fds == $before && connected() == 2 && clients() == 0;
    }, 'connections closed');
    my ($anon) = slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
    return { anon => $anon, fds => $fds };
}

# connected() - connections of others to Redis: each worker has two.
# clients() - connections of clients to nginx
sub connected { return $redis->info('clients')->{connected_clients} - 1 }
sub clients {
    my $at = sprintf '%04X', $port;
    return scalar grep {/^\s*\d+: \S+:$at \S+ 01 /} split /\n/, slurp('/proc/net/tcp');
}

sub told { my ($what, $held) = @_; diag(sprintf '%s: heap %d KiB, %d descriptors', $what, @$held{qw(anon fds)}) }

# reloads, the first tenth to get warm

my ($refused, @late, $warm) = (0);
my $all = play_all($players, 0, port => $port, mix => 0, until => dir() . '/stop', while => sub {
    for my $round (1 .. $reloads) {
        my %old = map { $_ => 1 } $n->workers;
        $refused++ unless $n->reload;
        push @late, $round unless eval { wait_for(sub { !grep { $old{$_} } $n->workers }, 'old workers') };
        next if $round != int($reloads / 10);
        my ($anon) = slurp("/proc/$n->{pid}/status") =~ /^RssAnon:\s+(\d+)/m;
        $warm = { anon => $anon, fds => scalar(my @fds = glob "/proc/$n->{pid}/fd/*") };
    }
});
is($refused, 0, "$reloads reloads");
is_deeply($all->{bad}, [], "none of $all->{sent} requests failed");
cmp_ok($all->{sent}, '>=', 5 * $reloads, 'and there was a load');
is_deeply(\@late, [], 'old workers leave');
ok(eval { wait_for(sub { connected() == 2 }, 'connections') }, 'the last one alone has connections to Redis')
    or diag connected();
my $master = held($n->{pid});
told('master, warm', $warm);
told("master, after $reloads reloads", $master);
cmp_ok($master->{anon}, '<=', $warm->{anon} + $slack, 'the heap of the master has not grown');
is($master->{fds}, $warm->{fds}, 'nor has the number of its descriptors');

# one worker, whose Redis is killed once a round

my $worker = ($n->workers)[0];
my (@seen, @bad);
for my $round (1 .. $rounds) {
    my $done = play_all($players, $requests / $rounds, port => $port, mix => 0, while => sub { $redis->restart });
    push @bad, @{ $done->{bad} };
    push @seen, held($worker);
    told("worker, round $round", $seen[-1]);
}
is_deeply(\@bad, [], "$requests requests and $rounds restarts of Redis: nobody fails");
is(($n->workers)[0], $worker, 'with one and the same worker');
cmp_ok($seen[-1]{anon}, '<=', $seen[2]{anon} + $slack, 'its heap has not grown since it was warm');
is($seen[-1]{fds}, $seen[2]{fds}, 'and it holds the same number of descriptors');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]|exited on signal/, 'nothing alarming in the error log');

done_testing();
