#!/usr/bin/perl
# pool.pl DIRECTORY [ROUNDS] - see "make bench-pool", docs/performance.md and
# docs/scaling.md.
#
# What a pool costs: sessions found in the zone (level 1), in Redis (level 2) or
# nowhere, beside plain nginx and nginx + lua, in turn, round by round; what each of
# them costs Redis; how long a change of the list takes to be used by all; one
# worker and two; nodes that only stand there.
#
# BENCH_POOL=PATTERN  only these parts: sessions, redis, list, nodes, workers

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use JSON::PP qw(decode_json encode_json);
use RMS::Test (plain => 1);
use RMS::Pool;
use RMS::Redis;
use RMS::Rules;
use Time::HiRes qw(time sleep);

use Measure;
use Peers;
use PoolPeers;

$| = 1;

my ($directory, $rounds) = @ARGV;
die "usage: pool.pl DIRECTORY [ROUNDS]\n" unless defined $directory;
$directory = abs_path($directory);
$rounds ||= 5;

# requests of a slice at full speed and at a fixed rate; sessions that a node knows
my ($full, $paced, $rate, $known) = (6000, 300, 200, 2000);
my ($connections, $changes, $quiet) = (8, 30, 10);
my $only = defined $ENV{BENCH_POOL} ? $ENV{BENCH_POOL} : '';
my ($redis, %result, %file, $text);

sub part { return $_[0] =~ /$only/ }

# each { contender => [what it is, arguments of load, for a round] }
my @contenders = (
    [plain => 'nginx proxy_pass', 'plain', sub { () }],
    [again => 'the same again', 'again', sub { () }],
    [one => 'level 1, one session', 'reader', sub { cookies('one') }],
    [many => "level 1, $known sessions in turn", 'reader', sub { cookies('known') }],
    [second => 'level 2: a session this node has not seen', 'reader', sub { cookies("fresh.$_[1]") }],
    [none => 'a cookie nobody gave: 401', 'reader', sub { (cookies("random.$_[1]"), '-e', 401) }],
    [lua_one => 'nginx + lua, level 1, one session', 'lua', sub { cookies('one') }],
    [lua_many => "nginx + lua, level 1, $known sessions in turn", 'lua', sub { cookies('known') }],
    [lua_second => 'nginx + lua, level 2', 'lua', sub { cookies("fresh.$_[1]") }],
    [lua_none => 'nginx + lua, a cookie nobody gave: 401', 'lua', sub { (cookies("random.$_[1]"), '-e', 401) }],
    [alone => 'a login by Kerberos, a node alone', 'alone', sub { tokens() }],
    [login => 'a login by Kerberos, session and token shared', 'writer', sub { tokens() }],
);
my %logs_in = (alone => 1, login => 1);

sub cookies { return ('-k', $file{ $_[0] }) }
sub tokens  { return ('-s', "HTTP\@$Peers::HOST") }

sub load {
    my ($name, $n, @more) = @_;
    return tool("$directory/load", '-c', $connections, '-n', $n, @more, addr(), Peers::port($name), $file{request});
}

# totals() - of Redis: processor seconds, commands, bytes in and out.  What it costs
# to ask stays outside of since(), but for the last question.
sub totals {
    my $calls = $redis->calls;
    my $cpu = cpu_of($redis->{pid});
    return { calls => $calls, cpu => $cpu, at => time, net() };
}

sub net {
    my $stats = $redis->info('stats');
    return (bytes_in => $stats->{total_net_input_bytes}, bytes_out => $stats->{total_net_output_bytes});
}

# since(\%before) - what has happened there.
sub since {
    my ($before) = @_;
    my %now = (net(), at => time, cpu => cpu_of($redis->{pid}));
    my $calls = $redis->calls;
    my %d = map { $_ => $now{$_} - $before->{$_} } qw(cpu at bytes_in bytes_out);
    for my $command (keys %$calls) {
        my $n = $calls->{$command} - ($before->{calls}{$command} || 0);
        $d{calls}{$command} = $n if $n && $command ne 'info';
    }
    return \%d;
}

# logins($n, $name) - sessions begun at the writer, written down.
sub logins {
    my ($n, $name, $at) = @_;
    $file{$name} = dir() . "/cookies.$name";
    return load($at || 'writer', $n, tokens(), '-w', $file{$name});
}

