#!/usr/bin/perl
# instructions.pl DIRECTORY - user-space instructions per request, counted by
# valgrind: a figure that does not depend on what else the machine does, for
# nginx alone, with sub_filter and with the module.  The kernel's part, which is
# the same for all, is not in it.
#
# BENCH_OTHER=FILE  another build of the module beside it

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use RMS::Test (plain => 1);

use Peers;

my ($directory) = map { abs_path($_) } @ARGV;
my ($few, $many) = (100, 300);
my %start = (
    plain => sub { Peers::plain('plain') },
    sub_filter => sub { Peers::sub_filter() },
    module => sub { Peers::module(RMS::Nginx::module(), '') },
    module2 => sub { Peers::module(abs_path($ENV{BENCH_OTHER}), '2') },
);
my %first = (routing => 'module', negotiate => 'module', routing2 => 'module2', negotiate2 => 'module2');
my @two = $ENV{BENCH_OTHER} ? ('', '2') : ('');
my @rows = (
    ['relay, 07', '07', 'plain', map { ("module$_", "routing$_") } @two],
    ['small, 09', '09', 'plain', map { ("module$_") } @two],
    ['rewrite, 01', '01', 'plain', 'sub_filter', map { ("module$_") } @two],
    ['rewrite, 12', '12', 'plain', 'sub_filter', map { ("module$_") } @two],
    ['kerberos, 09', '09', 'plain', map { ("negotiate$_") } @two],
);

# collected($peer, $sample, $n, $kerberos) - instructions of a whole life with
# $n requests.
sub collected {
    my ($peer, $name, $n, $kerberos) = @_;
    my $s = sample($name);
    my $file = spew(dir() . "/request.$name", build_request(method => 'POST', path => $s->{path},
        host => $Peers::HOST, headers => $s->{headers}, body => $s->{request}));
    my $first = $first{$peer} || $peer;
    my $log = dir() . "/valgrind.$first";
    unlink $log;
    @Peers::wrap = (qw(valgrind --tool=callgrind --callgrind-out-file=/dev/null), "--log-file=$log");
    $start{$first}->();
    my ($status, $said) = run(["$directory/load", '-c', 4, '-n', $n,
        $kerberos ? ('-s', "HTTP\@$Peers::HOST") : (), addr(), Peers::port($peer), $file],
        env => kdc()->env('EXCH01$'));
    die "$peer: $said" if $status || $said !~ /"errors":0,/;
    stop_process(Peers::pid($first), 'QUIT', 30);
    my ($count) = slurp($log) =~ /Collected : (\d+)/ or die slurp($log);
    return $count;
}

$| = 1;
kdc();
Peers::backend();
print "| message | contender | instructions / request | ratio |\n|---|---|---:|---:|\n";

for my $row (@rows) {
    my ($title, $name, @peers) = @$row;
    my $plain;
    for my $peer (@peers) {
        my @krb = $title =~ /^kerberos/ && $peer ne 'plain';
        my $each = (collected($peer, $name, $many, @krb) - collected($peer, $name, $few, @krb)) / ($many - $few);
        $plain ||= $each;
        printf "| %s | %s | %.0f | %.2f |\n", $title, $peer, $each, $each / $plain;
    }
}
