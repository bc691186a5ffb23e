# The pool as each node sees it: who is there, and in what they disagree.  And a
# node that is drained behind a balancer is stopped without anybody noticing.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Clock;
use RMS::Load;
use RMS::Pool;
use RMS::Redis;
use RMS::Relay;

my $redis = redis();
my $key = 'rms:v1:nodes:all';
my $seal = spew(dir() . '/seal.keys', sprintf "%064x\n", 7919);
my $foreign = spew(dir() . '/foreign.keys', sprintf "%064x\n", 7907);
my @file = map { spew(dir() . "/list.$_", "fci account=FS01\$\@RMS.TEST\n") } 0, 1;
share_with_worker($seal, $foreign, @file);

my $admin = 'location /admin/ { rms_auth negotiate; rms_session cookie; rms_allow admin account=alice@RMS.TEST; rms_status; }';

# node($i, $server) - the configuration of a node: files of its own, and names
sub node {
    my ($i, $server) = @_;
    return { http => "rms_seal_key_file $seal;\n" . $redis->conf, workers => 2, location => 'rms_session cookie;',
        allow => ['exchange account=EXCH01$@RMS.TEST account=EXCH02$@RMS.TEST', 'sharepoint account=SP01$@RMS.TEST'],
        server => "rms_acl_file $file[$i];" . ($server || ''),
        locations => $admin . " location = /only/here/$i { rms_health; }" };
}

my $pool = pool(nodes => 2, balancer => 'haproxy', conf => \&node);

sub view { return $pool->status($_[0])->{pool} }
sub ids  { return join ' ', map { $_->{id} } @{ $_[0]{nodes} } }
sub by   { my ($view) = @_; return { map { $_->{id} => $_ } @{ $view->{nodes} } } }

# sees($i, $what, sub { of its view }) - sooner or later
sub sees {
    my ($i, $what, $check) = @_;
    my $view;
    return ok(eval { wait_for(sub { $view = view($i); $check->($view) }, $what) }, $what) || diag explain $view;
}

# drain($i, $on)
sub drain {
    my ($i, $on) = @_;
    return http(client => $pool->client($i), method => 'POST', path => "/admin/drain?on=$on", account => 'alice',
        headers => [['X-RMS-Admin', 1]])->status;
}

# looks($i) - node $i announces itself, and looks at the others, now
sub looks {
    my ($i) = @_;
    return drain($i, 1) == 200 && drain($i, 0) == 200;
}

# field($time, $record) - as the nodes write it, of so many milliseconds ago
sub redis_time { my $t = $redis->cmd('TIME'); return $t->[0] * 1000 + int $t->[1] / 1000 }
sub field { my ($ago, $record) = @_; return (redis_time() - $ago) . " $record" }

# Both see both

sees($_, "node $_ sees two nodes that agree", sub { @{ $_[0]{nodes} } == 2 && !@{ $_[0]{warnings} } }) for 0, 1;
my @view = map { view($_) } 0, 1;
is(ids($view[0]), ids($view[1]), 'in the same order');
my @id = map { $_->{node} } @view;
isnt($id[0], $id[1], 'each has an id of its own');
is_deeply([map { my $v = $_; map { $_->{id} } grep { $_->{self} } @{ $v->{nodes} } } @view], \@id, 'and knows itself');
my ($mine, $seen) = map { by($_)->{ $id[1] } } $view[1], $view[0];
my @same = qw(id name pid health version nginx list rules configuration started);
is_deeply([@$seen{@same}], [@$mine{@same}], 'one is seen as it sees itself');
is($mine->{pid}, $pool->node(1)->{pid}, 'with the pid of its master');
is($mine->{health}, 'ok', 'its health');
cmp_ok(abs $seen->{clock}, '<', 10, 'its clock');
cmp_ok($seen->{age}, '<=', 15, 'and when it was heard of');
is(scalar @{ view(0)->{warnings} }, 0, 'paths and locations of its own are no difference');

# In Redis