# unknown($n, $name) - cookies that nobody gave.
sub unknown {
    my ($n, $name) = @_;
    my @chars = ('A' .. 'Z', 'a' .. 'z', 0 .. 9);
    $file{$name} = spew(dir() . "/cookies.$name",
        join '', map { 'rms_session=' . join('', map { $chars[rand @chars] } 1 .. 21) . "A\n" } 1 .. $n);
    return;
}

# for_lua($name) - the same sessions as nginx + lua would keep them: as long as the
# node's own records.
sub for_lua {
    my ($name, $length) = @_;
    my $record = "$PoolPeers::ACCOUNT|";
    $record .= 'x' x ($length - length $record);
    my @ids = slurp($file{$name}) =~ /^rms_session=(.*)$/mg;
    $redis->ask(map { ['SET', "lua:session:$_", $record, 'PX', 3_600_000] } @ids);
    return;
}

# slice($c, $round) - full speed, then the fixed rate: what it cost, here and there.
sub slice {
    my ($c, $round) = @_;
    my ($name, undef, $at, $more) = @$c;
    my ($before, $cpu) = (totals(), cpu_of(Peers::pid($at)));
    my $r = load($at, $full, $more->($name, "full.$round"), $name eq 'login' ? ('-w', $file{"fresh.full.$round"}) : ());
    my %s = (cpu => (cpu_of(Peers::pid($at)) - $cpu) * 1e4 / $full, throughput => $full / $r->{seconds},
        there => since($before));
    $before = totals();
    $r = load($at, $paced, '-r', $rate, $more->($name, "paced.$round"),
        $name eq 'login' ? ('-w', $file{"fresh.paced.$round"}) : ());
    return { %s, p50 => $r->{p50}, p99 => $r->{p99}, there_paced => since($before) };
}

# of_sessions(\%there) - GET, SET and DEL, which requests of sessions cause.
sub of_sessions {
    my ($there) = @_;
    my $n = 0;
    $n += $there->{calls}{$_} || 0 for qw(get set del);
    return $n;
}

sub column { my ($key, $name) = @_; return map { $_->{$key} } @{ $result{sessions}{$name} } }

sub sessions {
    Peers::backend();
    Peers::plain($_) for qw(plain again);
    $result{bare_idle} = idle();
    PoolPeers::node($_, $redis) for qw(writer reader);
    PoolPeers::node('alone');
    PoolPeers::lua($redis);
    $redis->wait_clients(4);
    my $s = sample('09');
    $file{request} = spew(dir() . '/request', build_request(method => 'POST', path => $s->{path},
        host => $Peers::HOST, body => $s->{request}, headers => $s->{headers}));
    wait_for(sub { up($_) }, "$_ has Redis") for qw(writer reader);
    logins(1, 'one');
    logins($known, 'known');
    my ($key) = grep {/^rms:v1:session:/} $redis->keys;
    $result{record} = $redis->cmd('STRLEN', $key);
    for_lua($_, $result{record}) for qw(one known);
    for my $name (qw(reader lua)) {
        load($name, $_->[1], cookies($_->[0])) for ['one', 100], ['known', $known];
    }
    for my $round (1 .. $rounds) {
        for my $pace (['full', $full], ['paced', $paced]) {
            $file{"fresh.$pace->[0].$round"} = dir() . "/cookies.fresh.$pace->[0].$round";
            unknown($pace->[1], "random.$pace->[0].$round");
        }
        # first the login that makes the sessions of this round
        for my $c (reverse grep { $logs_in{ $_->[0] } } @contenders) {
            push @{ $result{sessions}{ $c->[0] } }, slice($c, $round);
        }
        for_lua("fresh.$_.$round", $result{record}) for qw(full paced);
        for my $c (grep { !$logs_in{ $_->[0] } } @contenders) {
            push @{ $result{sessions}{ $c->[0] } }, slice($c, $round);
        }
        print "round $round of $rounds\n";
    }
    memory();
    return sessions_table();
}

