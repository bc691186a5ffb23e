# REQUESTS requests (100,000) of every kind: once it is warm, the worker neither
# grows nor keeps a descriptor.

use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use RMS::Test;
use Soak;

my $requests = $ENV{REQUESTS} || 100_000;
my $rounds = 10;
my $players = 4;
my $slack = 1024;                   # KiB: what a heap may differ by without a leak

my $port = free_port();
soak_backend();
my $n = nginx(soak_conf(port => $port, log => 'crit'));
my $worker = ($n->workers)[0];

# measure() - of the worker, when no client is there any more; RssAnon is the
# heap, what else there is in RSS is shared: the zone, the libraries
sub measure {
    my $fds;
    wait_for(sub {
        my %now = map { (readlink($_) // '') =~ /^socket/ ? ($_ => 1) : () } glob "/proc/$worker/fd/*";
        my $same = defined $fds && $fds == keys %now;
        $fds = keys %now;
        return $same && !grep {/^\s*\d+: \S+:@{[sprintf '%04X', $port]} \S+ 01 /} split /\n/, slurp('/proc/net/tcp');
    }, 'connections closed');
    my $status = slurp("/proc/$worker/status");
    my ($anon) = $status =~ /^RssAnon:\s+(\d+)/m;
    my ($rss) = $status =~ /^VmRSS:\s+(\d+)/m;
    my $all = () = glob "/proc/$worker/fd/*";
    return { anon => $anon, rss => $rss, fds => $all };
}

my (@seen, %sum);
for my $round (1 .. $rounds) {
    my $done = play_all($players, $requests / $rounds, port => $port);
    is_deeply($done->{bad}, [], "round $round: every answer is the one expected");
    $sum{$_} += $done->{$_} for grep { $_ ne 'bad' } keys %$done;
    push @seen, measure();
    diag(sprintf 'after %7d requests: heap %6d KiB, RSS %6d KiB, %d descriptors',
        $sum{sent}, @{ $seen[-1] }{qw(anon rss fds)});
}
diag(join ', ', map {"$sum{$_} $_"} grep { $sum{$_} } KINDS(), 'closed');

my $warm = $seen[2];                # the third of ten rounds ends the warm-up
my $last = $seen[-1];
cmp_ok($sum{sent}, '>=', $requests - $players * $rounds, 'all requests were sent');
cmp_ok($sum{$_}, '>', 0, "some were $_") for KINDS();
is(($n->workers)[0], $worker, 'by one and the same worker');
cmp_ok($last->{anon}, '<=', $warm->{anon} + $slack, 'D23: its heap has not grown since it was warm');
is($last->{fds}, $warm->{fds}, 'and it holds the same number of descriptors');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');

done_testing();
