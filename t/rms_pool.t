# A pool without affinity: every node answers for every other; one that is killed
# takes with it the requests it had, one that is reloaded none, and no answer is
# wrong or given twice.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Load;
use RMS::Pool;

my @kerberos = map { { keepalive => $_ % 2 } } 1 .. 8;

for my $balancer (qw(nginx haproxy)) {
    my $pool = pool(nodes => 3, balancer => $balancer);
    my %served;
    $served{ $pool->served }++ for 1 .. 6;
    is_deeply(\%served, { 0 => 2, 1 => 2, 2 => 2 }, "$balancer: each node in turn");

    my $sum = load($pool, clients => 8, requests => 400);
    is($sum->{ok}, 400, "$balancer: nobody is killed, nobody fails") or diag explain $sum;
    is_deeply([grep { !$_->access_log } $pool->nodes], [], "$balancer: every node had a part");

    my %old;
    $sum = load($pool, clients => \@kerberos, killed => [1], while => sub {
        recorder()->more(200);
        $pool->node(1)->kill9;
        recorder()->more(200);
        %old = map { $_ => 1 } $pool->node(2)->workers;
        ok($pool->reload(2), "$balancer: a reload under load, a node is gone");
        recorder()->more(200);
        $pool->node(1)->start;
        $pool->wait_served(1);
        recorder()->more(200);
    });
    is_deeply([@$sum{qw(wrong duplicate)}], [0, 0], "$balancer: no wrong and no second answer") or diag explain $sum;
    is_deeply([grep { $_ ne '1' } keys %{ $sum->{failed_at} }], [], "$balancer: no request fails at a node that runs")
        or diag explain $sum;
    cmp_ok($sum->{failed}, '<=', @kerberos, "$balancer: a client loses no more than the request it waits for");
    is_deeply([grep { !/^(?:0|200)$/ } keys %{ $sum->{status} }], [], "$balancer: there is no other answer");
    is($sum->{ok} + $sum->{failed} + $sum->{closed}, $sum->{sent}, "$balancer: every request is accounted for");
    ok(eval { wait_for(sub { !grep { $old{$_} } $pool->node(2)->workers }, 'old workers') },
        "$balancer: the old workers of the reloaded node leave");
    cmp_ok($pool->status(1)->{counters}{forwarded}, '>', 0, "$balancer: the killed node works again");
    diag(sprintf '%s: %d sent, %d lost with the killed node, %d idle connections closed under a client',
        $balancer, @$sum{qw(sent failed closed)});

    # clients with a cookie
    my $restarted = $pool->node(0);
    $sum = load($pool, clients => 8, killed => [0], while => sub {
        recorder()->more(200);
        $restarted->kill9;
        $restarted->start;
        recorder()->more(200);
    });
    is_deeply([@$sum{qw(wrong duplicate)}], [0, 0], "$balancer: nobody is taken for another by a cookie") or diag explain $sum;
    is_deeply([grep { $_ ne '0' } keys %{ $sum->{failed_at} }], [], "$balancer: and fails where a node was killed alone")
        or diag explain $sum;
    is_deeply([grep {/\[(?:emerg|alert|crit)\]/} map { split /\n/, $_->error_log } $pool->nodes], [],
        "$balancer: nothing alarming in any log");
}

done_testing();