my %hash = @{ $redis->cmd('HGETALL', $key) };
is_deeply([sort keys %hash], [sort @id], 'a field for each');
cmp_ok($redis->cmd('PTTL', $key), '<=', 15000, 'which ends');
cmp_ok($redis->cmd('PTTL', $key), '>', 0, '  by itself');
is_deeply([grep { index($_, $mine->{nginx}) >= 0 || index($_, pack 'H*', $id[0]) >= 0 } values %hash], [], 'sealed');

# What others have put there

my ($time, $record) = $hash{ $id[1] } =~ /^(\d+) (.*)/s;
my $ghost = 'f' x 32;
my $refused = $pool->status(0)->{counters}{records_refused};
for my $case (['the record of another node', $record, 'changed, cut short or moved'], ['garbage', 'x' x 200, 'in the form of another version'],
    ['nothing', '', 'changed, cut short or moved'])
{
    my ($what, $bytes, $why) = @$case;
    $redis->cmd('HSET', $key, $ghost, field(0, $bytes));
    ok(looks(0), "$what under another id: a look");
    is(ids(view(0)), ids($view[0]), '  shows no such node');
    my ($last) = $pool->node(0)->error_log =~ /.*rms event=3001 records of Redis refused: key="\Q$key\E" n=1, the last (.*?); such a node/s;
    is($last, $why, '  and the log says why');
}
is($pool->status(0)->{counters}{records_refused} - $refused, 3, 'each is counted');
ok(looks(0), 'another look');
is(scalar(() = $pool->node(0)->error_log =~ /event=3001 records of Redis refused/g), 3, 'what is still there is not told again');
for my $case (['without a time', $record], ['of a time to come', field(-60000, $record)], ['too long', field(0, 'x' x 3000)],
    ['that was not renewed', field(15500, $record)])
{
    my ($what, $bytes) = @$case;
    $redis->cmd('HSET', $key, $ghost, $bytes);
    ok(looks(0), "a record $what: a look");
    is($redis->cmd('HGET', $key, $ghost), undef, '  takes it out');
}
is($pool->status(0)->{counters}{records_refused} - $refused, 3, '  unread');

# A node of another pool: sealed by a key that this one has not

my $other = nginx(conf(pass => 'azure', backends => [{ name => 'azure', base => 'https://x.test/_wmcs', proxy => recorder()->url }],
    http => "rms_seal_key_file $foreign;\n" . $redis->conf));
ok(eval { wait_for(sub { $redis->cmd('HLEN', $key) == 3 }, 'three') }, 'a node with another key');
ok($pool->node(0)->wait_log(qr/event=3001 records of Redis refused: [^\n]*sealed with a key that is not in "rms_seal_key_file"/), '  is told');
is(ids(view(0)), ids($view[0]), '  and not shown');
$other->stop;

# They differ

spew($file[1], "fci account=FS01\$\@RMS.TEST\nuser account=bob\@RMS.TEST\n");
share_with_worker($file[1]);
my @warned = map { qr/^node \S+ \(@{[substr $id[$_], 0, 8]}\) goes by other rules \([0-9a-f]{8}\) than node \S+/ } 0, 1;
sees($_, "node $_ sees that the rules differ", sub { grep { /$warned[0]|$warned[1]/ } @{ $_[0]{warnings} } }) for 0, 1;
ok($_->wait_log(qr/\[warn\] .*rms pool: node \S+ \([0-9a-f]{8}\) goes by other rules/), '  and tells so in its log') for $pool->nodes;
my %before = map { $_ => scalar(() = $pool->node($_)->error_log =~ /rms pool: /g) } 0, 1;
is_deeply(\%before, { 0 => 1, 1 => 1 }, '  once, by one of its workers');
ok(looks($_) && looks($_), 'more looks') for 0, 1;
spew($file[1], slurp($file[0]));
share_with_worker($file[1]);
ok($_->wait_log(qr/\[notice\] .*rms pool: the nodes agree again/), 'until they agree again') for $pool->nodes;
is(scalar(() = $pool->node(0)->error_log =~ /goes by other rules/g), 1, '  nothing was told twice');

