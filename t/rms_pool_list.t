# The shared list of a pool: a change at one node is in use at all of them, told by a
# message or found by looking; no node goes back, whether it starts without Redis, is cut
# off from it, or has other keys than the rest.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Proxy;
use RMS::Redis;
use RMS::Shared;

my $redis = redis('single');
my @wire = map { proxy($redis->at) } 0 .. 2;
my @state = map { my $d = dir() . "/state.$_"; mkdir $d; chmod 0777, $d; "$d/list" } 0 .. 2;
my $s = shared($redis, state => \@state, conf => sub { $redis->conf(server => $wire[$_[0]]->at) });
my ($bob, $none) = ('200 bob@RMS.TEST user', '200 bob@RMS.TEST none');
my $rule = 'user account=bob@RMS.TEST';

sub soon { my ($sub, $name) = @_; return ok(eval { wait_for($sub, $name); 1 }, $name) }

# workers($i) - a connection to each worker of a node
sub workers {
    my ($i) = @_;
    my %to;
    wait_for(sub {
        my $c = $s->{pool}->client($i);
        my ($pid) = http(client => $c, path => '/rms/status')->body =~ /"pid":(\d+)/;
        $to{$pid} = $c;
        return keys %to == $s->{workers};
    }, 'connections to all workers');
    return values %to;
}

my $page = sample('07')->{path};
sub role { my $r = http(client => $_[0], path => $page, account => 'bob'); return join ' ', $r->status, $r->header('x-who') }

# Told

my @worker = map { workers($_) } 0 .. 2;
is(scalar(grep { role($_) eq $none } @worker), 6, 'before there is a list bob has no role in any worker');
is($s->list(0, add => $rule), 200, 'it is changed at one node');
soon(sub { 6 == grep { role($_) eq $bob } @worker }, 'and in use by every worker of all nodes');
soon(sub { $s->everywhere(1) }, 'as the status of each says');

# A message was the reason: who looks asks for the revocations at the same time, so that
# each of the two other nodes has done so before it fetches what it found.

sub between {
    my ($change) = @_;
    my $monitor = $redis->connect;
    RMS::Redis::send_command($monitor, 'MONITOR');
    my @seen;
    $change->();
    $redis->cmd('PING', 'mark');
    while (my $line = readline $monitor) {
        last if $line =~ /"PING" "mark"/;
        push @seen, $line if $line !~ / lua\]/ && $line =~ /"(?:EVAL|HMGET|HGET)".*"rms:v1:document:/;
    }
    shift @seen while @seen && $seen[0] !~ /"EVAL"/;
    pop @seen while @seen && $seen[-1] !~ /"HMGET" "rms:v1:document:list"/;
    return scalar grep {/"HGET" "rms:v1:document:revoked"/} @seen;
}

my $op = 'add';
ok(eval {
    wait_for(sub {
        $op = $op eq 'add' ? 'remove' : 'add';
        my $version = $s->status(1)->{shared_list}{version};
        return between(sub {
            $s->list(1, $op => $rule) == 200 or die 'not changed';
            wait_for(sub { $s->everywhere($version + 1) }, "$op everywhere");
        }) == 0;
    }, 'a change between looks');
}, 'a change reaches the nodes between their looks') or diag $@;
is($s->list(1, add => $rule), 200, 'there it is again') if $op eq 'remove';
soon(sub { 6 == grep { role($_) eq $bob } @worker }, 'every worker has it');

# Found by looking

my $poll = sub {
    my ($what, $i) = @_;
    my $version = $s->status(0)->{shared_list}{version};
    $redis->cmd(qw(CLIENT KILL TYPE pubsub));
    is($s->list($i, ($what eq 'add' ? 'add' : 'remove') => $rule), 200, "$what at node $i as channels are cut");
    soon(sub { $s->everywhere($version + 1) && 6 == grep { role($_) eq ($what eq 'add' ? $bob : $none) } @worker },
        'reaches every worker');
};
$poll->('remove', 1);
$poll->('add', 2);

# with no channel at all, for good: the right to subscribe is taken away
$redis->cmd('ACL', 'SETUSER', 'default', 'resetchannels', '-subscribe');
$redis->cmd(qw(CLIENT KILL TYPE pubsub));
soon(sub { $redis->cmd(qw(CLIENT LIST TYPE pubsub)) eq '' }, 'nobody listens');
$poll->('remove', 0);
$poll->('add', 1);
is($redis->cmd(qw(CLIENT LIST TYPE pubsub)), '', 'and nobody did');
$redis->cmd('ACL', 'SETUSER', 'default', 'allchannels', '+@all');

