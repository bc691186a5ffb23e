package Measure;

# What the benchmarks share: processor time of others, tools that answer with
# JSON, medians, and what it ran on.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use POSIX qw(strftime);

use Peers;
use RMS::Env;

our @EXPORT = qw(cpu_of tool median ratios machine load_average);

# processes($pid) - it and all below it.
sub processes {
    my ($pid) = @_;
    return $pid, map { processes($_) } split ' ', slurp("/proc/$pid/task/$pid/children");
}

# cpu_of($pid) - processor seconds so far, of all threads of it and all below it:
# the nanoseconds of schedstat, utime + stime where the kernel has none.
sub cpu_of {
    my ($above) = @_;
    my $sum = 0;
    for my $pid (processes($above)) {
        my @threads = glob "/proc/$pid/task/*/schedstat";
        if (@threads) {
            $sum += (split ' ', slurp($_))[0] / 1e9 for @threads;
        } else {
            my @stat = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\)//sr;
            $sum += ($stat[11] + $stat[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
        }
    }
    return $sum;
}

# tool(@command) - runs it beside the contenders; the JSON of its last line.
sub tool {
    my (@command) = @_;
    my ($exit, $text) = run([Peers::rest(), @command], env => $Peers::load_env);
    my ($json) = $text =~ /^(\{.*\})\s*\z/m;
    die "@command: $text\n" if $exit || !$json;
    my $r = JSON::PP::decode_json($json);
    die "@command: $r->{errors} of $r->{requests} requests failed\n$text\n" if $r->{errors};
    return $r;
}

sub median {
    my @v = sort { $a <=> $b } @_;
    return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

# ratios(\@own, \@base) - median, lowest, highest of the rounds.
sub ratios {
    my ($own, $base) = @_;
    my @r = map { $own->[$_] / $base->[$_] } 0 .. $#$own;
    return (median(@r), (sort { $a <=> $b } @r)[0, -1]);
}

sub load_average { return (split ' ', slurp('/proc/loadavg'))[0] }

# machine(@packages) - what it runs on.
sub machine {
    my (@names) = @_;
    my ($cpu) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
    my $cpus = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg;
    my (undef, $uname) = run([qw(uname -sr)]);
    my (undef, $packages) = run([qw(dpkg-query -W -f), '${Package} ${Version}\n', @names]);
    chomp $uname;
    return { cpu => $cpu || 'unknown', cpus => $cpus, kernel => $uname, date => strftime('%Y-%m-%d %H:%M', localtime),
        load => load_average(), packages => [split /\n/, $packages] };
}

1;
