# Sessions of a pool: who logged in at one node is known at each, across reloads and
# restarts; who is revoked at one is nobody everywhere; and a token is good once.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Pool;
use RMS::Redis;

use JSON::PP;

my $page = sample('07')->{path};
my $redis = redis('single');
my $keys = spew(dir() . '/seal.keys', sprintf("%064x\n", 0x5ea1));
share_with_worker($keys);

my $pool = pool(nodes => 3, balancer => '', conf => {
    workers  => 2,
    http     => $redis->conf . "rms_seal_key_file $keys;\n",
    location => "rms_session cookie;\nrms_replay shared;\n",
    locations => <<'X',
location /admin/ { rms_auth negotiate; rms_allow admin account=alice@RMS.TEST; rms_status; }
location /idle { rms_auth negotiate; rms_session cookie name=idle idle=9s; root @PREFIX@; try_files /nginx.conf =404; }
location /deny { rms_auth negotiate; rms_session off; rms_replay shared; rms_on_store_error deny; root @PREFIX@; try_files /nginx.conf =404; }
X
});

# ready() - every worker of every node has its connections.
sub ready {
    $redis->wait_clients(12);
}

# at($i, cookie => $value, %o) - one request at node i: "status account"
my $last;
sub at {
    my ($i, %o) = @_;
    my $cookie = delete $o{cookie};
    $last = http(client => $pool->client($i), path => $page, %o,
        headers => [$cookie ? ['Cookie', $cookie] : (), @{ $o{headers} || [] }]) or return 'closed';
    return join ' ', $last->status, grep {length} (split / /, $last->header('x-who') || '')[0];
}

# login($i, $account, %o) - the cookie that a login at node i sets
sub login {
    my ($i, $account, %o) = @_;
    my $said = at($i, account => $account || 'EXCH01$', %o);
    my ($pair) = map {/^([^;]+);/} $last->all('set-cookie') or die "login: $said";
    return $pair;
}

sub revoke {
    my ($i, $what) = @_;
    my $r = http(client => $pool->client($i), method => 'POST', path => "/admin/revoke?$what", account => 'alice',
        headers => [['X-RMS-Admin', 1]]);
    return $r->status == 200 ? JSON::PP->new->utf8->decode($r->body) : $r->status;
}

sub soon { my ($sub, $name) = @_; ok(eval { wait_for($sub, $name); 1 }, $name) }

my $in = '200 EXCH01$@RMS.TEST';
ready();
soon(sub { !grep { $pool->status($_)->{redis}{state} ne 'up' } 0 .. 2 }, 'every node shows that Redis is there');

my $cookie = login(0);
my $seen = $redis->commands_seen(sub { is(at(1, cookie => $cookie), $in, 'who logged in at a node is known at another') });
is($seen->{get}, 1, 'which asks Redis once');
is(at(2, cookie => $cookie), $in, 'and at the third');
$seen = $redis->commands_seen(sub {
    is(at($_ % 3, cookie => $cookie), $in, 'from then on each node knows') for 1 .. 12;
});
is($seen->{get} || 0, 0, 'and asks nobody');
is($pool->status(1)->{counters}{sessions_shared}, 1, 'the status counts it');
is(at(1, cookie => 'rms_session=AAAAAAAAAAAAAAAAAAAAAA'), 401, 'a number that nobody gave is nobody');

# sent before the answer; which of two connections Redis reads first is its own choice
my ($here, $there, $missed) = ($pool->client(0), $pool->client(1), 0);
for (1 .. 60) {
    my $new = login(0, undef, client => $here);
    $missed++ if at(1, client => $there, cookie => $new) ne $in;
}
cmp_ok($missed, '<=', 1, 'a session is in Redis before its client can come with it to another node');

ok($pool->reload(1), 'a reload');
is(at(1, cookie => $cookie), $in, 'loses no session');
$pool->node(1)->kill9;
$pool->node(1)->start;
ready();
soon(sub { at(1, cookie => $cookie) eq $in }, 'nor does a node that begins anew with an empty zone');

# revocation
my $bob = login(2, 'bob');
is(at($_, cookie => $bob), '200 bob@RMS.TEST', "bob at node $_") for 0 .. 2;
my $said = revoke(0, 'account=EXCH01%24%40RMS.TEST');
is($said->{pool}, 'stored', 'a revocation is stored before it is answered');
is(at(0, cookie => $cookie), 401, 'it counts at once where it was said');
for my $i (1, 2) {
    soon(sub { at($i, cookie => $cookie) eq 401 }, "and soon at node $i");
}
is(at($_, cookie => $bob), '200 bob@RMS.TEST', "bob goes on at node $_") for 0 .. 2;
my $again = login(1);
is(at($_, cookie => $again), $in, "a new session is good at node $_") for 0 .. 2;
is(revoke(2, 'all=1')->{pool}, 'stored', 'all of them') or diag map { grep {/Redis|revo/} split /^/, $_->error_log } $pool->nodes;
for my $i (0 .. 2) {
    soon(sub { at($i, cookie => $again) eq 401 && at($i, cookie => $bob) eq 401 }, "nobody is known at node $i");
}
$pool->node(0)->kill9;
$pool->node(0)->start;
ready();
soon(sub { defined $pool->status(0)->{redis} && $pool->status(0)->{redis}{state} eq 'up' }, 'a node that begins anew');
is(at(0, cookie => $_), 401, 'takes no session that was revoked') for $again, $bob;

