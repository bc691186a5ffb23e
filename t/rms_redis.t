# Redis as a node finds it: which server, by which way, what it says when there
# is none, and how it comes back by itself.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use IO::Socket::INET;

use RMS::Proxy;
use RMS::Redis;

standin(azure => {});

my $seal = spew(dir() . '/seal.keys', sprintf "%064x\n", 7919);
share_with_worker($seal);

# node($block, %p) - nginx with that rms_redis block, in the place of the one before
my $running;
sub node {
    my ($block, %p) = @_;
    $running->stop if $running;
    return $running = nginx(%p, http => "rms_seal_key_file $seal;\n$block" . ($p{http} || ''));
}

# status() - what the status says of Redis
sub status { return JSON::PP->new->utf8->decode(http(path => '/rms/')->body)->{redis} }

sub counters { return JSON::PP->new->utf8->decode(http(path => '/rms/')->body)->{counters} }

# up($what, $server, role) - commands have a server, and it is this one
sub up {
    my ($what, $server) = @_;
    my $s;
    ok(eval { wait_for(sub { $s = status(); $s->{state} eq 'up' && (!$server || $s->{server} eq $server) }, 'up') }, $what)
        or diag explain $s, grep {/redis/} split /^/, nginx()->error_log;
    is($s->{role}, 'master', '  a master');
    return $s;
}

# away($what, $stage, $why) - there is none, with that reason, and event 3001
sub away {
    my ($what, $stage, $why) = @_;
    my $s;
    ok(eval { wait_for(sub { $s = status(); $s->{state} eq 'away' && ($s->{stage} || '') eq $stage && $s->{why} =~ $why }, 'away') }, $what)
        or diag explain $s, grep {/redis/} split /^/, nginx()->error_log;
    ok(nginx()->error_log =~ /\[error\] .*rms event=3001 redis away: stage=$stage .*$why/, '  and event 3001')
        or diag grep {/redis/} split /^/, nginx()->error_log;
    return $s;
}

sub events { my $n = () = nginx()->error_log =~ /event=3001 redis away: $_[0]/g; return $n }

# A server

my $r = redis();
my $n = node($r->conf);
my $s = up('a server', $r->at);
is($s->{failed}, undef, '  with nothing to tell of a failure');
like($n->error_log, qr/\[info\] .*rms redis connected: server="\Q@{[$r->at]}\E"/, '  and a line');
my ($auth, $select) = @{ $r->calls }{qw(auth select)};
is(($auth || 0) + ($select || 0), 0, '  no AUTH, no SELECT where none is needed');

# killed and started again

$r->kill9;
away('killed', 'connect', qr/connect\(\) failed \(111: Connection refused\)/);
$r->start;
up('back by itself', $r->at);
like($n->error_log, qr/\[notice\] .*rms redis is back: server="\Q@{[$r->at]}\E" after=\d+s/, '  and a line');
is(status()->{stage}, 'connect', '  the last failure can still be read');
is(counters()->{redis_reconnects}, 1, '  and it counts');

# an outage is told once, however often it is tried

$r->kill9;
away('killed again', 'connect', qr/refused/);
my $told = events('stage=connect');
my $failed = status()->{failed};
wait_for(sub { status()->{failed} > $failed }, 'another try');
is(events('stage=connect'), $told, 'further tries say nothing new');
$r->start;
up('back again', $r->at);

# frozen: the kernel still takes connections, and nobody answers

$r->freeze;
away('frozen', 'command', qr/no answer within 500 ms, 3 times/);
cmp_ok(counters()->{redis_timeouts}, '>=', 3, '  counted');
$r->thaw;
up('thawed', $r->at);

# a moment late is not away: answers are dropped in their order, and it goes on

my ($timeouts, $reconnects) = @{ counters() }{qw(redis_timeouts redis_reconnects)};
my $before = events('');
$r->freeze;
wait_for(sub { counters()->{redis_timeouts} > $timeouts }, 'a late answer');
$r->thaw;
my $roles = $r->calls->{role};
ok(eval { wait_for(sub { $r->calls->{role} > $roles + 2 }, 'looks') }, 'after a late answer others come');
is(counters()->{redis_reconnects}, $reconnects, '  over the same connection');
is(events(''), $before, '  and it was no outage');

# another role, by hand