ok($pool->reload(1, sub { return node($_[0], $_[0] == 1 ? 'rms_deny 403;' : '') }), 'another configuration on node 1');
sees($_, "node $_ sees it", sub { "@{ $_[0]{warnings} }" =~ /^node \S+ \([0-9a-f]{8}\) has another configuration: [0-9a-f]{8}, others have [0-9a-f]{8}$/ }) for 0, 1;
is(view(1)->{node}, $id[1], 'a node is the same after a reload');
ok($pool->reload(1, \&node), 'the same configuration again');
sees($_, "node $_ sees that too", sub { !@{ $_[0]{warnings} } && @{ $_[0]{nodes} } == 2 }) for 0, 1;

# Drained, then stopped

is(drain(1, 1), 200, 'node 1 drains');
sees(0, 'node 0 sees it', sub { by($_[0])->{ $id[1] }{health} eq 'draining' });
is(scalar @{ view(0)->{warnings} }, 0, 'that is no disagreement');
is(drain(1, 0), 200, 'and back');
$pool->wait_served(1);

my @clients = map { { keepalive => $_ % 2, cookie => $_ & 2 ? 1 : 0 } } 1 .. 8;
my $sum = load($pool, clients => \@clients, while => sub {
    recorder()->more(100);
    die 'not drained' if drain(1, 1) != 200;
    wait_for(sub { my %served; $served{ $pool->served }++ for 1 .. 6; !$served{1} }, 'HAProxy takes it out');
    recorder()->more(300);
    ok($pool->node(1)->quit, 'SIGQUIT under load: the node leaves');
    recorder()->more(100);
});
is_deeply([@$sum{qw(failed wrong duplicate)}], [0, 0, 0], 'nobody noticed') or diag explain $sum;
diag("$sum->{sent} sent, $sum->{closed} on connections that stood idle when they were closed");

# Gone

($record) = ($redis->cmd('HGET', $key, $id[1]) || '') =~ /^\d+ (.*)/s;
if (defined $record) {
    is(drain(0, 1), 200, 'a look');
    is(scalar @{ view(0)->{nodes} }, 2, 'a node that has ended is there for a while');
    $redis->cmd('HSET', $key, $id[1], field(14000, $record));
    is(drain(0, 0), 200, 'a look');
}
sees(0, 'and then it is not', sub { ids($_[0]) eq $id[0] });
$_->stop for $pool->nodes;

# A clock that is wrong

my $plain = conf(pass => 'azure', backends => [{ name => 'azure', base => 'https://x.test/_wmcs', proxy => recorder()->url }],
    http => "rms_seal_key_file $seal;\n" . $redis->conf);
my $right = nginx($plain);
my $wrong = nginx(env => clock_env(), pass => 'azure', http => "rms_seal_key_file $seal;\n" . $redis->conf,
    backends => [{ name => 'azure', base => 'https://x.test/_wmcs', proxy => recorder()->url }]);
put_day_forward(40);
for my $node ($right, $wrong) {
    nginx($node);
    my $warnings;
    ok(eval { wait_for(sub {
        $warnings = "@{ JSON::PP->new->utf8->decode(http(path => '/rms/status')->body)->{pool}{warnings} }";
        return $warnings =~ /^node \S+ \([0-9a-f]{8}\) has a clock that is (?:39|40|41) s ahead of that of Redis$/;
    }, 'clock') }, $node == $right ? 'a node sees that the clock of another is wrong' : 'and that one sees it too') or diag $warnings;
}

# Without Redis, sixteen seconds later

$redis->stop;
put_forward(16);
my $alone = JSON::PP->new->utf8->decode(http(path => '/rms/status')->body)->{pool};
is(ids($alone), $alone->{node}, 'without Redis a node sees itself');
is_deeply([grep { !/clock/ } @{ $alone->{warnings} }], ['this node does not see the pool: Redis is away'], '  and says why');
is_deeply([grep {/\[(?:emerg|alert|crit)\]/} map { split /\n/, $_->error_log } $pool->nodes, $right, $wrong], [],
    'nothing alarming in any log');

done_testing();
