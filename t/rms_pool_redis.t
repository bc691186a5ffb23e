# A pool works with each kind of redis-server: one login is good at every node, a
# revocation counts everywhere, a token is good once; and the user of Redis needs the
# commands that the documentation names, and no other.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Pool;
use RMS::Redis;
use RMS::Sessions;

# what a user of Redis must be allowed, for the prefix "rms:"
my @COMMANDS = qw(ping role exists get set del hget hmget hset hgetall hdel expire
    pexpire time publish subscribe eval);
local $RMS::Redis::RULES = join ' ', 'resetchannels -@all ~rms:* &rms:*', map {"+$_"} @COMMANDS;

my $keys = spew(dir() . '/seal.keys', sprintf("%064x\n", 0x5ea1));
share_with_worker($keys);

my $in = '200 bob@RMS.TEST';
my %told = (tls => 'TLS, and a user who may do no more than he must', unix => 'a unix socket',
    single => 'TCP');

for my $kind (qw(single tls unix)) {
    my $what = $told{$kind};
    my $redis = redis($kind);
    my $pool = pool(nodes => 2, balancer => '', conf => {
        http => $redis->conf($kind eq 'single' ? (database => 3) : ()) . "rms_seal_key_file $keys;\n",
        location => "rms_session cookie;\nrms_replay shared;\n",
        locations => $RMS::Sessions::ADMIN,
    });
    my $s = sessions($pool);
    ok($s->wait_redis('up', 0, 1), "$what: each node has it");

    $s->wait_shared('bob');
    my $bob = $s->login(0, 'bob');
    is($s->at(1, cookie => $bob), $in, "$what: who logged in at one node is known at the other");
    my $alice = $s->login(1, 'alice');
    is_deeply([$s->everywhere($alice)], [('200 alice@RMS.TEST') x 2], "$what: and the other way");

    my $token = negotiate('bob');
    my @status = map { $s->at($_, headers => [['Authorization', $token]]) } 1, 0, 1;
    is_deeply(\@status, [$in, 401, 401], "$what: a token is good once, at one node");

    my $unseen = $s->login(0, 'bob');
    is($s->revoke(0, 'account=bob%40RMS.TEST'), 'stored', "$what: a revocation is stored");
    for my $cookie ($bob, $unseen) {
        ok(eval { wait_for(sub { !grep { $_ ne '401' } $s->everywhere($cookie) }, 'revoked') },
            "$what: and counts at both");
    }
    is_deeply([$s->everywhere($alice)], [('200 alice@RMS.TEST') x 2], "$what: for that account alone");
    my $again = $s->login(1, 'bob');
    is_deeply([$s->everywhere($again)], [$in, $in], "$what: who logs in again is known again");

    is_deeply([map { $s->events($_) } 0, 1], [], "$what: nothing to complain of");
    next if $kind ne 'tls';

    # a node that has gone for good is taken out of the list by one that comes
    my $gone = ['rms:v1:nodes:all', 'f' x 32];
    $redis->cmd('HSET', @$gone, '1 gone');
    $pool->reload(0);
    ok(eval { wait_for(sub { !$redis->cmd('HEXISTS', @$gone) }, 'gone') }, "$what: nodes forget who has gone");
    is_deeply([map { my %e = @$_; "$e{reason} $e{object}" } @{ $redis->cmd(qw(ACL LOG)) }], [],
        "$what: the user was refused nothing");
    my $calls = $redis->calls;
    is_deeply([grep { !$calls->{$_} } @COMMANDS], [], "$what: and does all that he may");
}

done_testing();