my $other = redis();
$r->cmd('REPLICAOF', $other->{addr}, $other->port);
away('made a replica', 'role', qr/the server is a replica/);
$r->cmd(qw(REPLICAOF NO ONE));
up('made a master again', $r->at);
is(scalar(grep { /redis/ && /\[(?:alert|emerg|crit)\]/ } split /^/, $n->error_log), 0, 'nothing alarming');
is(scalar(grep { /\[error\]/ && !/event=3001/ } split /^/, $n->error_log), 0, 'and no lines of nginx for each try');

# several servers

my $g = redis_replicas(1);
node($g->conf(server => [map { $_->at } reverse $g->servers]));
up('a replica is first in the list: the master is used', $g->server(0)->at);
is(events(''), 0, '  and that is no outage');
$g->server(0)->kill9;
$s = away('the master is killed', 'role', qr/refused/);
like($s->{why}, qr/"\Q@{[$g->server(1)->at]}\E": the server is a replica/, '  each server is told');
$g->server(1)->cmd(qw(REPLICAOF NO ONE));
up('the replica is made a master', $g->server(1)->at);

# another database, and a socket

my $unix = redis('unix');
node($unix->conf(database => 5));
up('a unix socket', 'unix:' . $unix->at);
cmp_ok($unix->calls->{select} || 0, '>=', 1, '  and another database');
$unix->kill9;
away('killed, at its socket', 'connect', qr/Connection refused/);
$failed = status()->{failed};
wait_for(sub { status()->{failed} > $failed }, 'another try');
is(scalar(grep { /\[(?:crit|error)\]/ && !/event=3001/ } split /^/, nginx()->error_log), 0, '  and no lines of nginx for each try');
$unix->start;
up('back, at its socket');
node($unix->conf(database => 99));
away('a database that is not there', 'command', qr/SELECT: ERR DB index is out of range/);

# TLS and a user with a password

my $tls = redis('tls');
node($tls->conf);
up('TLS, a user and a password', $tls->at);
$tls->kill9;
away('killed, with TLS', 'connect', qr/refused/);
$tls->start;
up('back, with TLS', $tls->at);
is_deeply([no_secrets($RMS::Redis::PASSWORD)], [], 'no password in a log');

node($tls->conf(tls_name => 'other.rms.test'));
away('the certificate of another name', 'TLS', qr/not for "other\.rms\.test"; see "tls_name"/);

node($tls->conf(tls_name => undef));
away('an address that is not in the certificate', 'TLS', qr/not for "@{[addr()]}"/);

my $d = dir();
RMS::Certs::openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis),
    '-keyout', "$d/ip.key", '-out', "$d/ip.csr");
spew("$d/ip.ext", "subjectAltName=DNS:$RMS::Redis::TLS_NAME,IP:" . addr() . "\n");
RMS::Certs::openssl(qw(x509 -req -days 3 -in), "$d/ip.csr", '-CA', ca(), '-CAkey', "$d/ca.key", '-CAcreateserial',
    '-extfile', "$d/ip.ext", '-out', "$d/ip.pem");
my $by_address = redis('tls', lines => ["tls-cert-file $d/ip.pem", "tls-key-file $d/ip.key"]);
node($by_address->conf(tls_name => undef));
up('and one that is', $by_address->at);

RMS::Certs::openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj),
    '/CN=Another CA', '-keyout', dir() . '/other.key', '-out', dir() . '/other.pem');
node($tls->conf(tls_ca => dir() . '/other.pem'));
away('the certificate of another CA', 'TLS', qr/certificate is not good: /);

node($r->conf(tls => 'on', tls_ca => ca(), tls_name => 'r.rms.test'));
away('TLS to a server without', 'TLS', qr/handshake|closed the connection|no answer/);

my $wrong = spew(dir() . '/wrong.pass', "not the secret of anybody\n");
share_with_worker($wrong);
node($tls->conf(password_file => $wrong));
away('a wrong password', 'auth', qr/refuses this user name and password/);
is_deeply([no_secrets('not the secret of anybody')], [], 'which is in no log either');

node($tls->conf(username => undef, password_file => undef));
away('no password', 'auth', qr/wants a password; write "password_file"/);

node($tls->conf(prefix => 'other:'));
away('keys the user may not look for', 'auth', qr/may not EXISTS/);

node($r->conf(username => 'rms', password_file => $wrong));
away('a user where there are none', 'auth', qr/refuses this user name and password/);

# names

my $dns = IO::Socket::INET->new(LocalAddr => addr(), Proto => 'udp') or die "udp: $!";
my %names;