# up($name) - whether a node has Redis, and knows the revocations.
sub up {
    my ($name) = @_;
    my $c = client(addr(), Peers::port($name));
    $c->request(path => '/rms/status', headers => [['Connection', 'close']]);
    return $c->response->body =~ /"redis":\{[^{}]*"state":"up"/;
}

sub sessions_table {
    my @plain = column(cpu => 'plain');
    my $t = "### Sessions of a pool\n\n| contender | CPU s / 10,000 | ratio (lowest – highest round) | requests/s | p50 ms | p99 ms | commands of Redis per request |\n"
        . "|---|---:|---:|---:|---:|---:|---:|\n";
    for my $c (@contenders) {
        my ($name, $title) = @$c;
        my @cpu = column(cpu => $name);
        my $commands = 0;
        $commands += of_sessions($_) for column(there => $name);
        $t .= sprintf "| %s | %.3f | %.2f (%.2f – %.2f) | %.0f | %.2f | %.2f | %.4g |\n", $title, median(@cpu),
            ratios(\@cpu, \@plain), map({ median(column($_ => $name)) } qw(throughput p50 p99)),
            $commands / ($full * $rounds);
    }
    return $t . "\n";
}

# memory() - of what a pool keeps in Redis, by its own word.
sub memory {
    my %keys;
    for my $key ($redis->keys) {
        push @{ $keys{$1} }, $key if $key =~ /^rms:v1:(session|replay):/;
    }
    for my $kind (sort keys %keys) {
        my @some = splice @{ $keys{$kind} }, 0, 200;
        my $bytes = 0;
        $bytes += $_ for $redis->ask(map { ['MEMORY', 'USAGE', $_, 'SAMPLES', 0] } @some);
        $result{memory}{$kind} = $bytes / @some;
    }
    my $before = $redis->info('memory')->{used_memory};
    my $n = $redis->cmd('DBSIZE');
    logins($full, 'more');
    $result{memory}{login} = ($redis->info('memory')->{used_memory} - $before) / $full;
    $result{memory}{keys} = $redis->cmd('DBSIZE') - $n;
    return;
}

# there($title, \@slices) - a row: what one request cost Redis.  Less what it costs
# when nothing is asked.  Also kept for t/bench/scaling.pl.
sub there {
    my ($title, $n, @there) = @_;
    my $idle = $result{idle};
    my @us = map { 1e6 * ($_->{cpu} - $idle->{cpu} * $_->{at}) / $n } @there;
    my ($in, $out) = map { my $key = $_; median(map { ($_->{$key} - $idle->{$key} * $_->{at}) / $n } @there) }
        qw(bytes_in bytes_out);
    $result{costs}{$title} = { us => median(@us), in => $in, out => $out };
    return sprintf "| %s | %.1f (%.1f – %.1f) | %.0f | %.0f |\n", $title, median(@us), (sort { $a <=> $b } @us)[0, -1], $in, $out;
}

sub redis_table {
    my $t = "### What it costs Redis\n\nA record of a session has $result{record} bytes. By itself Redis takes "
        . sprintf("%.2f ms of its processor a second, with two idle nodes of one worker %.2f ms; the latter is not in these figures.\n\n",
            map { 1e3 * $result{$_}{cpu} } qw(bare_idle idle))
        . "| each | µs of its processor (lowest – highest round) | bytes in | bytes out |\n|---|---:|---:|---:|\n";
    for my $row ([second => 'level 2, GET'], [none => 'GET of nothing'], [lua_second => 'GET by nginx + lua'], [login => 'login, SET NX and SET']) {
        my ($name, $title) = @$row;
        $t .= there("$title, full speed", $full, column(there => $name));
        $t .= there("$title, $rate a second", $paced, column(there_paced => $name));
    }
    my $m = $result{memory};
    return $t . sprintf "\nMemory (MEMORY USAGE): a session %.0f bytes, a token %.0f; used_memory grew by %.0f for each login (%.2f keys).\n\n",
        @$m{qw(session replay login)}, $m->{keys} / $full;
}

# idle() - of Redis in a second, while nobody asks.
sub idle {
    my $before = totals();
    sleep $quiet;
    my $d = since($before);
    return { map({ $_ => $d->{$_} / $d->{at} } qw(cpu bytes_in bytes_out)),
        calls => { map { $_ => $d->{calls}{$_} / $d->{at} } keys %{ $d->{calls} } } };
}

# bare() - what Redis can do by the word of its own benchmark, for connections.
sub bare {
    my $t = "### Redis alone\n\nredis-benchmark, $result{record} bytes a value, no pipeline.\n\n"
        . "| connections | command | operations/s | µs of its processor |\n|---:|---|---:|---:|\n";
    for my $c (8, 128, 512) {
        for my $command (qw(get set)) {
            my ($n, $cpu) = (50_000, cpu_of($redis->{pid}));
            my ($exit, $said) = run([Peers::contender(), 'redis-benchmark', '-h', addr(), '-p', $redis->port,
                '-c', $c, '-n', $n, '-r', 20_000, '-d', $result{record}, '-t', $command, '--csv']);
            my ($rps) = $said =~ /^"$command[^"]*","([\d.]+)"/mi or die "redis-benchmark: $said\n";
            my $us = 1e6 * (cpu_of($redis->{pid}) - $cpu) / $n;
            push @{ $result{bare} }, { connections => $c, command => $command, rps => $rps, us => $us };
            $t .= sprintf "| %d | %s | %.0f | %.1f |\n", $c, uc $command, $rps, $us;
        }
    }
    return "$t\n";
}


