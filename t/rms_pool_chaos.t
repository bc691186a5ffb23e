# A pool under load, and what may happen to Redis and to the way there: nobody gets a
# wrong answer or the same work done twice, nobody fails; whom a node knows it goes on
# knowing, others log in again; and nothing needs a restart to be as before.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Load;
use RMS::Pool;
use RMS::Proxy;
use RMS::Redis;
use RMS::Sessions;

my $keys = spew(dir() . '/seal.keys', sprintf("%064x\n", 0xc4a05));
share_with_worker($keys);

my $in = '200 bob@RMS.TEST';
my @nodes = (0, 1, 2);
my @clients = ({ cookie => 1, keepalive => 1 }, { cookie => 1, keepalive => 0 },
    { cookie => 0, keepalive => 1 }, { cookie => 1, keepalive => 0 }, { cookie => 0, keepalive => 0 });
my @cookies = grep { $_->{cookie} } @clients;

my $redis = redis();
my @wire = map { proxy($redis->at) } @nodes;

my @times = (connect_timeout => '500ms', timeout => '500ms');

# node_conf($i) - each node has a wire of its own to Redis
sub node_conf {
    my ($i) = @_;
    return {
        http => $redis->conf(server => $wire[$i]->at, @times) . "rms_seal_key_file $keys;\n",
        location => "rms_session cookie;\nrms_replay shared;\n",
        locations => $RMS::Sessions::ADMIN,
    };
}

sub wires { my (@mode) = @_; $_->mode(@mode) for @wire; return }

my $pool = pool(nodes => 3, conf => \&node_conf);
my $s = sessions($pool);
$s->wait_redis('up', @nodes);
my $recorder = recorder();

# lasting($what, $sum, killed nodes) - what holds for every load
sub lasting {
    my ($what, $sum, @killed) = @_;
    is_deeply([@$sum{qw(wrong duplicate)}], [0, 0], "$what: no wrong and no second answer") or diag explain $sum;
    my %killed = map { $_ => 1 } @killed;
    is_deeply([grep { !$killed{$_} } keys %{ $sum->{failed_at} }], [], "$what: nobody fails where no node was killed")
        or diag explain $sum;
    is_deeply([grep { !/^(?:0|200)$/ } keys %{ $sum->{status} }], [], "$what: there is no other answer");
    is($sum->{ok} + $sum->{failed} + $sum->{closed}, $sum->{sent}, "$what: every request is accounted for");
    return;
}

