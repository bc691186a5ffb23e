#!/usr/bin/perl
# bench.pl DIRECTORY [SECONDS] - see "make bench" and docs/performance.md.
#
# Every contender gets a slice of load in turn, for each message, five rounds
# over.  Headline: processor seconds of the contender's own processes for 10,000
# requests, from /proc.  Then the same message at a fixed rate, for latency.
# Ratios are taken within a round and the median of them is shown.
#
# BENCH_ONLY=PATTERN  only these workloads      BENCH_ROUNDS=n
# BENCH_AD=1          tickets of a Samba AD, and rules by SID, in "kerberos"
# BENCH_OTHER=FILE    another build of the module beside it

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use IO::Socket::INET;
use JSON::PP ();
use RMS::NTLM;
use RMS::Test (plain => 1);
use Time::HiRes qw(time);

use Measure;
use Peers;

$| = 1;

my ($directory, $seconds) = @ARGV;
die "usage: bench.pl DIRECTORY [SECONDS]\n" unless defined $directory;
$directory = abs_path($directory);
$seconds ||= 240;

my $connections = 8;
my %title = (plain => 'nginx proxy_pass', again => 'the same again', module => 'module',
    routing => 'module, two backends', negotiate => 'module, rms_auth negotiate',
    sub_filter => 'nginx sub_filter', lua => 'nginx + lua', haproxy => 'HAProxy',
    apache => 'Apache mod_proxy', substitute => 'Apache mod_substitute',
    gssapi => 'Apache mod_auth_gssapi', connection => 'module, rms_session connection',
    cookie => 'module, rms_session cookie', gssapi_session => 'Apache mod_auth_gssapi + mod_session', ntlm => 'module, rms_auth negotiate ntlm',
    gssapi_ntlm => 'Apache mod_auth_gssapi, ntlmssp');
$title{"${_}2"} = "$title{$_}, other build" for qw(module routing negotiate);

my @workloads = (
    { name => 'relay', sample => '07', rate => 200, title => 'Relay with inspection',
      peers => [qw(plain again module routing haproxy lua apache)] },
    { name => 'small', sample => '09', rate => 200, title => 'Small POST',
      peers => [qw(plain again module haproxy lua apache)] },
    { name => 'rewrite 1 KB', sample => '01', rate => 200, title => 'Rewriting, small answer',
      peers => [qw(plain module sub_filter lua substitute)] },
    { name => 'rewrite 13 KB', sample => '12', rate => 200, title => 'Rewriting, larger answer',
      peers => [qw(plain module sub_filter lua substitute)] },
    { name => 'kerberos', sample => '09', rate => 200, title => 'Kerberos with every request',
      kerberos => 1, peers => [qw(plain again negotiate gssapi)] },
    { name => 'sessions', sample => '09', rate => 200, title => 'Sessions', sessions => 1,
      peers => [qw(plain again module connection cookie gssapi_session)] },
    { name => 'ntlm', sample => '09', rate => 50, title => 'NTLM handshakes', ntlm => 1,
      peers => [qw(plain ntlm gssapi_ntlm)] },
);

# cpu($name) - of a contender.
sub cpu { return cpu_of(Peers::pid($_[0])) }

# accepts() - connections the backend has taken so far, over one that is kept.
my $status;

sub accepts {
    $status ||= client(addr(), Peers::port('accepts'));
    $status->request(path => '/', host => 'status');
    my ($n) = $status->response->body =~ /requests\s+(\d+)/ or die "no stub_status\n";
    return $n;
}

# message($w, $peer) - the file with the request of a workload; where a cookie
# tells who it is, with one from a login.
sub message {
    my ($w, $peer) = @_;
    my $s = sample($w->{sample});
    my $cookie = $w->{sessions} && $peer =~ /^(?:cookie|gssapi_session)$/ ? $peer : '';
    return $w->{file}{$cookie} ||= spew(dir() . "/request.$w->{sample}.$cookie", build_request(method => 'POST',
        path => $s->{path}, host => $Peers::HOST, body => $s->{request},
        headers => [@{ $s->{headers} }, $cookie ? ['Cookie', session($w, $peer)] : ()]));
}