# A change of the list.

# nodes() - three of two workers, whose rules change.
sub nodes {
    my $seal = PoolPeers::seal();
    my $asks = asks();
    my $pool = pool(nodes => 3, balancer => '', conf => { workers => 2, log => 'warn',
        http => $redis->conf . "rms_seal_key_file $seal;\n", locations => <<"X" });
location /admin/ { rms_auth negotiate; rms_allow admin account=alice\@RMS.TEST; rms_admin; }
location /shared/ { access_log off; $asks rms_session cookie; rms_acl_shared on; rms_allow user account=nobody\@RMS.TEST; }
X
    wait_for(sub { $pool->status($_)->{redis}{state} eq 'up' }, "node $_ has Redis") for 0 .. 2;
    return $pool;
}

# workers($pool) - a connection to each worker of each node.
sub workers {
    my ($pool) = @_;
    my %to;
    for my $i (0 .. 2) {
        my %of;
        wait_for(sub {
            my $c = $pool->client($i);
            my ($pid) = http(client => $c, path => '/rms/status')->body =~ /"pid":(\d+)/;
            $of{$pid} = $c;
            return keys %of == 2;
        }, "connections to both workers of node $i");
        $to{"$i.$_"} = $of{$_} for keys %of;
    }
    return \%to;
}

sub list {
    my $pool = nodes();
    my $to = workers($pool);
    my ($cookie) = http(client => $pool->client(0), path => '/shared/x', account => 'SP01$')->header('set-cookie') =~ /^([^;]+)/;
    my $admin = $pool->client(0);
    my $before = totals();
    for my $i (1 .. $changes) {
        push @{ $result{list} }, change($admin, $to, $cookie, $i);
    }
    $result{list_there} = since($before);
    my $t = "### A change of the list\n\n3 nodes of 2 workers, $changes changes, one after the other; from the first byte of the request at node 0.\n\n"
        . "| until | median ms | p90 ms | longest ms |\n|---|---:|---:|---:|\n";
    for my $row ([answer => 'the change is answered'], [own => 'both workers of node 0 use it'], [all => 'all workers of all nodes use it']) {
        my @ms = sort { $a <=> $b } map { $_->{ $row->[0] } } @{ $result{list} };
        $t .= sprintf "| %s | %.1f | %.1f | %.1f |\n", $row->[1], median(@ms), $ms[0.9 * @ms], $ms[-1];
    }
    my $calls = $result{list_there}{calls};
    $t .= sprintf "\nCommands of Redis for one change: %s.\n\n", join ', ', map { sprintf '%s %.1f', uc, $calls->{$_} / $changes }
        grep { $calls->{$_} >= $changes / 2 } sort keys %$calls;
    $_->stop for $pool->nodes;
    return $t;
}

# role_now($client, $cookie) - which role a worker gives to the session.
sub role_now {
    my ($c, $cookie) = @_;
    $c->request(path => '/shared/x', headers => [['Cookie', $cookie]]);
    return $c->response->header('x-role');
}

