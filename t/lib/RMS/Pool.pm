package RMS::Pool;

# Nodes that are all the same, behind a balancer that gives each new connection to
# the next of them:
#
#   my $pool = pool(nodes => 3, balancer => 'haproxy', conf => { http => $redis->conf });
#   my $r = http(client => $pool->client, path => ..., account => 'EXCH01$');
#   http(client => $pool->client(1), ...);      # at node 1, past the balancer
#   $pool->node(1)->kill9;
#   $pool->node(1)->start;
#   $pool->wait_served(1);
#   load($pool, ...);                           # RMS::Load
#
# Each node has a prefix, a zone and an address of its own, and the port, the names
# and the keytab of all.  A node is an RMS::Nginx: start, stop, quit, kill9, reload,
# workers, error_log, access_log.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use IO::Socket::INET;

use RMS::Client ();
use RMS::Env;
use RMS::Load;
use RMS::Nginx;
use RMS::Standin;

our @EXPORT = qw(pool);

my $NODES_MAX = 4;

# pool(%o) - starts the nodes and the balancer.
#   nodes     how many, up to 4 (default 2)
#   balancer  "nginx" (stream, default), "haproxy" (tcp, asks /rms/health), '' for
#             none: the pool's address is that of node 0
#   conf      parameters of RMS::Nginx::conf, or a sub that gets the number of a
#             node and returns them.  Default backend: recorder(); sessions by
#             cookie are on in "location /".  X-Who and X-Node tell for whom an
#             answer is, and from which node.
sub pool {
    my (%o) = @_;
    my $n = $o{nodes} || 2;
    croak "$n nodes" if $n > $NODES_MAX;
    my @addr = map { node_addr($_) } 0 .. $n - 1;
    my $port = common_port(@addr);
    my $self = bless { kind => defined $o{balancer} ? $o{balancer} : 'nginx', conf => $o{conf} || {},
        node_addr => \@addr, node_port => $port, addr => $addr[0], port => $port }, __PACKAGE__;
    push @{ $self->{node} }, nginx($self->node_conf($_)) for 0 .. $n - 1;
    $self->balance if $self->{kind};
    return $self;
}

# node_addr($i) - addr() with another second byte: 64 to 127 are those of addr(), the
# other three quarters are of further nodes.
sub node_addr {
    my ($i) = @_;
    my @byte = split /\./, addr();
    $byte[1] = ($byte[1] + 64 * $i) % 256;
    return join '.', @byte;
}

sub common_port {
    my (@addr) = @_;
    while (1) {
        my $port = free_port();
        my @free = grep { IO::Socket::INET->new(LocalAddr => $_, LocalPort => $port, Listen => 1) } @addr;
        return $port if @free == @addr;
    }
}

# node_conf($i) - the configuration of a node: what was given, and the rest.
sub node_conf {
    my ($self, $i) = @_;
    my $given = $self->{conf};
    my %p = %{ ref $given eq 'CODE' ? $given->($i) : $given };
    $p{server} = 'add_header X-Who "$rms_account $rms_role" always;'
        . "\nadd_header X-Node \$server_addr always;\n" . ($p{server} || '');
    $p{location} = 'rms_session cookie;' unless defined $p{location};
    $p{pass} = 'azure' unless $p{backends} || defined $p{pass};
    $p{backends} ||= [{ name => 'azure', kind => 'azure', base => "@RMS::Standin::BASES",
        proxy => recorder()->url }];
    return conf(connections => 4096, %p, addr => $self->{node_addr}[$i], port => $self->{node_port});
}

# node($i), nodes() - RMS::Nginx.
sub node  { return $_[0]{node}[ $_[1] ] }
sub nodes { return @{ $_[0]{node} } }

# reload($i, $conf) - a node; with another configuration for all of them, as of pool(),
# if there is one: those that are not reloaded keep theirs.
sub reload {
    my ($self, $i, $conf) = @_;
    $self->{conf} = $conf if $conf;
    return $self->node($i)->reload($self->node_conf($i));
}

# client() - a connection to the balancer.    client($i) - to a node.  Options as of
# RMS::Client.
sub client {
    my ($self, $i, %o) = @_;
    return RMS::Client::client($self->{addr}, $self->{port}, %o) unless defined $i;
    return RMS::Client::client($self->{node_addr}[$i], $self->{node_port}, %o);
}

