# The examples for a pool, and what stands beside them in ha/: two nodes, a Redis by
# the shipped lines and with the rights the shipped user has, the balancers.  They
# load, and do what docs/high-availability.md says.

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/demo";
use RMS::Test;

use Conf;
use JSON::PP;
use RMS::Load;
use RMS::Pool;
use RMS::Redis;

my $ha = root() . '/conf-examples/ha';
my $HOST = 'rmsconnector.contoso.com';
my @addr = map { RMS::Pool::node_addr($_) } 0, 1;
my $identity = 'Bearer identity-of-the-examples';

kdc(realm => 'CONTOSO.COM', services => ["HTTP/$HOST"]);
my %file = (identity => "$identity\n", seal => sprintf("%064x\n", 7919), pass => "$RMS::Redis::PASSWORD\n");
share_with_worker(spew(dir() . "/$_", $file{$_})) for keys %file;
my $worker = $> == 0 ? 'user ' . worker_user() . ' ' . worker_group() : '';
my (@node, @started, $port, $own, %exercised);

# redis_lines() - the shipped redis.conf without addresses and paths
sub redis_lines {
    return grep { !/^(?:#|\s*$|bind|port|tls-|aclfile|appendonly)/ } split /\n/, slurp("$ha/redis.conf");
}

# rights() - of the shipped user
sub rights {
    my ($rights) = slurp("$ha/users.acl") =~ /^user rms on >\S+ (.*)$/m;
    return $rights;
}

# nodes($path, rms_redis lines) - starts two nodes by an example, of one worker each:
# what one says of Redis is then so
sub nodes {
    my ($path, $redis) = @_;
    my ($file) = $path =~ m{([^/]+)\z};
    $exercised{$path}++;
    my $conf = bless { tree => Conf::parse(slurp(root() . "/$path")), dir => root() . '/conf-examples', hosts => [$HOST] }, 'Conf';
    my ($backend) = map { $conf->backend($_) } Conf::find($conf->{tree}, 'rms_backend');
    standin(azure => { base => $backend->{first}, rebase => $backend->{first}, tls => 1, require_authorization => $identity });
    my %port;
    $port{$_} = RMS::Pool::common_port(@addr) for 443, 8443;
    ($port, $own) = @port{ 443, 8443 };
    $conf->{tree} = [grep { $_->[0] !~ /^(?:error_log|user)$/ } @{ $conf->{tree} }];
    @node = ();
    for my $i (0, 1) {
        my $prefix = dir() . "/$file.$i";
        mkdir $_ for $prefix, "$prefix/state";
        chown scalar getpwnam(worker_user()), -1, "$prefix/state" if $> == 0;
        my $text = $conf->relocate(prefix => $prefix, module => RMS::Nginx::module(), keytab => kdc()->keytab,
            identity => dir() . '/identity', upstream => { $backend->{upstream} => addr() . ':' . standin()->port('azure') },
            port => sub { $port{ $_[0] } });
        my %path = (rms_seal_key_file => dir() . '/seal', rms_state_file => "$prefix/state/state", set_real_ip_from => '127.0.0.0/8');
        $text =~ s/^( *)($_) .*;$/$1$2 $path{$_};/m for keys %path;
        $text =~ s/^    rms_redis \{.*?^    \}$/$redis/ms;
        $text =~ s/^pid .*\n//m;
        $text =~ s/^(worker_processes) auto;$/$1 1;/m;
        $text =~ s/\blisten \Q@{[addr()]}\E:/listen $addr[$i]:/g;
        push @node, nginx("# port $own\n" . ($worker && "$worker;\n") . $text);
        is(scalar(() = $node[$i]{said} =~ /\[warn\]/g), 0, "$file loads without a warning") or diag $node[$i]{said};
        push @started, $node[$i];
        $node[$i]{rms_log} = "$prefix/rms.log";
    }
    return;
}

# ask($i, $path, %o) - at a node; undef: through the balancer at $port
sub ask {
    my ($i, $path, %o) = @_;
    my ($at, $to) = defined $i ? ($own, $addr[$i]) : ($port, addr());
    return curl("https://$HOST:$at$path", addr => $to, %o);
}

sub licence {
    my ($i, %o) = @_;
    my $m = sample('07');
    return ask($i, $m->{path}, body => $m->{request}, headers => [map({"$_->[0]: $_->[1]"} @{ $m->{headers} }), @{ delete $o{headers} || [] }], %o);
}

sub status { return decode_json(ask($_[0], '/rms/admin/status', account => 'alice')->body) }
sub health { my $r = ask($_[0], '/rms/health'); return $r->status . ' ' . $r->body =~ s/\n\z//r }

# cookie($r) - what a browser would send
sub cookie {
    my ($r) = @_;
    my ($pair, $rest) = map {/^([^;]+);(.*)/} $r->all('set-cookie');
    like($rest || '', qr/Secure/, 'a cookie for TLS alone');
    return 'Cookie: ' . ($pair || 'none');
}

sub soon { my ($sub, $name) = @_; return ok(eval { wait_for($sub, $name); 1 }, $name) }

sub together {
    my ($i) = @_;
    return soon(sub { my $s = status($i); $s->{redis}{state} eq 'up' && !$s->{shared_list}{stale} && @{ $s->{pool}{nodes} } == 2 }, 'both nodes see the pool');
}

# change($i, \@rules) - of the shared list, at a node
sub change {
    my ($i, @rules) = @_;
    my $tag = ask($i, '/rms/admin/list', account => 'alice')->header('etag');
    my $r = ask($i, '/rms/admin/list', account => 'alice', body => encode_json({ op => 'replace', rules => \@rules }),
        headers => ['Content-Type: application/json', "If-Match: $tag"]);
    return $r->status . ' ' . (eval { decode_json($r->body)->{stored} } || $r->body);
}

sub drain { return ask($_[0], "/rms/admin/drain?on=$_[1]", account => 'alice', method => 'POST', headers => ['X-RMS-Admin: 1'])->status }

# used() - which nodes have answered since the last time
my @seen;
sub used {
    my @now = map { scalar(() = slurp($_->{rms_log}) =~ /\n/g) } @node;
    my @used = grep { $now[$_] > ($seen[$_] || 0) } 0, 1;
    @seen = @now;
    return "@used";
}

# What both do

sub sessions {
    my $r = licence(0, account => 'EXCH01$');
    is($r->status, 200, 'a login at one node') or diag $node[0]->error_log;
    my $cookie = cookie($r);
    soon(sub { licence(1, headers => [$cookie])->status == 200 }, 'is known at the other');
    is(licence(1, account => 'SP01$')->status, 500, 'who is not on the list is refused');
    is(change(0, 'exchange account=EXCH01$@CONTOSO.COM', 'sharepoint account=SP01$@CONTOSO.COM'), '200 redis', 'a change of the list at one node');
    soon(sub { licence(1, account => 'SP01$')->status == 200 }, 'counts at the other');
    return $cookie;
}

# balanced() - logins through the balancer reach both nodes, and tell whose they are
sub balanced {
    my ($what) = @_;
    my ($from) = addr() =~ s/\.\d+$/.77/r;
    used();
    my %used;
    soon(sub { licence(undef, account => 'EXCH01$', from => $from)->status == 200 or die 'refused'; $used{$_}++ for split / /, used(); keys %used == 2 },
        "$what gives both nodes something to do");
    like(slurp($node[0]{rms_log}), qr/^\Q$from\E .*account="EXCH01/m, 'and tells who the client is');
}

# The pool of connector-ha.conf

{
    local $RMS::Redis::RULES = rights();
    my $redis = redis('tls', lines => [redis_lines()]);
    nodes('conf-examples/connector-ha.conf', $redis->conf);
    together($_) for 0, 1;
    my $cookie = sessions();
    is(health($_), '200 ok', 'a node is well') for 0, 1;

    # HAProxy
    ($port, my $listen) = (free_port(), $port);
    my $cfg = slurp("$ha/haproxy.cfg");
    $cfg =~ s{log /dev/log local0}{log stdout format raw daemon};
    $cfg =~ s/^    user haproxy\n    group haproxy$/$worker ? "    user @{[worker_user()]}\n    group @{[worker_group()]}" : ''/me;
    $cfg =~ s/bind :443/"bind " . addr() . ":$port"/e;
    $cfg =~ s/10\.0\.0\.1([12]):443/$addr[$1 - 1] . ":$listen"/ge;
    $cfg =~ s/check port 8443/check port $own/;
    $cfg =~ s{/etc/haproxy/rms-ca\.pem}{ca()}e;
    $cfg =~ s/inter 2s fall 2/inter 200ms fall 2/;
    my $out = dir() . '/haproxy.out';
    my $pid = spawn('haproxy', ['/usr/sbin/haproxy', '-db', '-f', spew(dir() . '/haproxy.cfg', $cfg)], out => $out);
    eval { wait_port(addr(), $port, $pid) } or diag slurp($out);
    balanced('HAProxy');
    is(drain(0, 1), 200, 'an admin drains a node');
    is(health(0), '503 draining', 'which says so');
    soon(sub { used(); licence(undef, headers => [$cookie])->status == 200 && used() eq '1' } , 'a request goes to the other');
    soon(sub { slurp($out) =~ /Server nodes\/node1 is DOWN/ }, 'HAProxy takes it out');
    used();
    is(join(' ', map { licence(undef, headers => [$cookie])->status } 1 .. 4), '200 200 200 200', 'from then on');
    is(used(), '1', '  all go to the other');
    is(drain(0, 0), 200, 'not any more');
    soon(sub { licence(undef, headers => [$cookie])->status == 200 && used() =~ /0/ }, 'it is back');
    stop_process($pid);

    # nginx
    my $stream = slurp("$ha/nginx-stream.conf") =~ s/\A.*^(?=stream)//msr;
    ($port) = free_port();
    $stream =~ s/listen( +)443/"listen$1" . addr() . ":$port"/e;
    $stream =~ s/10\.0\.0\.1([12]):443/$addr[$1 - 1] . ":$listen"/ge;
    (undef, $pid) = plain_nginx('stream', addr(), $port, $stream);
    balanced('nginx');
    stop_process($pid);

    # without Redis
    is_deeply($redis->cmd(qw(ACL LOG)), [], 'the shipped user may all that nodes ask for');
    $redis->kill9;
    soon(sub { $node[$_]->error_log =~ /event=3001 redis away: stage=connect/ }, 'Redis is gone') for 0, 1;
    is(licence(1, headers => [$cookie])->status, 200, 'who is known goes on');
    is(licence(0, account => 'EXCH01$')->status, 200, 'and who logs in');
    is(health($_), '200 ok', 'a node alone is well') for 0, 1;
    like(change(0), qr/^503 Redis cannot be reached; nothing was changed/, 'the list cannot be changed');
    $redis->start;
    together($_) for 0, 1;
    is(licence(1, account => 'SP01$')->status, 200, 'and the list is what it was');
    $_->stop for @node;
    standin()->stop;
}

# The pool of connector-ha-sentinel.conf

{
    my $group = redis_sentinel(lines => [redis_lines(), qq(user rms on ">$RMS::Redis::PASSWORD" ) . rights()]);
    @seen = ();
    nodes('conf-examples/connector-ha-sentinel.conf', $group->conf(username => 'rms', password_file => dir() . '/pass'));
    together($_) for 0, 1;
    is(licence(0, account => 'EXCH01$')->status, 500, 'an empty list admits nobody');
    is(change(0, 'exchange account=EXCH01$@CONTOSO.COM'), '200 redis', 'a list');
    is(licence(0, account => 'EXCH01$')->status, 200, 'admits whom it names');
    my $cookie = sessions();
    my $old = $group->master;
    $old->kill9;
    my $master = $group->wait_master($old);
    together($_) for 0, 1;
    for my $i (0, 1) {
        soon(sub { licence($i, headers => [$cookie])->status == 200 }, 'after a fail-over the session is known');
        soon(sub { health($i) eq '200 ok' }, '  and the node is well');
    }
    $_->kill9 for grep { alive($_->{pid}) } $group->servers;
    soon(sub { health($_) eq '503 store away' }, 'without Redis a node is out') for 0, 1;
    my $r = licence(1, headers => [$cookie]);
    is($r->status . ' ' . $r->header('retry-after'), '503 10', 'a session is refused');
    is(licence(0, account => 'EXCH01$')->status, 503, 'and a login');
    is(ask(0, '/rms/admin/status', account => 'alice')->status, 200, 'an administrator is not');
    $master->start;
    soon(sub { health($_) eq '200 ok' }, 'with it the node is back') for 0, 1;
    soon(sub { licence($_, account => 'SP01$')->status == 200 }, 'and goes by its list') for 0, 1;
    $_->stop for @node;
}

# Redis and a Sentinel by the shipped users

{
    my $redis = redis('single', lines => ['aclfile ' . spew(dir() . '/users.acl', "user default on nopass ~* &* +\@all\n"
        . slurp("$ha/users.acl") =~ s/^user default .*\n//mr), redis_lines()]);
    my $at = free_port();
    my $lines = slurp("$ha/sentinel.conf") =~ s/^bind .*/'bind ' . addr()/mer =~ s/^port .*/port $at/mr
        =~ s/(monitor rms) 10\.0\.1\.11 6379 2/"$1 " . addr() . ' ' . $redis->port . ' 1'/er;
    mkdir my $folder = dir() . '/sentinel';
    my $pid = spawn('sentinel', ['/usr/bin/redis-sentinel', spew("$folder/sentinel.conf", "${lines}dir $folder\nprotected-mode no\n")]);
    wait_port(addr(), $at, $pid);
    my $said = sub { (run(['redis-cli', '-h', addr(), '-p', $at, 'SENTINEL', @_]))[1] };
    soon(sub { $said->('ckquorum', 'rms') =~ /^OK/ && $redis->info('clients')->{connected_clients} > 1 }, 'the shipped Sentinel finds the master');
    soon(sub { $redis->cmd('CLIENT', 'LIST') =~ /name=sentinel-\S+-cmd .*user=sentinel/ }, '  as the shipped user');
    soon(sub { my $calls = $redis->calls; !grep { !$calls->{$_} } qw(info publish subscribe) }, '  does its work');
    is_deeply($redis->cmd(qw(ACL LOG)), [], '  who may all that it asks for');
    stop_process($pid);
}

is_deeply([sort keys %exercised], [map { substr $_, 1 + length root() } sort grep {/-ha\b/} glob root() . '/conf-examples/*.conf'], 'every example for a pool is exercised');
is_deeply([violations()], [], 'the backends saw nothing odd');
for my $n (@started) {
    unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
    is(index($n->error_log, $identity), -1, 'the identity is not in it');
}

done_testing();