# written($do) - the login in it, and the name of its record in Redis
sub written {
    my ($do) = @_;
    my %before = map { $_ => 1 } $redis->keys;
    my $pair = $do->();
    my ($key) = @{ wait_for(sub { my @new = grep { /:session:/ && !$before{$_} } $redis->keys; @new && \@new }, 'a record') };
    return ($pair, $key);
}

sub refused { return $pool->status(0)->{counters}{records_refused} }
sub calls { my ($name) = @_; return $redis->calls->{$name} || 0 }

# a session that is in use, and that nobody else has any more
my ($used, $key) = written(sub { login(0, 'EXCH01$', path => '/idle') });
$redis->cmd('DEL', $key);
my $sets = calls('set');
soon(sub { at(0, cookie => $used, path => '/idle') eq $in && calls('set') > $sets }, 'a session in use is told to Redis now and then');
is($redis->cmd('EXISTS', $key), 0, 'which does not bring back what was deleted there');

# a record at the place of another
my ($mine, $place) = written(sub { login(1) });
my (undef, $his) = written(sub { login(1, 'bob') });
my $before = refused();
$redis->cmd('COPY', $his, $place, 'REPLACE');
is(at(0, cookie => $mine), 401, 'a record that was moved is nobody');
is(refused(), $before + 1, 'and is counted');

# revocations that cannot be told yet
$redis->cmd(qw(ACL SETUSER default -eval));
is(revoke(0, 'account=nobody%40RMS.TEST')->{pool}, 'pending', 'a revocation that Redis does not store waits');
my $alone = login(0);
is(at(0, cookie => $alone), $in, 'who logs in meanwhile has a session');
is(at(1, cookie => $alone), 401, 'at this node alone');
$redis->cmd(qw(ACL SETUSER default +eval));
soon(sub { at(1, cookie => login(0)) eq $in }, 'until the others know of it');

# revocations that cannot be read
my $document = (grep {/:document:revoked$/} $redis->keys)[0];
my $record = $redis->cmd('HGET', $document, 'd');
($mine) = written(sub { login(1) });
my $unknown = $record;
vec($unknown, 8, 1) ^= 1;       # in the number of the key that seals it
$redis->cmd('HSET', $document, 'd', $unknown);
$pool->node(0)->kill9;
$pool->node(0)->start;
ready();
soon(sub { refused() > 0 }, 'a node that begins anew cannot read who was revoked');
$seen = $redis->commands_seen(sub { is(at(0, cookie => $mine), 401, 'and believes no session of others') });
is($seen->{get} || 0, 0, 'nor asks for one');
$redis->cmd('HSET', $document, 'd', $record);
$pool->reload(0);
soon(sub { at(0, cookie => $mine) eq $in }, 'until it can');

# replay
my $token = negotiate('EXCH01$');
is(at(0, headers => [['Authorization', $token]]), $in, 'a token is good at one node');
is(at(1, headers => [['Authorization', $token]]), 401, 'and refused at another');
is(at(0, headers => [['Authorization', $token]]), 401, 'as at the first');
like($pool->node(1)->error_log, qr/token was used before and is refused/, 'which the log tells');
$token = negotiate('EXCH01$');
my @status = map { at($_, headers => [['Authorization', $token]]) } 2, 1, 0;
is_deeply(\@status, [$in, 401, 401], 'wherever it was first');
$seen = $redis->commands_seen(sub { is(at(0, account => 'EXCH01$'), $in, 'a login') });
is($seen->{set}, 2, 'costs one command for the token and one for the session');

# nothing of it is readable
my $dump = join "\n", map { ($_, $redis->dump->{$_}{value}) } keys %{ $redis->dump };
unlike($dump, qr/EXCH01|bob|RMS\.TEST/i, 'no account is in Redis');
my ($number) = $again =~ /=(.*)/;
unlike($dump, qr/\Q$number\E/, 'and no cookie');
is_deeply([grep { $redis->dump->{$_}{ttl} < 0 } keys %{ $redis->dump }], [], 'every key has an end');

# Redis does not answer
$redis->freeze;
$before = $pool->status(0)->{counters}{replay_alone};
is(at(0, path => '/deny', account => 'EXCH01$'), 503, 'who shall not come in without Redis does not, though it was there a moment ago');
like($last->header('retry-after') || '', qr/^\d+$/, 'and is told when to come again');
$token = negotiate('EXCH01$');
is(at(0, headers => [['Authorization', $token]]), $in, 'elsewhere a token is good');
is(at(0, headers => [['Authorization', $token]]), 401, 'once at this node');
is($pool->status(0)->{counters}{replay_alone}, $before + 1, 'and the status counts that nobody else was asked');
$redis->thaw;
soon(sub { at(0, path => '/deny', account => 'EXCH01$') eq $in }, 'all is well again when it answers');

done_testing();