# status($i) - what rms_status of a node says.
sub status {
    my ($self, $i) = @_;
    my $c = $self->client($i);
    $c->request(path => '/rms/status', headers => [['Connection', 'close']]);
    return $RMS::Standin::JSON->decode($c->response->body);
}

# number($addr) - of the node with this address.
sub number {
    my ($self, $addr) = @_;
    my ($i) = grep { $self->{node_addr}[$_] eq $addr } 0 .. $#{ $self->{node_addr} };
    return $i;
}

# served() - the number of the node that gets the next connection, undef: none.
sub served {
    my ($self) = @_;
    my $r = eval {
        my $c = $self->client(undef, timeout => 10);
        $c->request(path => '/rms/status', headers => [['Connection', 'close']]);
        $c->response;
    };
    return $r ? $self->number($r->header('x-node')) : undef;
}

# wait_served($i) - until the balancer gives connections to it (again).
sub wait_served {
    my ($self, $i) = @_;
    return wait_for(sub { my $n = $self->served; defined $n && $n == $i }, "node $i is served");
}


# The balancers.

sub balance {
    my ($self) = @_;
    @$self{qw(addr port)} = (addr(), free_port());
    my @at = map {"$_:$self->{node_port}"} @{ $self->{node_addr} };
    return $self->{kind} eq 'haproxy' ? $self->haproxy(@at) : $self->stream(@at);
}

sub stream {
    my ($self, @at) = @_;
    my $servers = join '', map {"server $_ max_fails=1 fail_timeout=1s;\n"} @at;
    my ($prefix, $pid) = plain_nginx('balancer', $self->{addr}, $self->{port}, <<"X");
stream {
log_format session '\$remote_addr:\$remote_port \$upstream_addr';
access_log \@PREFIX\@/sessions.log session;
upstream nodes {
$servers}
server {
    listen $self->{addr}:$self->{port};
    proxy_connect_timeout 5s;
    proxy_timeout 60s;
    proxy_pass nodes;
}
}
X
    @$self{qw(pid log)} = ($pid, "$prefix/sessions.log");
    return;
}

sub haproxy {
    my ($self, @at) = @_;
    my $user = $> == 0 ? 'user ' . worker_user() . "\n    group " . worker_group() : '';
    my $servers = join '', map {"    server node$_ $at[$_]\n"} 0 .. $#at;
    my $conf = spew(dir() . "/haproxy.$self->{port}.cfg", <<"X");
global
    nbthread 1
    log stdout format raw daemon
    $user
defaults
    mode tcp
    log global
    log-format "%ci:%cp %si:%sp"
    option redispatch 1
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 5s
frontend rms
    bind $self->{addr}:$self->{port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /rms/health
    http-check expect status 200
    default-server check inter 200ms fall 2 rise 1
$servers
X
    $self->{log} = dir() . "/haproxy.$self->{port}.out";
    $self->{pid} = spawn('haproxy', ['/usr/sbin/haproxy', '-db', '-f', $conf], out => $self->{log});
    eval { wait_port($self->{addr}, $self->{port}, $self->{pid}); 1 } or croak $@ . slurp($self->{log});
    return;
}

# sessions() - { "ADDR:PORT" of a client => [number of the node, ...] }, oldest first;
# undef where the balancer reached none.
sub sessions {
    my ($self) = @_;
    my %sessions;
    for my $line (split /\n/, slurp($self->{log})) {
        my ($client, $nodes) = $line =~ /^([\d.]+:\d+) (\S+(?:, \S+)*)$/ or next;
        my ($addr) = (split /, /, $nodes)[-1] =~ /^([\d.]+):\d+$/;
        push @{ $sessions{$client} }, defined $addr ? $self->number($addr) : undef;
    }
    return \%sessions;
}

# last_session($client) - the node of a client's last connection, by its address and
# port, once it has ended.
sub last_session {
    my ($self, $client) = @_;
    return undef unless $client && $self->{log};
    my $all = eval {
        wait_for(sub { my $s = $self->sessions; $s->{$client} && $s }, "the session of $client", 3);
    } or return undef;
    return $all->{$client}[-1];
}

1;