# dns($seconds) - answers queries for so long
sub dns {
    my $in = '';
    vec($in, fileno $dns, 1) = 1;
    while (select(my $ready = $in, undef, undef, 0.05)) {
        my $from = recv($dns, my $query, 512, 0);
        my ($name, @labels) = (substr($query, 12), ());
        while (length(my $label = unpack 'C/a', $name)) {
            push @labels, $label;
            substr($name, 0, 1 + length $label) = '';
        }
        my $type = unpack 'n', substr $name, 1;
        my @ips = $type == 1 ? @{ $names{ join '.', @labels } || [] } : ();
        my $known = $names{ join '.', @labels };
        my $question = substr $query, 12, 5 + length(join '', map {"x$_"} @labels);
        my $answer = substr($query, 0, 2) . pack('n5', $known ? 0x8180 : 0x8183, 1, scalar @ips, 0, 0) . $question
            . join '', map { pack('n3Nn', 0xc00c, 1, 1, 0, 4) . pack('C4', split /\./) } @ips;
        send $dns, $answer, 0, $from;
    }
    return 1;
}

my $resolver = 'resolver ' . addr() . ':' . $dns->sockport . " ipv6=off;\nresolver_timeout 1s;\n";
(my $none = addr()) =~ s/\d+$/255/;
$names{'redis.rms.test'} = [$none, addr()];
my $named = 'redis.rms.test:' . $r->port;
node($r->conf(server => $named), http => $resolver);
ok(eval { wait_for(sub { dns(); status()->{state} eq 'up' }, 'up') }, 'a name, with an address that is not there beside the right one')
    or diag explain status();
is(status()->{server}, $named, '  as it was written');

node($r->conf(server => 'nowhere.rms.test:6379'), http => $resolver);
ok(eval { wait_for(sub { dns(); (status()->{stage} || '') eq 'resolve' }, 'resolve') }, 'a name that is none') or diag explain status();
like(status()->{why}, qr/Host not found/, '  says so');

# that IPv6 is an address, and needs no resolver
my ($status, $said) = nginx_t(conf(http => "rms_seal_key_file $seal;\n" . $r->conf(server => '[::1]:6379')));
is($status, 0, 'an address of IPv6') or diag $said;

# the wire

my $wire = proxy($r->at);
node($r->conf(server => $wire->at));
up('through a wire', $wire->at);
$wire->mode('garbage');
away('garbage', 'parse', qr/does not speak Redis's protocol/);
$wire->mode('pass');
up('good again');
$wire->mode('half');
away('half an answer', 'command', qr/closed the connection/);
$wire->mode('pass');
up('and whole again');
$wire->mode('blackhole');
away('nothing goes through', 'command', qr/no answer/);
$wire->mode('pass');
up('and again everything');
$wire->mode('cut');
away('cut', 'command', qr/closed the connection|broke/);
$wire->mode('pass');
up('and mended');

# servers that say what they like

# liar($bytes, $more) - a server that answers each packet with that, and so many
# bytes behind it
sub liar {
    my ($bytes, $more) = @_;
    my $port = free_port();
    my $pid = spawn("liar.$port", [$^X, '-e', <<'X', addr(), $port, unpack('H*', $bytes), $more || 0]);
use IO::Socket::INET;
$SIG{PIPE} = 'IGNORE';
my $l = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1], Listen => 9, ReuseAddr => 1) or die $!;
my $bytes = pack 'H*', $ARGV[2];
while (1) {
    my $s = $l->accept or next;
    while (sysread $s, my $in, 4096) { print {$s} $bytes, 'x' x $ARGV[3] or last; $s->flush }
}
X
    wait_port(addr(), $port, $pid);
    return addr() . ":$port";
}

for my $lie (
    ['a web server', "HTTP/1.1 400 Bad Request\r\n\r\n", 'parse', qr/does not speak/],
    ['more elements than there are', "*2000000000\r\n", 'parse', qr/more elements/],
    ['an answer without an end', "\$999999999\r\n", 'parse', qr/larger than we take/, 4_300_000],
    ['arrays in arrays', "*1\r\n" x 20, 'parse', qr/nested deeper/],
    ['a Sentinel', "*2\r\n\$8\r\nsentinel\r\n*0\r\n", 'role', qr/is a Sentinel; name it with "sentinel"/],
    ['MOVED', "-MOVED 866 127.0.0.1:7001\r\n", 'command', qr/Redis Cluster is not supported yet/],
    ['loading', "-LOADING Redis is loading the dataset in memory\r\n", 'command', qr/loading its data/],
) {
    my ($what, $bytes, $stage, $why, $more) = @$lie;
    node($r->conf(server => liar($bytes, $more)));
    away($what, $stage, $why);
}

