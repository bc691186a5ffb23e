package RMS::Redis;

# Real redis-servers in the folder of a test, one kind or another of them:
#
#   my $r = redis();                    # TCP, no password
#   my $r = redis('tls');               # TLS alone, and an ACL user with a password
#   my $r = redis('unix');              # no port at all
#   my $g = redis_replicas(1);          # a master and replicas
#   my $g = redis_sentinel();           # a master, two replicas, three sentinels
#   nginx(http => $r->conf . ...);      # the rms_redis block that reaches it
#
# What a server can be made to do: kill9, start, restart, freeze, thaw, flush,
# full, roomy, slow.  What it tells: cmd, commands_seen, dump, role.
#
# TEST_REDIS_BINARY  the server to use, such as valkey-server (default: redis-server)

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use File::Path qw(remove_tree);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();

use RMS::Certs;
use RMS::Env;

our @EXPORT = qw(redis redis_replicas redis_sentinel);

our $USER = 'rms';
our $PASSWORD = 'sesame of the test';
our $TLS_NAME = 'redis.rms.test';
our $MASTER_NAME = 'rms';

# What the user may do: keys and channels of the prefix, and to ask for the role.
our $RULES = '~rms:* &rms:* +@all -@admin -@dangerous +role';

my $ADMIN_PASSWORD = 'admin of the test';
my $count = 0;

# redis($kind, persist => 1, lines => [of the configuration], prefix => for the
# ACL) - a server that answers.  $kind: single (default), tls, unix.  persist: what
# was written outlives kill9.
sub redis {
    my ($kind, %o) = @_;
    $kind ||= 'single';
    my $self = bless { %o, kind => $kind, addr => addr(), name => 'redis.' . ++$count }, __PACKAGE__;
    $self->{dir} = dir() . "/$self->{name}";
    mkdir $self->{dir}, 0755 or croak "$self->{dir}: $!";
    $self->{port} ||= $kind eq 'unix' ? 0 : free_port();
    $self->{password} = $kind eq 'tls' ? $PASSWORD : undef;
    if (defined $self->{password}) {
        $self->{password_file} = spew("$self->{dir}/password", "$PASSWORD\n");
        share_with_worker($self->{password_file});
    }
    spew("$self->{dir}/redis.conf", join '', map {"$_\n"} $self->lines);
    $self->start;
    return $self;
}

sub lines {
    my ($self) = @_;
    my ($d, $addr, $port) = @$self{qw(dir addr port)};
    my @l = ("dir $d", "bind $addr", "bind-source-addr $addr", 'protected-mode no', 'save ""',
        'daemonize no', 'shutdown-timeout 0', 'repl-diskless-sync-delay 0', 'enable-debug-command yes',
        'appendonly ' . ($self->{persist} ? 'yes' : 'no'), "logfile $d/redis.log");
    if ($self->{kind} eq 'tls') {
        my $cert = cert($TLS_NAME);
        push @l, 'port 0', "tls-port $port", "tls-cert-file $cert->{cert}", "tls-key-file $cert->{key}",
            'tls-ca-cert-file ' . ca(), 'tls-auth-clients no', 'user default off',
            qq(user admin on ">$ADMIN_PASSWORD" ~* &* +\@all), qq(user $USER on ">$PASSWORD" $RULES);
    } else {
        push @l, "port $port";
    }
    push @l, 'unixsocket ' . $self->socket, 'unixsocketperm 777' if $self->{kind} eq 'unix';
    return (@l, @{ $self->{lines} || [] });
}

sub binary { return $ENV{TEST_REDIS_BINARY} || 'redis-server' }

# start() - and waits until it answers.  Nothing is there of before but what
# persist => 1 has kept; empty => 1 removes that too.
sub start {
    my ($self, %o) = @_;
    remove_tree(grep {-e} map {"$self->{dir}/$_"} 'appendonlydir', 'dump.rdb') if $o{empty};
    my @mode = $self->{sentinel} ? ('--sentinel') : ();
    $self->{pid} = spawn($self->{name}, [binary(), "$self->{dir}/redis.conf", @mode]);
    wait_for(sub {
        croak "$self->{name}: " . slurp("$self->{dir}/redis.log") . slurp(dir() . "/$self->{name}.out")
            unless alive($self->{pid});
        my ($said) = eval { $self->ask(['PING']) };
        return defined $said && $said eq 'PONG';
    }, "$self->{name} answers");
    return $self;
}

# kill9() - gone as in a crash.    stop() - gone in order.
sub kill9 { return $_[0]->gone('KILL') }
sub stop  { return $_[0]->gone('TERM') }

sub gone {
    my ($self, $signal) = @_;
    kill 'CONT', $self->{pid} if alive($self->{pid}) && $signal ne 'KILL';
    return stop_process($self->{pid}, $signal);
}

