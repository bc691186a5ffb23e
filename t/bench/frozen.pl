#!/usr/bin/perl
# frozen.pl DIRECTORY [ROUNDS] - see "make bench" and docs/performance.md.
#
# What callers with a ticket or a session notice of dependencies they do not need:
# latency at a fixed rate with all of them running, with winbindd stopped where it
# stands (and callers by NTLM on every thread and in every place before them), and
# without a KDC.  In turn, so many rounds; ratios are taken within a round.  Pages
# that the module answers itself: no backend is measured.

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use POSIX qw(strftime);
use RMS::Test (plain => 1);
use RMS::AD;
use RMS::NTLM;

$| = 1;

my ($directory, $rounds) = @ARGV;
die "usage: frozen.pl DIRECTORY [ROUNDS]\n" unless defined $directory;
$directory = abs_path($directory);
$rounds ||= 7;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $host = 'rmsconnector.rms.test';
my ($rate, $requests, $connections) = (200, 600, 8);
my ($threads, $queue) = (2, 16);
my ($cookie, %file, %slices, $hung);
my @states = (['running', 'all running'], ['winbindd', 'winbindd stands still'], ['kdc', 'no KDC']);
my @workloads = (['kerberos', 'a login by Kerberos'], ['session', 'a session (cookie)']);

# knock() - a first leg of NTLM on a connection of its own, and whether it was
# answered at once.
sub knock {
    my $c = client(addr(), nginx()->port);
    $c->request(path => $page, headers => [['Authorization', ntlm()->header]]);
    return ($c, IO::Select->new($c->{s})->can_read(0.05) ? 1 : 0);
}

# refused() - whether there is no room for one more.
sub refused {
    my ($c, $answered) = knock();
    return 1 if $answered && $c->response->status == 503;
    push @$hung, $c;
    return 0;
}

# fill() - until three in a row find no room.
sub fill {
    $hung = [];
    my $full = 0;
    $full = refused() ? $full + 1 : 0 while $full < 3;
    die scalar(@$hung), " hang\n" if @$hung != $threads + $queue;
    return;
}

my %enter = (running => sub { }, winbindd => sub { ad()->freeze('winbindd'); fill() },
    kdc => sub { ad()->stop });
my %leave = (running => sub { }, winbindd => \&thaw, kdc => sub { ad()->serve });

sub thaw {
    die "there was room for NTLM\n" if !refused();
    ad()->thaw('winbindd');
    for my $c (@$hung) {
        my $status = $c->response->status;
        die "who waited has $status\n" if $status != 401;
    }
    return;
}

# paced($workload) - {p50, p99} in ms.
sub paced {
    my ($workload) = @_;
    my ($exit, $text) = run(["$directory/load", '-c', $connections, '-n', $requests, '-r', $rate,
        $workload eq 'kerberos' ? ('-s', "HTTP\@$host") : (), addr(), nginx()->port, $file{$workload}],
        env => kdc()->env('EXCH01$'));
    my ($json) = $text =~ /^(\{.*\})\s*\z/m;
    die "load: $text\n" if $exit || !$json;
    my $r = JSON::PP::decode_json($json);
    die "$workload: $r->{errors} of $r->{requests} requests failed\n$text\n" if $r->{errors};
    return $r;
}

sub median {
    my @v = sort { $a <=> $b } @_;
    return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

# ratios($workload, $state, $key) - median, lowest, highest round.
sub ratios {
    my ($workload, $state, $key) = @_;
    my ($base, $own) = @{ $slices{$workload} }{ 'running', $state };
    my @r = map { $own->[$_]{$key} / $base->[$_]{$key} } 0 .. $#$own;
    return (median(@r), (sort { $a <=> $b } @r)[0, -1]);
}

sub report {
    my ($before) = @_;
    my $text = sprintf "%s, load average %s before, %s after; %d rounds, %d requests at %d a second in each slice, "
        . "%d connections, one worker; %d callers by NTLM hang while winbindd does.\n\n", strftime('%Y-%m-%d %H:%M', localtime),
        $before, load_average(), $rounds, $requests, $rate, $connections, $threads + $queue;
    $text .= "| each request | dependencies | p50 ms | ratio (lowest – highest round) | p99 ms | ratio (lowest – highest round) |\n"
        . "|---|---|---:|---:|---:|---:|\n";
    for my $w (@workloads) {
        for my $s (@states) {
            my @of = map { my $key = $_; (median(map { $_->{$key} } @{ $slices{ $w->[0] }{ $s->[0] } }),
                ratios($w->[0], $s->[0], $key)) } qw(p50 p99);
            $text .= sprintf "| %s | %s | %.2f | %.2f (%.2f – %.2f) | %.2f | %.2f (%.2f – %.2f) |\n", $w->[1], $s->[1], @of;
        }
    }
    return $text;
}

sub load_average { return (split ' ', slurp('/proc/loadavg'))[0] }

my $before = load_average();
ad(winbind => 1);
standin(azure => {});
nginx(auth => 'negotiate ntlm', domain => "$RMS::AD::NETBIOS=$RMS::AD::REALM", log => 'error',
    ntlm_pool => "threads=$threads max_queue=$queue", location => 'rms_session cookie;');
($cookie) = http(path => $page, account => 'EXCH01$')->header('set-cookie') =~ /^([^;]+)/;
$file{kerberos} = spew(dir() . '/request.kerberos', build_request(path => $page, host => $host));
$file{session} = spew(dir() . '/request.session', build_request(path => $page, host => $host,
    headers => [['Cookie', $cookie]]));
paced($_->[0]) for @workloads;

for my $round (1 .. $rounds) {
    for my $s (map { $_->[0] } @states) {
        $enter{$s}->();
        push @{ $slices{ $_->[0] }{$s} }, paced($_->[0]) for @workloads;
        $leave{$s}->();
    }
    print "round $round of $rounds\n";
}
my $text = report($before);
spew("$directory/frozen.md", $text);
spew("$directory/frozen.json", JSON::PP->new->canonical->pretty->encode(\%slices));
print "\n$text\nwritten to $directory/frozen.md and frozen.json\n";