# session($w, $peer) - the cookie that a login brings.
sub session {
    my ($w, $peer) = @_;
    my $s = sample($w->{sample});
    my $c = client(addr(), Peers::port($peer));
    $c->request(method => 'POST', path => $s->{path}, host => $Peers::HOST, body => $s->{request},
        headers => [@{ $s->{headers} }, ['Authorization', negotiate('EXCH01$')]]);
    my ($cookie) = ($c->response->header('set-cookie') // '') =~ /^([^;]+)/ or die "$peer: no cookie\n";
    return $cookie;
}

sub load {
    my ($w, $peer, $n, @more) = @_;
    push @more, '-s', "HTTP\@$Peers::HOST" if $w->{kerberos};
    push @more, '-f', '-s', "HTTP\@$Peers::HOST" if $peer eq 'connection';
    return tool("$directory/load", '-c', $connections, '-n', int $n, @more, addr(), Peers::port($peer),
        message($w, $peer));
}

# handshakes($w, $peer, $n, $rate) - so many requests, each on a connection and
# with a handshake of its own; plain nginx gets them without.
sub handshakes {
    my ($w, $peer, $n, $rate) = @_;
    my $s = sample($w->{sample});
    my %post = (method => 'POST', path => $s->{path}, host => $Peers::HOST, body => $s->{request},
        headers => $s->{headers});
    my ($began, @took) = time;
    for my $i (0 .. $n - 1) {
        my $wait = $rate ? $began + $i / $rate - time : 0;
        select undef, undef, undef, $wait if $wait > 0;
        my ($since, $c) = (time, client(addr(), Peers::port($peer)));
        my $r = $peer eq 'plain' ? ($c->request(%post), $c->response)[1]
            : ntlm_request($c, ntlm(scheme => $peer eq 'ntlm' ? 'NTLM' : 'Negotiate'), %post);
        die "$peer: status ", $r->status, "\n" if $r->status != 200;
        push @took, 1e3 * (time - $since);
    }
    @took = sort { $a <=> $b } @took;
    return { requests => $n, seconds => time - $began, p50 => $took[@took * 0.5], p99 => $took[@took * 0.99] };
}

# full($w, $peer, $s) - as much as goes for $s seconds: what it cost.
sub full {
    my ($w, $peer, $s) = @_;
    my ($cpu, $accepts) = (cpu($peer), accepts());
    my $r = $w->{kerberos} ? load($w, $peer, 2500 * $s)
        : $w->{sessions} ? load($w, $peer, 10000 * $s)
        : $w->{ntlm} ? handshakes($w, $peer, 300 * $s)
        : tool(qw(wrk -t1), "-c$connections", "-d${s}s", qw(--timeout 60s -s), "$FindBin::Bin/post.lua",
            'http://' . addr() . ':' . Peers::port($peer), '--', message($w, $peer));
    return { cpu => (cpu($peer) - $cpu) * 1e4 / $r->{requests}, requests => $r->{requests},
        throughput => $r->{requests} / $r->{seconds}, connections => accepts() - $accepts };
}

# paced($w, $peer, $s) - the fixed rate for $s seconds: p50 and p99 in ms.
sub paced {
    my ($w, $peer, $s) = @_;
    my $r = $w->{ntlm} ? handshakes($w, $peer, $w->{rate} * $s, $w->{rate})
        : load($w, $peer, $w->{rate} * $s, '-r', $w->{rate});
    return { p50 => $r->{p50}, p99 => $r->{p99} };
}

# accept_alone($n) - seconds for 10,000 bare gss_accept_sec_context.
sub accept_alone {
    my ($n) = @_;
    my $r = tool("$directory/load", '-a', '-n', int $n, '-s', "HTTP\@$Peers::HOST");
    return $r->{cpu} * 1e4 / $r->{tokens};
}

# check($w, $peer) - one answer: 'as sent', 'rewritten', or what is wrong.
sub check {
    my ($w, $peer) = @_;
    my $s = sample($w->{sample});
    my @auth = $w->{kerberos} || $peer eq 'connection' ? ['Authorization', negotiate('EXCH01$')]
        : $w->{sessions} && $peer =~ /^(?:cookie|gssapi_session)$/ ? ['Cookie', session($w, $peer)] : ();
    my $c = client(addr(), Peers::port($peer));
    my %post = (method => 'POST', path => $s->{path}, host => $Peers::HOST, body => $s->{request},
        headers => [@{ $s->{headers} }, @auth]);
    my $r = $w->{ntlm} && $peer ne 'plain' ? ntlm_request($c, ntlm(scheme => $peer eq 'ntlm' ? 'NTLM' : 'Negotiate'), %post)
        : ($c->request(%post), $c->response)[1];
    die "$peer: $w->{name}: status ", $r->status, "\n" if $r->status != 200;
    return 'as sent' if $r->body eq $s->{response};
    return 'rewritten' if $r->body eq $s->{relayed};
    return check_relayed($s->{response}, $r->body) ? 'incomplete' : 'signed parts changed';
}

sub column { my ($key, @rows) = @_; return map { $_->{$key} } @rows }

# summary($w) - the figures of each contender over the rounds.
sub summary {
    my ($w) = @_;
    my @plain = column(cpu => @{ $w->{slices}{plain} });
    return map {
        my @s = @{ $w->{slices}{$_} };
        my @cpu = column(cpu => @s);
        my ($ratio, $low, $high) = ratios(\@cpu, \@plain);
        my $connections = 0;
        $connections += $_ for column(connections => @s);
        +{ contender => $_, title => $title{$_}, cpu => median(@cpu), ratio => $ratio,
           ratio_low => $low, ratio_high => $high, answer => $w->{answer}{$_},
           (map { $_ => median(column($_ => @s)) } qw(throughput p50 p99 requests)),
           backend_connections => $connections, slices => \@s };
    } @{ $w->{peers} };
}

sub table {
    my ($w, @rows) = @_;
    my $s = sample($w->{sample});
    my $text = sprintf "### %s\n\n%s, %d bytes in, %d bytes out; latency at %d requests/s.\n\n", $w->{title},
        $s->{operation}, length $s->{request}, length $s->{response}, $w->{rate};
    $text .= "| contender | CPU s / 10,000 | ratio (lowest – highest round) | requests/s | p50 ms | p99 ms | new backend connections | answer |\n"
        . "|---|---:|---:|---:|---:|---:|---:|---|\n";
    $text .= sprintf "| %s | %.3f | %.2f (%.2f – %.2f) | %.0f | %.2f | %.2f | %d | %s |\n",
        @$_{qw(title cpu ratio ratio_low ratio_high throughput p50 p99 backend_connections answer)} for @rows;
    if ($w->{floor}) {
        my $floor = median(@{ $w->{floor} });
        $text .= sprintf "\nBare `gss_accept_sec_context` in a loop: %.3f s; with plain nginx %.3f s.\n",
            $floor, $floor + $rows[0]{cpu};
    }
    return "$text\n";
}

my ($machine, $long, $short);

# write_down($round) - what the rounds so far say.
sub write_down {
    my ($round) = @_;
    $machine->{load_after} = load_average();
    my $text = "$machine->{date}, $machine->{cpu}, $machine->{cpus} processors, $machine->{kernel}; "
        . "$machine->{pinned}; load average $machine->{load} before, $machine->{load_after} after; "
        . sprintf("%d rounds, slices of %d s full speed and %.1f s at the fixed rate, %d connections.\n\n",
            $round, $long, $short, $connections)
        . join(', ', @{ $machine->{packages} }) . "\n\n";
    my @result;
    for my $w (@workloads) {
        my @rows = summary($w);
        $text .= table($w, @rows);
        push @result, { workload => $w->{name}, sample => $w->{sample}, rate => $w->{rate}, rows => \@rows,
            $w->{floor} ? (accept => $w->{floor}) : () };
    }
    spew("$directory/bench.md", $text);
    spew("$directory/bench.json", JSON::PP->new->canonical->pretty->encode(
        { machine => $machine, rounds => $round, seconds => $seconds, workloads => \@result }));
    return;
}

if ($ENV{BENCH_AD}) {
    require RMS::AD;
    RMS::AD::ad();
    splice @{ $_->{peers} }, 3, 0, 'pac' for grep { $_->{kerberos} } @workloads;
    $title{pac} = "$title{negotiate}, rules by SID";
}
@workloads = grep { $_->{name} =~ /$ENV{BENCH_ONLY}/ } @workloads if defined $ENV{BENCH_ONLY};
if ($ENV{BENCH_OTHER}) {
    $ENV{BENCH_OTHER} = abs_path($ENV{BENCH_OTHER});
    @{ $_->{peers} } = map { /^(module|routing|negotiate)$/ ? ($_, "${_}2") : $_ } @{ $_->{peers} } for @workloads;
}
$machine = machine(qw(nginx haproxy apache2-bin libapache2-mod-auth-gssapi libnginx-mod-http-lua libkrb5-3 libxml2
    libc6 wrk));
$machine->{pinned} = Peers::pin();
Peers::start();
$Peers::load_env = { %{ kdc()->env('EXCH01$') }, KRB5_KTNAME => kdc()->keytab, KRB5RCACHENAME => 'none:' };

for my $w (@workloads) {
    for my $peer (@{ $w->{peers} }) {
        $w->{answer}{$peer} = check($w, $peer);
        load($w, $peer, 300) if !$w->{ntlm};
    }
}

# a slice: whole seconds of wrk, the rest at the fixed rate
my $slices = 0;
$slices += @{ $_->{peers} } for @workloads;
my $rounds = $ENV{BENCH_ROUNDS} || ($seconds >= $slices * 7 ? 5 : int($seconds / $slices / 1.4) || 1);
my $each = $seconds / $slices / $rounds;
$long = int($each * 0.55) || 1;
$short = $each - $long - 0.25 > 0.5 ? $each - $long - 0.25 : 0.5;
my $began = time;

for my $round (1 .. $rounds) {
    for my $w (@workloads) {
        for my $peer (@{ $w->{peers} }) {
            push @{ $w->{slices}{$peer} }, { %{ full($w, $peer, $long) }, %{ paced($w, $peer, $short) } };
        }
        push @{ $w->{floor} }, accept_alone(2500 * $long) if $w->{kerberos};
    }
    printf "round %d of %d, %.0f s\n", $round, $rounds, time - $began;
    write_down($round);
}
print "\n", slurp("$directory/bench.md"), "written to $directory/bench.md and bench.json\n";
