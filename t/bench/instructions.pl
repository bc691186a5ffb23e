#!/usr/bin/perl
# instructions.pl DIRECTORY - user-space instructions per request, counted by
# valgrind: a figure that does not depend on what else the machine does, for
# nginx alone, with sub_filter and with the module.  The kernel's part, which is
# the same for all, is not in it.
#
# BENCH_ONLY=PATTERN  only these messages       BENCH_OTHER=FILE  another build
# of the module beside it                       BENCH_PROFILE=1   and where they
# go: callgrind.CONTENDER.REQUESTS in DIRECTORY

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
my %first = map { ($_ => 'module', "${_}2" => 'module2') } qw(routing negotiate connection cookie);
my @two = $ENV{BENCH_OTHER} ? ('', '2') : ('');
my @rows = (
    ['relay, 07', '07', 'plain', map { ("module$_", "routing$_") } @two],
    ['small, 09', '09', 'plain', map { ("module$_") } @two],
    ['rewrite, 01', '01', 'plain', 'sub_filter', map { ("module$_") } @two],
    ['rewrite, 12', '12', 'plain', 'sub_filter', map { ("module$_") } @two],
    ['kerberos, 09', '09', 'plain', map { ("negotiate$_") } @two],
    ['sessions, 09', '09', 'plain', map { ("module$_", "connection$_", "cookie$_") } @two],
);
@rows = grep { $_->[0] =~ /$ENV{BENCH_ONLY}/ } @rows if defined $ENV{BENCH_ONLY};

# request($peer, $sample, @headers) - a message, and the file it is in.
sub request {
    my ($peer, $name, @headers) = @_;
    my $s = sample($name);
    my %post = (method => 'POST', path => $s->{path}, host => $Peers::HOST, headers => [@{ $s->{headers} }, @headers],
        body => $s->{request});
    return (spew(dir() . "/request.$name.$peer", build_request(%post)), %post);
}

# session($peer, $sample) - the file of a message that goes on with a session.
sub session {
    my ($peer, $name) = @_;
    my (undef, %post) = request($peer, $name, ['Authorization', negotiate('EXCH01$')]);
    my $c = client(addr(), Peers::port($peer));
    $c->request(%post);
    my ($cookie) = ($c->response->header('set-cookie') // '') =~ /^([^;]+)/ or die "$peer: no cookie\n";
    my ($file) = request($peer, $name, ['Cookie', $cookie]);
    return $file;
}

# collected($peer, $sample, $n) - instructions of a whole life with $n requests.
sub collected {
    my ($peer, $name, $n) = @_;
    my $first = $first{$peer} || $peer;
    my $log = dir() . "/valgrind.$first";
    my $out = $ENV{BENCH_PROFILE} ? "$directory/callgrind.$peer.$n" : '/dev/null';
    unlink $log;
    @Peers::wrap = (qw(valgrind --tool=callgrind), "--callgrind-out-file=$out", "--log-file=$log");
    $start{$first}->();
    my ($file) = $peer =~ /^cookie/ ? session($peer, $name) : request($peer, $name);
    my @kerberos = $peer =~ /^negotiate/ ? '-s' : $peer =~ /^connection/ ? ('-f', '-s') : ();
    push @kerberos, "HTTP\@$Peers::HOST" if @kerberos;
    my ($status, $said) = run(["$directory/load", '-c', 4, '-n', $n, @kerberos, addr(), Peers::port($peer), $file],
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
        my $each = (collected($peer, $name, $many) - collected($peer, $name, $few)) / ($many - $few);
        $plain ||= $each;
        printf "| %s | %s | %.0f | %.2f |\n", $title, $peer, $each, $each / $plain;
    }
}