# restart(empty => 1) - kill9() and start(), on the same port.
sub restart {
    my ($self, %o) = @_;
    $self->kill9;
    return $self->start(%o);
}

# freeze() - connections stay and nothing is answered.    thaw() - late answers.
sub freeze { return kill 'STOP', $_[0]{pid} }
sub thaw   { return kill 'CONT', $_[0]{pid} }

# flush() - every key is gone.    full() - no write is taken any more, "OOM".
# roomy() - again.
sub flush { return $_[0]->cmd('FLUSHALL') }
sub full  { return $_[0]->limit(1) }
sub roomy { return $_[0]->limit(0) }

sub limit {
    my ($self, $bytes) = @_;
    $self->cmd(qw(CONFIG SET maxmemory-policy noeviction));
    return $self->cmd(qw(CONFIG SET maxmemory), $bytes);
}

# slow($seconds) - busy for so long from now on; answers come after that.
sub slow {
    my ($self, $seconds) = @_;
    $self->{busy} = $self->connect;
    send_command($self->{busy}, 'DEBUG', 'SLEEP', $seconds);
    return;
}

# at() - "ADDR:PORT", or the path of the socket.  addr(), port(), socket()
sub at     { my ($self) = @_; return $self->{kind} eq 'unix' ? $self->socket : "$self->{addr}:$self->{port}" }
sub port   { return $_[0]{port} }
sub socket { return "$_[0]{dir}/redis.sock" }
sub log    { return slurp("$_[0]{dir}/redis.log") }

# conf(server => [at], line => value, ...) - the rms_redis block; server stands for
# a proxy on the way; other names are lines of the block, undef leaves one out.
sub conf {
    my ($self, %o) = @_;
    my $servers = delete $o{server} || $self->at;
    my %line = (prefix => "$USER:", connect_timeout => '500ms', timeout => '500ms');
    if (defined $self->{password}) {
        %line = (%line, username => $USER, password_file => $self->{password_file});
        %line = (%line, tls => 'on', tls_ca => ca(), tls_name => $TLS_NAME);
    }
    %line = (%line, %o);
    my @servers = map { 'server ' . (m{^/} ? "unix:$_" : $_) } ref $servers ? @$servers : $servers;
    return "rms_redis {\n" . join('', map {"    $_;\n"} @servers,
        map {"$_ $line{$_}"} grep { defined $line{$_} } sort keys %line) . "}\n";
}


# The client.

sub connect {
    my ($self) = @_;
    my @at = (PeerAddr => $self->{addr}, PeerPort => $self->{port}, Timeout => 5);
    my $s;
    if ($self->{kind} eq 'unix') {
        $s = IO::Socket::UNIX->new(Peer => $self->socket);
    } elsif ($self->{kind} eq 'tls') {
        require IO::Socket::SSL;
        $s = IO::Socket::SSL->new(@at, SSL_ca_file => ca(), SSL_verifycn_name => $TLS_NAME,
            SSL_verifycn_scheme => 'http', SSL_hostname => $TLS_NAME);
    } else {
        $s = IO::Socket::INET->new(@at);
    }
    croak "$self->{name}: connect: " . ($@ || $!) unless $s;
    if (defined $self->{password}) {
        send_command($s, 'AUTH', 'admin', $ADMIN_PASSWORD);
        reply($s);
    }
    return $s;
}

sub send_command {
    my ($s, @words) = @_;
    my $bytes = '*' . @words . "\r\n" . join '', map { '$' . length($_) . "\r\n$_\r\n" } @words;
    print {$s} $bytes or croak "redis: $!";
    $s->flush;
    return;
}

# reply($socket) - decoded: a string, a number, undef or [...]; dies of an error,
# with its words.
sub reply {
    my ($s) = @_;
    my $line = readline $s;
    croak 'redis: connection lost' unless defined $line;
    my ($type, $rest) = $line =~ /^(.)(.*)\r\n\z/s or croak "redis: not RESP: $line";
    return $rest if $type eq '+' || $type eq ':';
    croak "redis: $rest" if $type eq '-';
    return undef if $rest < 0;
    return [map { reply($s) } 1 .. $rest] if $type eq '*';
    croak "redis: not RESP: $line" if $type ne '$';
    my $n = CORE::read $s, my $bytes, $rest + 2;
    croak 'redis: connection lost' unless $n == $rest + 2;
    return substr $bytes, 0, $rest;
}

# ask([command], ...) - the answers, over one connection that is closed then.
sub ask {
    my ($self, @commands) = @_;
    local $SIG{ALRM} = sub { croak "$self->{name}: no answer in time" };
    alarm $RMS::Env::DEADLINE;
    my @replies = eval {
        my $s = $self->connect;
        map { send_command($s, @$_); scalar reply($s) } @commands;
    };
    my $why = $@;
    alarm 0;
    croak $why =~ s/ at \S+ line \d+\.\n.*//sr if $why;
    return @replies;
}