# seen() - { "STAGE" => lines of event 3001 } of a node since the last look
my @logged = (0) x @nodes;
sub stages {
    my ($i) = @_;
    my @lines = $s->events($i);
    my @new = @lines[$logged[$i] .. $#lines];
    $logged[$i] = @lines;
    my %seen;
    $seen{ /^redis away: stage=(\w+)/ ? $1 : $_ }++ for @new;
    return \%seen;
}

# outage($what, stage => as event 3001 names it, start => sub, end => sub, during =>)
# - Redis is away for every node for a while, under load.
sub outage {
    my ($what, %o) = @_;
    my $known = $s->login(0, 'bob');
    stages($_) for @nodes;
    my $sum = load($pool, clients => \@clients, while => sub {
        $recorder->more(40);
        $o{start}->();
        ok(eval { $s->wait_redis('away', @nodes) }, "$what: each node sees it") or diag explain [map { $s->redis($_) } @nodes];
        $recorder->more(60);
        is($s->at(0, cookie => $known), $in, "$what: whom a node knows it goes on knowing");
        is($s->at(1, cookie => $known), 401, "$what: others log in again");
        ok($s->login(1, 'bob'), "$what: which they can");
        $o{during}->() if $o{during};
        $o{end}->();
        ok(eval { $s->wait_redis('up', @nodes) }, "$what: each node comes back by itself")
            or diag explain [map { $s->redis($_) } @nodes];
        ok(eval { $s->wait_shared('bob') }, "$what: sessions are shared again");
        $recorder->more(40);
    });
    lasting($what, $sum);
    my @stages = map { stages($_) } @nodes;
    is_deeply([grep { !$_->{ $o{stage} } } @stages], [], "$what: event 3001 names the stage \"$o{stage}\"")
        or diag explain \@stages;
    is_deeply([grep { $_ != 1 } map { values %$_ } @stages], [], "$what: once") or diag explain \@stages;

    # new workers, which know of no failures before: they try again soon
    $pool->reload($_) for @nodes;
    $s->wait_redis('up', @nodes);
    return $sum;
}

my $t = time;
sub lap { my $now = time; diag(sprintf '%-30s %d s', $_[0], $now - $t); $t = $now; return }

# ripple($what, sub) - something happens under load that is no outage
sub ripple {
    my ($what, $do) = @_;
    stages($_) for @nodes;
    my $sum = load($pool, clients => \@clients, while => sub {
        $recorder->more(40);
        $do->();
        $recorder->more(40);
    });
    lasting($what, $sum);
    return $sum;
}

# everybody($account) - what every node says when it is in
sub everybody { my ($account) = @_; return ("200 $account\@RMS.TEST") x @nodes }

# busy() - a script of somebody else does not end
my $script;
sub busy {
    $redis->cmd(qw(CONFIG SET busy-reply-threshold 100));
    $script = $redis->connect;
    return RMS::Redis::send_command($script, 'EVAL', 'while true do end', 0);
}

# Redis itself

my ($spared, $revoked);
outage('killed', stage => 'command', start => sub { $redis->kill9 }, end => sub { $redis->start }, during => sub {
    $spared = $s->login(2, 'alice');
    $revoked = $s->login(2, 'bob');
    is($s->revoke(0, 'account=bob%40RMS.TEST'), 'pending', 'killed: a revocation meanwhile waits for it');
    is($s->at(2, cookie => $revoked), $in, 'killed: and cannot be known elsewhere');
});
ok(eval { wait_for(sub { $s->at(2, cookie => $revoked) eq '401' }, 'revoked') }, 'killed: afterwards it counts everywhere');
is($s->at(2, cookie => $spared), '200 alice@RMS.TEST', 'killed: for whom it was meant');
lap('killed');

outage('frozen', stage => 'command', start => sub { $redis->freeze }, end => sub { $redis->thaw });
lap('frozen');
outage('busy', stage => 'command', start => \&busy, end => sub { $redis->cmd(qw(SCRIPT KILL)) });
lap('busy');

# the way to it

outage('garbage', stage => 'parse', start => sub { wires('garbage') }, end => sub { wires('pass') });
lap('garbage');
outage('black hole', stage => 'command', start => sub { wires('blackhole') }, end => sub { wires('pass') });
lap('black hole');
outage('cut', stage => 'command', start => sub { wires('cut') }, end => sub { wires('pass') });
lap('cut');
outage('no way', stage => 'connect', start => sub { wires('refuse') }, end => sub { wires('pass') });
lap('no way');
outage('nobody answers who connects', stage => 'connect', start => sub { wires('hang') }, end => sub { wires('pass') });
lap('hang');
outage('too slow', stage => 'command', start => sub { wires('delay', 1500) }, end => sub { wires('pass') });
lap('too slow');

# what is no outage

my $sum = ripple('slow', sub {
    wires('delay', 60);
    $s->wait_shared('bob');
    $recorder->more(40);
    wires('pass');
});
is_deeply([map { stages($_) } @nodes], [({}) x @nodes], 'slow: and that is no outage');
cmp_ok($sum->{logins}, '<=', 2 * @cookies, 'slow: nor does anybody log in again');
lap('slow');

my $bob;
ripple('started again', sub {
    $bob = $s->login(0, 'bob');
    $redis->restart;
    $s->wait_redis('up', @nodes);
    ok(eval { $s->wait_shared('bob') }, 'started again: sessions are shared as before');
    is($s->at(0, cookie => $bob), $in, 'started again: and nobody is forgotten where he is known');
});
lap('started again');

# a record of before, as a backup brings it back, after a revocation that Redis forgot
my $old = $s->login(0, 'FS01$');
$s->at(1, cookie => $old);
my %before = map { $_ => $redis->cmd('GET', $_) } grep {/:session:/} $redis->keys;
ripple('flushed', sub {
    is($s->revoke(0, 'account=FS01%24%40RMS.TEST'), 'stored', 'flushed: a revocation is stored');
    $redis->flush;
    ok(eval { $s->wait_shared('bob') }, 'flushed: sessions are shared as before');
    ok(eval { wait_for(sub { grep {/:document:revoked$/} $redis->keys }, 'the revocations') },
        'flushed: the nodes put back what they know');
});
ok(eval { wait_for(sub { !grep { $_ ne '401' } $s->everywhere($old) }, 'revoked') }, 'flushed: what was revoked stays revoked');
$pool->node(2)->kill9;
$pool->node(2)->start;
$s->wait_redis('up', @nodes);
$s->wait_shared('bob', 2);
$redis->cmd('SET', $_, $before{$_}, 'PX', 60000) for keys %before;
is($s->at(2, cookie => $old), 401, 'flushed: even at a new node, with a record of before');
lap('flushed');

ripple('full', sub {
    $redis->full;
    my $cookie = $s->login(0, 'bob');
    is($s->at(0, cookie => $cookie), $in, 'full: a session is good where it began');
    is($s->at(1, cookie => $cookie), 401, 'full: and cannot be told to others');
    is($s->revoke(1, 'account=alice%40RMS.TEST'), 'pending', 'full: nor can a revocation');
    $recorder->more(60);
    $redis->roomy;
    ok(eval { $s->wait_shared('bob') }, 'full: with room again they are');
    ok(eval { wait_for(sub { $s->at(2, cookie => $spared) eq '401' }, 'revoked') }, 'full: and so is the revocation');
});
$_ = stages($_) for my @full = @nodes;
like((keys %{ $full[1] })[0], qr/^Redis did not store a document: .*OOM.*look at its memory/,
    'full: event 3001 says what to look at') or diag explain \@full;
is_deeply([grep { $_ != 1 } map { values %$_ } @full], [], 'full: once') or diag explain \@full;
lap('full');

# one node alone has no way to Redis

$s->wait_shared('bob', 1);
my ($bob_there, $alice_there) = map { $s->login(1, $_) } qw(bob alice);
is_deeply([map { [$s->everywhere($_)] } $bob_there, $alice_there], [map { [everybody($_)] } qw(bob alice)],
    'one node cut off: everybody is known to it');
ripple('one node cut off', sub {
    $wire[1]->mode('refuse');
    $s->wait_redis('away', 1);
    is($s->revoke(0, 'account=bob%40RMS.TEST'), 'stored', 'one node cut off: others revoke');
    is($s->revoke(1, 'account=alice%40RMS.TEST'), 'pending', 'one node cut off: and so does it');
    is($s->at(1, cookie => $alice_there), 401, 'one node cut off: what it revokes counts there at once');
    $recorder->more(60);
    $wire[1]->mode('pass');
    $s->wait_redis('up', @nodes);
    for my $cookie ($bob_there, $alice_there) {
        ok(eval { wait_for(sub { !grep { $_ ne '401' } $s->everywhere($cookie) }, 'revoked') },
            'one node cut off: afterwards all nodes know of both') or diag explain [$s->everywhere($cookie)];
    }
    ok(eval { $s->wait_shared($_) }, "one node cut off: and $_ can log in again") for qw(bob alice);
});
lap('one node cut off');

# nodes that are killed and reloaded, beside a Redis that is there

# killed_node($what) - node 1, under load; node 0 is reloaded while it is away
sub killed_node {
    my ($what) = @_;
    my $cookie = $s->login(1, 'bob');
    my $done = load($pool, clients => \@clients, killed => [1], while => sub {
        $recorder->more(60);
        $pool->node(1)->kill9;
        $recorder->more(60);
        ok($pool->reload(0), "$what: another node is reloaded");
        $recorder->more(60);
        $pool->node(1)->start;
        $pool->wait_served(1);
        $s->wait_redis('up', @nodes);
        is($s->at(1, cookie => $cookie), $in, "$what: it knows again whom it knew");
        $recorder->more(60);
    });
    lasting($what, $done, 1);

    # the kernel closes the connections of who is killed before it stops to listen
    # for him: a client may come back a moment too early, once
    cmp_ok($done->{failed}, '<=', 2 * @clients, "$what: a client loses no more than the request it waits for");
    cmp_ok($done->{logins}, '<=', 2 * @cookies, "$what: nobody has to log in again");
    return;
}

killed_node('nginx, a node is killed');
lap('node kill');
is_deeply([grep {/\[(?:emerg|alert|crit)\]/} map { split /\n/, $_->error_log } $pool->nodes], [],
    'nothing alarming in any log');
$_->stop for $pool->nodes;

# HAProxy, and locations that would rather close

@times = (connect_timeout => '2s', timeout => '500ms');
$pool = pool(nodes => 2, balancer => 'haproxy', conf => sub {
    my ($i) = @_;
    my $conf = node_conf($i);
    $conf->{location} .= "rms_on_store_error deny;\n";
    return $conf;
});
@nodes = (0, 1);
@logged = (0, 0);
$s = sessions($pool);
$s->wait_redis('up', @nodes);
$pool->wait_served($_) for @nodes;
killed_node('HAProxy, a node is killed');
lap('haproxy node kill');

# a new worker has requests before it has Redis
$bob = $s->login(1, 'bob');
$wire[0]->mode('delay', 120);
$pool->reload(0);
is($s->at(0, cookie => $bob), $in, 'a reload, and Redis is slow: a new worker knows whom another node knows');
$pool->reload(0);
is($s->at(0, account => 'bob'), $in, 'a reload, and Redis is slow: and can tell whether a token is new');
$wire[0]->mode('pass');

$bob = $s->login(0, 'bob');
stages($_) for @nodes;
$sum = load($pool, clients => \@clients, while => sub {
    $recorder->more(60);
    $redis->kill9;
    ok(eval { $s->wait_redis('away', @nodes) }, 'HAProxy, Redis is killed: each node sees it');
    is($s->at(0, cookie => $bob), 503, 'HAProxy, Redis is killed: a location that would rather close does so');
    like($s->answer->header('retry-after'), qr/^\d+$/, 'HAProxy, Redis is killed: and tells when to ask again');
    is($s->at(1, account => 'bob'), 503, 'HAProxy, Redis is killed: as does another node at a login');
    $redis->start;
    ok(eval { $s->wait_redis('up', @nodes) }, 'HAProxy, Redis is killed: each node comes back by itself');
    is($s->at(0, cookie => $bob), $in, 'HAProxy, Redis is killed: open again, it knows whom it knew');
    ok(eval { $s->wait_shared('bob') }, 'HAProxy, Redis is killed: sessions are shared again');
    $recorder->more(60);
});
is_deeply([@$sum{qw(wrong duplicate)}], [0, 0], 'HAProxy, Redis is killed: no wrong and no second answer') or diag explain $sum;
is_deeply([grep { !/^(?:0|200|503)$/ } keys %{ $sum->{status} }], [], 'HAProxy, Redis is killed: there is no other answer');
is($sum->{status}{503} || 0, $sum->{failed}, 'HAProxy, Redis is killed: who fails was told to come again');
$_ = stages($_) for my @stages = @nodes;
is_deeply([grep { !$_->{command} } @stages], [], 'HAProxy, Redis is killed: event 3001 names the stage "command"')
    or diag explain \@stages;
is_deeply([grep { $_ != 1 } map { values %$_ } @stages], [], 'HAProxy, Redis is killed: once') or diag explain \@stages;
lap('haproxy redis kill');

is_deeply([grep {/\[(?:emerg|alert|crit)\]/} map { split /\n/, $_->error_log } $pool->nodes], [],
    'nothing alarming in their logs');
done_testing();
