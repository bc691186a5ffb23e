# RELOADS reloads (200) under load: no request fails, and old workers are gone
# within 5 s of their last request.

use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use RMS::Test;
use Time::HiRes qw(time);
use Soak;

my $reloads = $ENV{RELOADS} || 200;
my $limit = 5;

my $port = free_port();
soak_backend();
my $n = nginx(soak_conf(port => $port, workers => 2, log => 'notice'));

# A worker that has closed its listening socket finishes the requests it has
# and leaves.  No request here takes long, so the clock starts when the old
# workers have said that they stop.
my ($slowest, $refused, @late) = (0, 0);

sub rounds {
    for my $round (1 .. $reloads) {
        my %old = map { $_ => 1 } $n->workers;
        $refused++ unless $n->reload;
        my $from = time;
        my $gone = eval { wait_for(sub { !grep { $old{$_} } $n->workers }, 'old workers', 60) };
        my $took = time - $from;
        $slowest = $took if $took > $slowest;
        push @late, sprintf 'reload %d: %.1f s', $round, $took if !$gone || $took > $limit;
    }
}

my $done = play_all(4, 0, port => $port, mix => 0, until => dir() . '/stop', while => \&rounds);

is($refused, 0, "$reloads reloads");
is_deeply($done->{bad}, [], "none of $done->{sent} requests failed");
cmp_ok($done->{sent}, '>=', 5 * $reloads, 'and there was a load');
is_deeply(\@late, [], "D24: old workers are gone within $limit s");
diag(sprintf '%d reloads, %d requests, %d idle connections closed under a client, slowest old worker %.2f s',
    $reloads, $done->{sent}, $done->{closed}, $slowest);
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]|exited on signal/, 'nothing alarming in the error log');

done_testing();