my $cluster = redis('single', lines => ['cluster-enabled yes']);
node($cluster->conf);
away('a node of a cluster', 'command', qr/Redis Cluster is not supported yet/);

# reloads: an old worker leaves at once, and takes its connections with it

sub fds { return scalar(my @fds = glob "/proc/$_[0]/fd/*") }

$r = redis();
$n = node($r->conf, workers => 2);
up('two workers', $r->at);

# clients() - connections of the node at the server: of each worker one for
# commands and one for channels
sub clients { return $r->info('clients')->{connected_clients} - 1 }

ok(eval { wait_for(sub { clients() == 4 }, 'clients') }, '  with two connections each') or diag clients();
is(status()->{channels}, 1, '  one of them for channels');

# of two workers one speaks
my %saw;
$r->kill9;
ok(eval { wait_for(sub {
    my $s = JSON::PP->new->utf8->decode(http(path => '/rms/')->body);
    $saw{ $s->{pid} }++ if $s->{redis}{state} eq 'away' && ($s->{redis}{stage} || '') eq 'connect';
    return 2 == keys %saw;
}, 'both workers') }, 'an outage of both');
is(events('stage=connect'), 1, '  told by one');
$r->start;
ok(eval { wait_for(sub { clients() == 4 }, 'clients') }, '  ended for both');
my $ends = () = $n->error_log =~ /redis is back/g;
is($ends, 1, '  and told by one');
my $fds = fds($n->{pid});
for (1 .. 40) {
    $n->reload or BAIL_OUT('reload');
}
ok(eval { wait_for(sub { !$n->leaving && 2 == $n->workers }, 'old workers left', 5) }, 'after 40 reloads no old worker is left');
up('and commands have a server', $r->at);
ok(eval { wait_for(sub { clients() == 4 }, 'clients') }, 'as many connections stand at the server as before') or diag clients();
is(fds($n->{pid}), $fds, 'the master holds as many files as before');
$r->freeze;
$n->reload;
ok(eval { wait_for(sub { !$n->leaving }, 'left', 5) }, 'nor does a frozen server keep a worker');
$r->kill9;
away('killed while it was frozen', 'connect', qr/refused/);
$n->reload;
ok(eval { wait_for(sub { !$n->leaving }, 'left', 5) }, 'nor does one that is gone, and tried again and again');
is(scalar(grep {/\[(?:alert|emerg|crit)\]/} split /^/, $n->error_log), 0, 'nothing alarming, no open socket left');

# Sentinel

$g = redis_sentinel();
my $master = $g->server(0);
node($g->conf(connect_timeout => '200ms', timeout => '200ms'));
up('a Sentinel names the master', $master->at);
ok(eval { $_->wait_clients(1); 1 }, 'and is listened to') for $g->sentinel(0);
$master->kill9;
my $new = $g->wait_master($master);
$s = up('fail-over', $new->at);
like(nginx()->error_log, qr/redis is back: server="\Q@{[$new->at]}\E"/, '  and a line');

# asked for, nobody dies: it is the Sentinel's message that moves the node
$g->rejoin($master);
wait_for(sub { $g->sentinel(0)->error(qw(SENTINEL FAILOVER), $RMS::Redis::MASTER_NAME) eq '' }, 'the Sentinel is done with the last one');
my $third = $g->wait_master($new);
up('fail-over by hand', $third->at);
# Sentinels that had not agreed on the last one may choose once more
ok(nginx()->error_log =~ /\[notice\] .*rms redis fail-over: from="\Q@{[$new->at]}\E" to="/,
    '  on the word of the Sentinel, from a server that still was there') or diag grep {/redis/} split /^/, nginx()->error_log;

$_->kill9 for $g->sentinels;
$third->restart;
away('no Sentinel is left, and the master was restarted', 'connect', qr/sentinel "\S+": connect\(\) failed/);
$_->start for $g->sentinels;
up('with Sentinels again');

node($g->conf =~ s/sentinel \K\w+/nobody/r);
away('a name no Sentinel knows', 'role', qr/the Sentinel knows no master "nobody"/);

is_deeply([violations()], [], 'the backend saw nothing odd');
done_testing();
