# Sentinels watch over Redis, and its master is killed under load: nobody fails, the
# pool goes on with the next master, and what it knew of sessions and revocations
# is right there too, even what the old master took with it.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Load;
use RMS::Pool;
use RMS::Redis;
use RMS::Sessions;

my $keys = spew(dir() . '/seal.keys', sprintf("%064x\n", 0x5e17));
share_with_worker($keys);

my @nodes = (0, 1, 2);
my @clients = ({ cookie => 1, keepalive => 1 }, { cookie => 1, keepalive => 0 },
    { cookie => 0, keepalive => 1 }, { cookie => 1, keepalive => 0 });

my $group = redis_sentinel(replicas => 1);
my $pool = pool(nodes => 3, conf => {
    http => $group->conf(timeout => '300ms') . "rms_seal_key_file $keys;\n",
    location => "rms_session cookie;\nrms_replay shared;\n",
    locations => $RMS::Sessions::ADMIN,
});
my $s = sessions($pool);
$s->wait_redis('up', @nodes);
my $first = $group->server(0);
is_deeply([map { $s->redis($_)->{server} } @nodes], [($first->at) x 3], 'every node has the first master');

my $bob = $s->login(0, 'bob');
my $alice = $s->login(1, 'alice');
is($s->at(1, cookie => $bob), '200 bob@RMS.TEST', 'bob is known at two nodes');
my $unseen = $s->login(0, 'bob');
is($s->revoke(2, 'account=EXCH02%24%40RMS.TEST'), 'stored', 'a revocation is stored');
$group->wait_synced;

# From here on the replica gets nothing any more: what is said to this master goes
# with it.

my ($lost, $second);
my $sum = load($pool, clients => \@clients, while => sub {
    recorder()->more(60);
    $first->cmd(qw(ACL SETUSER default -psync -sync -replconf));
    $first->cmd(qw(CLIENT KILL TYPE replica));
    $lost = $s->login(2, 'alice');
    is($s->revoke(0, 'account=bob%40RMS.TEST'), 'stored', 'a revocation is stored where nobody else has it');
    $first->kill9;
    $second = $group->wait_master($first);
    ok(eval { wait_for(sub { !grep { ($s->redis($_)->{server} || '') ne $second->at } @nodes }, 'the next') },
        'every node goes to the next master') or diag explain [map { $s->redis($_) } @nodes];
    $s->wait_redis('up', @nodes);
    ok(eval { $s->wait_shared('bob') }, 'and sessions are shared again');
    recorder()->more(60);
});
is_deeply([@$sum{qw(wrong duplicate failed)}], [0, 0, 0], 'nobody fails, and nothing is done twice') or diag explain $sum;
is_deeply([grep { !/^(?:0|200)$/ } keys %{ $sum->{status} }], [], 'there is no other answer');

ok(eval { wait_for(sub { !grep { $_ ne '401' } $s->everywhere($bob) }, 'revoked') },
    'who was revoked before the fail-over stays so, at every node') or diag explain [$s->everywhere($bob)];
is_deeply([$s->everywhere($alice)], [('200 alice@RMS.TEST') x 3], 'who was not goes on, at every node');
is($s->at(2, cookie => $lost), '200 alice@RMS.TEST', 'whose session went with the master is known where it began');
is($s->at(1, cookie => $lost), 401, 'and logs in again elsewhere');

# a node that begins anew, and so has nothing but what the new master tells it
$pool->node(1)->kill9;
$pool->node(1)->start;
$s->wait_redis('up', @nodes);
ok(eval { wait_for(sub { $s->at(1, cookie => $alice) eq '200 alice@RMS.TEST' }, 'known') },
    'a node that begins now knows of the sessions');
is($s->at(1, cookie => $unseen), 401, 'and of the revocation that the old master took with it');

for my $i (@nodes) {
    my @events = grep {/^redis away/} $s->events($i);
    my %stage;
    $stage{ /stage=(\w+)/ ? $1 : '' }++ for @events;
    is_deeply([grep { $_ > 1 } values %stage], [], "node $i: event 3001 names each stage once") or diag explain \@events;
}
is_deeply([grep {/\[(?:emerg|alert|crit)\]/} map { split /\n/, $_->error_log } $pool->nodes], [],
    'nothing alarming in any log');
done_testing();