# change($admin, \%to, $cookie, $number) - ms until it is answered, and used.
sub change {
    my ($admin, $to, $cookie, $i) = @_;
    my $want = ('fci', 'sharepoint')[$i % 2];
    my $auth = negotiate('alice');
    my $body = encode_json({ op => 'replace', rules => ["$want account=SP01\$\@RMS.TEST"] });
    my %waits = %$to;
    my %ms = (own => 0);
    my $began = time;
    $admin->request(method => 'POST', path => '/admin/list', body => $body, headers => [['Authorization', $auth],
        ['Content-Type', 'application/json'], ['If-Match', '"' . ($i - 1) . '"']]);
    while (%waits || !$ms{answer}) {
        die "no change in 10 s\n" if time - $began > 10;
        if (!$ms{answer} && IO::Select->new($admin->{s})->can_read(0)) {
            my $r = $admin->response;
            die 'change: ' . $r->status . ' ' . $r->body if $r->status != 200;
            $ms{answer} = 1e3 * (time - $began);
        }
        for my $w (sort keys %waits) {
            next if role_now($waits{$w}, $cookie) ne $want;
            $ms{all} = 1e3 * (time - $began);
            $ms{own} = $ms{all} if $w =~ /^0\./;
            delete $waits{$w};
        }
    }
    return \%ms;
}


# Nodes that only stand there.

