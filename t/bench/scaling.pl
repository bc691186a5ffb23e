#!/usr/bin/perl
# scaling.pl FILE - the tables of docs/scaling.md, from the figures that "make
# bench-pool" wrote (pool.json): what 4, 16 and 64 nodes cost one Redis at 10,000
# requests a second in all.  Arithmetic, no measurement.
#
# Requests go to nodes at random, one by one.  So a session costs a GET at each node
# that meets it first, and a SET at each node that sees it again after a tenth of
# its idle time: counted by playing sessions through, always the same ones.

use strict;
use warnings;

use JSON::PP qw(decode_json);

my ($file) = @ARGV;
die "usage: scaling.pl FILE\n" unless defined $file;
open my $fh, '<', $file or die "$file: $!\n";
my $m = decode_json(do { local $/; <$fh> });
die "$file: not of a whole run of bench-pool\n" if grep { !$m->{$_} } qw(costs memory standing bare_idle idle);

my ($requests, $workers) = (10_000, 2);
my ($idle, $ttl, $window) = (3600, 8 * 3600, 600);
my @nodes = (4, 16, 64);

# of each mix: requests of a session, seconds they are spread over
my @mixes = (
    { name => 'servers', requests => 20 * $ttl, seconds => $ttl },
    { name => 'people', requests => 100, seconds => 3600 },
    { name => 'no cookies kept', requests => 1, seconds => 0 },
    { name => 'cookies nobody gave', unknown => 1 },
);

# play($mix, $n) - GET and touches of one session at n nodes, the mean of many.
sub play {
    my ($mix, $n) = @_;
    my ($k, $seconds) = @$mix{qw(requests seconds)};
    my $many = $k > 1000 ? 1 : 1000;
    my ($gets, $touches) = (0, 0);
    srand 1;
    for (1 .. $many) {
        my ($seen, %at) = (0);
        my @when = (0, sort { $a <=> $b } map { rand $seconds } 2 .. $k);
        $at{ int rand $n } = 0;
        for my $t (@when[1 .. $#when]) {
            my $node = int rand $n;
            if (!defined $at{$node}) {
                $gets++;
                $at{$node} = $seen;
            }
            if ($t - $at{$node} > $idle / 10) {
                $touches++;
                $at{$node} = $seen = $t;
            }
        }
    }
    return ($gets / $many, $touches / $many);
}

# line($n, $of) - of the script of announcements: linear in the nodes it answers with.
sub line {
    my ($n, $of) = @_;
    my ($few, $many) = @{ $m->{standing} }[0, 2];
    return $of->($few) + ($of->($many) - $of->($few)) / ($many->{n} - $few->{n}) * ($n - $few->{n});
}

sub cost { return $m->{costs}{"$_[0], $_[1]"} }

# standing($n) - of nodes that are only there: commands, processor seconds, bytes in
# and out, in a second.
sub standing {
    my ($n) = @_;
    my $three = $m->{standing}[0];
    my $evals = $n * $three->{evals} / $three->{at} / 3;
    my $us = line($n, sub { $_[0]{us} }) - $three->{us};
    my $answer = line($n, sub { $_[0]{bytes_out} / $_[0]{evals} }) - $three->{bytes_out} / $three->{evals};
    my $commands = 0;
    $commands += ($three->{calls}{$_} || 0) / $three->{at} / 3 * $n for qw(hget ping role eval);
    return {
        commands => $commands,
        cpu => $m->{bare_idle}{cpu} + ($three->{cpu} / $three->{at} - $m->{bare_idle}{cpu}) / 3 * $n + $evals * $us / 1e6,
        in => $three->{bytes_in} / $three->{at} / 3 * $n,
        out => $three->{bytes_out} / $three->{at} / 3 * $n + $evals * $answer,
    };
}

# asked($mix, $n) - in a second: logins, GET, touches; sessions and tokens in Redis.
sub asked {
    my ($mix, $n) = @_;
    return { logins => 0, gets => $requests, touches => 0, sessions => 0, tokens => 0 } if $mix->{unknown};
    my ($gets, $touches) = $mix->{requests} > 1 ? play($mix, $n) : (0, 0);
    my $logins = $requests / $mix->{requests};
    my $stays = $mix->{seconds} == $ttl ? $ttl : $mix->{seconds} + $idle;
    return { logins => $logins, gets => $logins * $gets, touches => $logins * $touches,
        sessions => $logins * $stays, tokens => $logins * $window };
}

sub amount { my ($n) = @_; return $n >= 100 ? sprintf('%.0f', $n) =~ s/(?<=\d)(?=(?:\d{3})+$)/,/gr : sprintf '%.2g', $n }

# row($mix, $n)
sub row {
    my ($mix, $n) = @_;
    my ($a, $s) = (asked($mix, $n), standing($n));
    my $get = $mix->{unknown} ? 'GET of nothing' : 'level 2, GET';
    my $login = 'login, SET NX and SET';
    my @cpu = map {
        100 * ($s->{cpu} + 1e-6 * ($a->{gets} * cost($get, $_)->{us} + ($a->{logins} + $a->{touches} / 2) * cost($login, $_)->{us}))
    } 'full speed', '200 a second';
    my ($in, $out) = map {
        8e-6 * ($s->{$_} + $a->{gets} * cost($get, 'full speed')->{$_} + ($a->{logins} + $a->{touches}) * cost($login, 'full speed')->{$_})
    } qw(in out);
    my $u = $m->{memory};
    my $grown = $u->{login} / ($u->{session} + $u->{replay});
    my $mb = $grown * ($a->{sessions} * $u->{session} + $a->{tokens} * $u->{replay}) / 1e6;
    return sprintf "| %s | %d | %s | %s | %s | %s | %s | %.1f – %.1f | %s | %.1f, %.1f | %d |\n", $mix->{name}, $n,
        map({ amount($_) } @$a{qw(logins gets touches)}, $s->{commands}, $s->{commands} + $a->{gets} + 2 * $a->{logins} + $a->{touches}),
        @cpu, amount($mb), $in, $out, 2 * $workers * $n;
}

print "| mix | nodes | logins/s | GET/s | touches/s | standing/s | commands/s | processor, % | memory, MB | Mbit/s in, out | connections |\n"
    . "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
for my $mix (@mixes) {
    print row($mix, $_) for @nodes;
}