# cmd(@command) - one answer; dies of an error.    error(@command) - the error, ''
# when there is none.
sub cmd {
    my ($self, @command) = @_;
    return ($self->ask(\@command))[0];
}

sub error {
    my ($self, @command) = @_;
    return eval { $self->cmd(@command); 1 } ? '' : $@ =~ s/^redis: //r =~ s/ at \S+ line \d+\.?\n.*//sr;
}

# role() - "master", "slave", "sentinel".    info($section) - { name => value }
sub role { return $_[0]->cmd('ROLE')->[0] }

sub info {
    my ($self, $section) = @_;
    return { map { /^(\w[^:]*):(.*?)\r?$/ ? ($1 => $2) : () } split /\n/, $self->cmd('INFO', $section) };
}

# calls() - { command => how often since the start }, "config|set" for CONFIG SET.
sub calls {
    my ($self) = @_;
    my $stats = $self->info('commandstats');
    my %calls;
    for my $name (CORE::keys %$stats) {
        my ($command) = $name =~ /^cmdstat_(.+)/ or next;
        ($calls{$command}) = $stats->{$name} =~ /^calls=(\d+)/;
    }
    return \%calls;
}

# commands_seen(sub { ... }) - { command => times } that others gave while the
# sub ran; what this client has given for it is not counted.
sub commands_seen {
    my ($self, $do) = @_;
    my $before = $self->calls;
    $do->();
    my $after = $self->calls;
    $after->{info}--;
    $after->{auth}-- if defined $self->{password};
    my %seen;
    for my $name (CORE::keys %$after) {
        my $n = $after->{$name} - ($before->{$name} || 0);
        $seen{$name} = $n if $n;
    }
    return \%seen;
}

my %VALUE = (string => ['GET'], hash => ['HGETALL'], set => ['SMEMBERS'], list => ['LRANGE', 0, -1],
    zset => ['ZRANGE', 0, -1, 'WITHSCORES'], stream => ['XRANGE', '-', '+']);

# keys() - all of them, sorted.    dump() - { key => { type, ttl (ms, -1: none),
# value } }; a value of several parts is a list of them.
sub keys {
    my ($self) = @_;
    return sort @{ $self->cmd('KEYS', '*') };
}

sub dump {
    my ($self) = @_;
    my %dump;
    for my $key ($self->keys) {
        my ($type, $ttl) = $self->ask(['TYPE', $key], ['PTTL', $key]);
        next if $type eq 'none';        # has ended meanwhile
        my ($read, @more) = @{ $VALUE{$type} || croak "$key: type $type" };
        $dump{$key} = { type => $type, ttl => $ttl, value => $self->cmd($read, $key, @more) };
    }
    return \%dump;
}

# bytes() - keys and values of a dump() in one string, to look for what must not
# be there.
sub bytes {
    my ($self) = @_;
    my $dump = $self->dump;
    return join "\n", map { ($_, flat($dump->{$_}{value})) } sort { $a cmp $b } CORE::keys %$dump;
}

sub flat { return map { ref $_ ? flat(@$_) : defined $_ ? $_ : () } @_ }

# wait_clients($n) - until so many connections of others stand.
sub wait_clients {
    my ($self, $n) = @_;
    return wait_for(sub { $self->info('clients')->{connected_clients} - 1 >= $n }, "$n clients");
}


# Several of them.

# redis_replicas($n, %o of redis) - a group: a master, and replicas that have all it
# has.
sub redis_replicas {
    my ($n, %o) = @_;
    my $master = redis('single', %o);
    my @replicas = map { redis('single', %o, lines => [@{ $o{lines} || [] }, "replicaof $master->{addr} $master->{port}"]) } 1 .. $n;
    my $group = bless { servers => [$master, @replicas], sentinels => [] }, 'RMS::Redis::Group';
    $group->wait_synced;
    return $group;
}