# record() - what a node says of itself, sealed.
sub record {
    my %real = @{ $redis->cmd('HGETALL', 'rms:v1:nodes:all') };
    return (map {s/^\d+ //r} values %real)[0];
}

# crowd($n, $record) - so many nodes more in the view of the pool, copies of one.
sub crowd {
    my ($n, $record) = @_;
    my $now = $redis->cmd('TIME')->[0] * 1000;
    $redis->cmd('HSET', 'rms:v1:nodes:all', map { (sprintf('%032x', $_), "$now $record") } 1 .. $n) if $n;
    return;
}

# stand($n, $record) - what so many nodes cost Redis while nobody asks for anything.
sub stand {
    my ($n, $record) = @_;
    my $eval = eval_stats();
    my $before = totals();
    for (1 .. $quiet / 5) {
        crowd($n - 3, $record);
        sleep 5;
    }
    my ($d, $now) = (since($before), eval_stats());
    my $evals = $now->{calls} - $eval->{calls};
    return { %$d, evals => $evals, us => ($now->{usec} - $eval->{usec}) / $evals };
}

sub standing {
    my $pool = nodes();
    wait_for(sub { $redis->cmd('HLEN', 'rms:v1:nodes:all') == 3 }, 'these nodes are announced, and no others any more', 40);
    my $record = record();
    my @stand = map { { n => $_, %{ stand($_, $record) } } } 3, 16, 64;
    $result{standing} = \@stand;
    my $t = "### Nodes that only stand there\n\n3 nodes of 2 workers, $quiet s; more are copies in the view of the pool, of which each node reads all every 5 s.\n\n"
        . "| nodes in the view | one EVAL, µs | its answer, bytes |\n|---:|---:|---:|\n";
    for my $s (@stand[1, 2]) {
        my $bytes = ($s->{bytes_out} / $s->{evals} - $stand[0]{bytes_out} / $stand[0]{evals}) / ($s->{n} - 3) * $s->{n};
        $t .= sprintf "| %d | %.0f | %.0f |\n", $s->{n}, $s->{us}, $bytes;
    }
    my $three = $stand[0];
    return $t . sprintf "\nWith 3 nodes of 2 workers, a second: %s; %.2f ms of its processor, %.0f bytes in and %.0f out. One EVAL with 3: %.0f µs.\n\n",
        join(', ', map { sprintf '%s %.1f', uc, $three->{calls}{$_} / $three->{at} } sort keys %{ $three->{calls} }),
        1e3 * $three->{cpu} / $three->{at}, $three->{bytes_in} / $three->{at}, $three->{bytes_out} / $three->{at}, $three->{us};
}

sub eval_stats {
    my ($calls, $usec) = ($redis->info('commandstats')->{cmdstat_eval} || '') =~ /calls=(\d+),usec=(\d+)/;
    return { calls => $calls || 0, usec => $usec || 0 };
}


# One worker and two.

sub scaling {
    Peers::backend() if !Peers::pid('backend');
    my %at = map { $_ => [PoolPeers::pages($_, $redis)] } 1, 2;
    my %page = (page => build_request(path => '/', host => $Peers::HOST),
        session => build_request(path => $PoolPeers::PAGE, host => $Peers::HOST));
    $file{request} = spew(dir() . '/request.login', $page{session});
    my $t = "### One worker and two\n\nPages without a backend, 64 connections, wrk on the same processors.\n\n"
        . "| contender | 1 worker: requests/s, CPU s / 10,000 | 2 workers | throughput (lowest – highest round) | CPU (lowest – highest round) |\n|---|---:|---:|---:|---:|\n";
    for my $kind (qw(page session)) {
        my %slices;
        my $line = $page{$kind};
        if ($kind eq 'session') {
            logins(1, 'page', $at{1}[1]);
            my ($cookie) = slurp($file{page}) =~ /^(.*)$/m;
            $line =~ s/\r\n/\r\nCookie: $cookie\r\n/;
        }
        my $request = spew(dir() . "/request.$kind", $line);
        for my $round (1 .. $rounds) {
            for my $n (1, 2) {
                my $name = $at{$n}[$kind eq 'page' ? 0 : 1];
                my $cpu = cpu_of(Peers::pid($name));
                my $r = everywhere(qw(wrk -t1 -c64 -d2s -s), "$FindBin::Bin/post.lua", 'http://' . addr() . ':' . Peers::port($name),
                    '--', $request);
                push @{ $slices{$n} }, { throughput => $r->{requests} / $r->{seconds},
                    cpu => 1e4 * (cpu_of(Peers::pid($name)) - $cpu) / $r->{requests} };
            }
        }
        $result{workers}{$kind} = \%slices;
        my %of = map { my $n = $_; map { my $k = $_; ("$n.$k" => [map { $_->{$k} } @{ $slices{$n} }]) } qw(throughput cpu) } 1, 2;
        $t .= sprintf "| %s | %.0f, %.3f | %.0f, %.3f | %.2f (%.2f – %.2f) | %.2f (%.2f – %.2f) |\n",
            $kind eq 'page' ? 'nginx, return' : 'module, session of level 1',
            map({ median(@{ $of{$_} }) } qw(1.throughput 1.cpu 2.throughput 2.cpu)),
            ratios(@of{ '2.throughput', '1.throughput' }), ratios(@of{ '2.cpu', '1.cpu' });
    }
    return "$t\n";
}

# everywhere(@command) - tool() on all processors.
sub everywhere {
    my (@command) = @_;
    my ($exit, $said) = run(\@command);
    my ($json) = $said =~ /^(\{.*\})\s*\z/m or die "@command: $said\n";
    my $r = decode_json($json);
    die "@command: $said\n" if $exit || $r->{errors};
    return $r;
}


my $machine = machine(qw(nginx redis-server libnginx-mod-http-lua lua-nginx-redis libkrb5-3 libc6 wrk));
$machine->{pinned} = Peers::pin();
kdc();
$Peers::load_env = kdc()->env('EXCH01$');
$redis = redis('single');
run([qw(taskset -a -c -p), Peers::rest() ? (Peers::rest())[-1] : '0-1023', $redis->{pid}]);
$text = '';
if (part('sessions')) {
    $text .= sessions();
    $result{idle} = idle();
    $text .= redis_table() . bare();
    stop_process(Peers::pid($_)) for qw(writer reader);
}
$text .= list() if part('list');
$text .= standing() if part('nodes');
$text .= scaling() if part('workers');

$machine->{load_after} = load_average();
$text = "$machine->{date}, $machine->{cpu}, $machine->{cpus} processors, $machine->{kernel}; "
    . "$machine->{pinned}; load average $machine->{load} before, $machine->{load_after} after; $rounds rounds, "
    . "slices of $full requests at full speed and $paced at $rate a second, $connections connections.\n\n"
    . join(', ', @{ $machine->{packages} }) . "\n\n$text";
spew("$directory/pool.md", $text);
spew("$directory/pool.json", JSON::PP->new->canonical->pretty->encode({ machine => $machine, %result }));
print "\n$text\nwritten to $directory/pool.md and pool.json\n";