# Cut off

my $v = $s->status(0)->{shared_list}{version};
my $r = $s->status(0)->{revocations}{version};
my %session = map { $_ => $s->login(0, $_) } 'bob', 'EXCH01$', 'SP01$';
for my $i (0 .. 2) {
    soon(sub { $s->at($i, cookie => $session{'bob'}) eq $bob && $s->at($i, cookie => $session{$_}) =~ /^200/ }, "$_ is known at node $i")
        for 'EXCH01$', 'SP01$';
}
$wire[2]->mode('cut');
soon(sub { $s->status(2)->{redis}{state} ne 'up' }, 'node 2 is cut off');
is($s->list(0, add => 'user account=alice@RMS.TEST'), 200, 'the list changes at node 0');
is($s->list(2, add => 'user account=x@RMS.TEST'), 503, 'and not at node 2');
is($s->revoke(2, 'account=bob%40RMS.TEST'), 'pending', 'bob is revoked at node 2');
is($s->revoke(2, 'account=y%40RMS.TEST'), 'pending', 'and another, so that it has counted further');
is($s->revoke(0, 'account=EXCH01%24%40RMS.TEST'), 'stored', 'EXCH01$ is revoked at node 0');
is($s->at(2, cookie => $session{bob}), 401, 'bob is nobody at node 2');
is($s->at(0, cookie => $session{'EXCH01$'}), 401, 'and EXCH01$ at node 0');
$wire[2]->mode('pass');
for my $i (0 .. 2) {
    soon(sub { $s->status($i)->{shared_list}{version} == $v + 1 }, "node $i has the list when the wire is whole");
    soon(sub { $s->at($i, cookie => $session{$_}) eq 401 }, "and node $i knows that $_ is revoked") for 'bob', 'EXCH01$';
    like($s->at($i, cookie => $session{'SP01$'}), qr/^200/, 'and who was not goes on');
}
soon(sub { my %n = map { $s->status($_)->{revocations}{version} => 1 } 0 .. 2; keys %n == 1 && $s->everywhere(undef, keys %n) },
    'all have the same revocations, and so has Redis');
$session{again} = $s->login(1, 'bob');
soon(sub { 3 == grep { $s->at($_, cookie => $session{again}) eq $bob } 0 .. 2 }, 'a new session is good everywhere');

# A start without Redis

$redis->kill9;
$s->node(1)->quit;
$s->node(1)->start;
is($s->status(1)->{shared_list}{version}, $v + 1, 'a node that starts without Redis has the list of its state file');
is($s->at(1, account => 'bob'), $bob, 'and goes by it');
is($s->at(1, cookie => $session{'EXCH01$'}), 401, 'and knows no session');
$redis->start(empty => 1);
soon(sub { $s->everywhere($v + 1) }, 'Redis that comes back empty gets it from the nodes');
$s->ready;

# Too old

my ($wire, $old) = (proxy($redis->at));
my $one = sub {
    my ($location) = @_;
    return shared($redis, nodes => 1, location => $location, conf => sub { $redis->conf(server => $wire->at) });
};
$old = $one->("rms_acl_max_age 3s;\n");
soon(sub { $old->at(0, account => 'bob') eq $bob }, 'a node with rms_acl_max_age is open');
$wire->mode('blackhole');
soon(sub { $old->at(0, account => 'bob') eq 503 }, 'and closes when its list is too old');
like($old->node(0)->error_log, qr/list_stale|too old|shared list/, 'which the log tells');
is($old->status(0)->{shared_list}{version}, $s->status(0)->{shared_list}{version}, 'though it has one');
$wire->mode('pass');
soon(sub { $old->at(0, account => 'bob') eq $bob }, 'it opens again');

$old = $one->("rms_on_store_error deny;\n");
soon(sub { $old->at(0, account => 'bob') eq $bob }, 'a node with rms_on_store_error deny is open');
my $had = $old->login(0, 'bob');
$wire->mode('cut');
soon(sub { $old->at(0, cookie => $had) eq 503 }, 'and closes without Redis, to sessions too');
ok($old->{last}->header('retry-after'), 'with Retry-After');
$wire->mode('pass');
soon(sub { $old->at(0, cookie => $had) eq $bob }, 'it opens again, and knows its sessions');

done_testing();