# redis_sentinel(replicas => 2, sentinels => 3, down_after => ms, %o of redis) - who
# watch over them, under the name "rms".
sub redis_sentinel {
    my (%o) = @_;
    my ($replicas, $sentinels, $down) = map { delete $o{ $_->[0] } || $_->[1] }
        ['replicas', 2], ['sentinels', 3], ['down_after', 500];
    my $group = redis_replicas($replicas, %o);
    my $master = $group->server(0);
    for (1 .. $sentinels) {
        my $self = bless { kind => 'single', sentinel => 1, addr => addr(), port => free_port(),
            name => 'sentinel.' . ++$count }, __PACKAGE__;
        $self->{dir} = dir() . "/$self->{name}";
        mkdir $self->{dir}, 0755 or croak "$self->{dir}: $!";
        spew("$self->{dir}/redis.conf", <<"Y");
port $self->{port}
bind $self->{addr}
bind-source-addr $self->{addr}
sentinel announce-ip $self->{addr}
dir $self->{dir}
logfile $self->{dir}/redis.log
protected-mode no
sentinel monitor $MASTER_NAME $master->{addr} $master->{port} @{[int($sentinels / 2) + 1]}
sentinel down-after-milliseconds $MASTER_NAME $down
sentinel failover-timeout $MASTER_NAME 3000
sentinel parallel-syncs $MASTER_NAME 1
Y
        $self->start;
        push @{ $group->{sentinels} }, $self;
    }
    $group->wait_watched;
    return $group;
}


package RMS::Redis::Group;

# A master, its replicas, and sentinels when there are any.

use strict;
use warnings;

use RMS::Env;

# server($i), sentinel($i) - in the order of the start: server(0) is the first
# master.    servers(), sentinels()
sub server    { return $_[0]{servers}[ $_[1] ] }
sub sentinel  { return $_[0]{sentinels}[ $_[1] ] }
sub servers   { return @{ $_[0]{servers} } }
sub sentinels { return @{ $_[0]{sentinels} } }

# master() - the server that says so of itself (undef: none).  Those that stand
# still or are gone are not asked.
sub master {
    my ($self) = @_;
    my ($master) = grep { alive($_->{pid}) && !stopped($_->{pid}) && eval { $_->role eq 'master' } } $self->servers;
    return $master;
}

sub stopped { return slurp("/proc/$_[0]/stat") =~ /^\d+ \(.*\) T/ }

# elected($sentinel) - the server that is master for a sentinel.
sub elected {
    my ($self, $sentinel) = @_;
    my $at = eval { $sentinel->cmd('SENTINEL', 'get-master-addr-by-name', $RMS::Redis::MASTER_NAME) } or return undef;
    my ($server) = grep { $_->{port} == $at->[1] } $self->servers;
    return $server;
}

# wait_synced() - until each replica that runs has all the master has.
sub wait_synced {
    my ($self) = @_;
    return wait_for(sub {
        my $master = $self->master or return 0;
        my $n = grep { alive($_->{pid}) } $self->servers;
        my $info = eval { $master->info('replication') } or return 0;
        my @there = grep { $info->{"slave$_"} && $info->{"slave$_"} =~ /state=online,offset=$info->{master_repl_offset},/ } 0 .. $n;
        return @there == $n - 1;
    }, 'replicas are in sync');
}

# wait_watched() - until the sentinels know of each other and of every replica.
sub wait_watched {
    my ($self) = @_;
    my ($replicas, $others) = ($#{ $self->{servers} }, $#{ $self->{sentinels} });
    return wait_for(sub {
        for my $s ($self->sentinels) {
            my %m = @{ $s->cmd('SENTINEL', 'master', $RMS::Redis::MASTER_NAME) };
            return 0 if $m{'num-slaves'} != $replicas || $m{'num-other-sentinels'} != $others;
        }
        return 1;
    }, 'the sentinels know each other');
}

# wait_master($not) - until every sentinel that runs names another master than this
# one, and it takes writes; returns it.
sub wait_master {
    my ($self, $not) = @_;
    return wait_for(sub {
        my %elected = map { $_ ? ($_->{name} => $_) : ('' => 0) }
            map { $self->elected($_) } grep { alive($_->{pid}) } $self->sentinels;
        my ($new) = values %elected;
        return 0 if keys %elected != 1 || !$new || $new == $not;
        return eval { $new->role eq 'master' } ? $new : 0;
    }, 'another master');
}

# rejoin($server) - starts one that was killed, as a replica.  With start() alone an
# old master is a master beside the new one, until the sentinels see it (10 s).
sub rejoin {
    my ($self, $server) = @_;
    my $master = $self->master;
    $server->start(empty => 1);
    $server->cmd('REPLICAOF', $master->{addr}, $master->{port});
    return $self->wait_synced;
}

# conf(%o) - the rms_redis block: by the sentinels, by a list of servers without
# them; see RMS::Redis::conf.  sentinel => [at, ...] stand for the sentinels.
sub conf {
    my ($self, %o) = @_;
    my $at = delete $o{sentinel} || [map { $_->at } $self->sentinels];
    my $text = $self->server(0)->conf(server => [map { $_->at } $self->servers], %o);
    return $text unless @$at;
    my $line = "    sentinel $RMS::Redis::MASTER_NAME @$at;\n";
    $text =~ s/(?:^    server .*\n)+/$line/m;
    return $text;
}

1;
