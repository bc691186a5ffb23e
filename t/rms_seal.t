# The key ring: where the keys are in the memory of nginx, and where they are
# not.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my @keys = map { substr("ring key $_ " . join('', map { chr(33 + $_ * 31 % 90) } 1 .. 32), 0, 32) } 1 .. 3;
my $file = dir() . '/seal.keys';

sub keys_file {
    spew($file, join '', "# first seals\n", map { unpack('H*', $_) . "\n" } @_);
    chmod 0600, $file;
    return $file;
}

# places($bytes, @pids) - the flags (VmFlags of smaps) of each mapping of these
# processes that holds the bytes
sub places {
    my ($bytes, @pids) = @_;
    my @places;
    for my $pid (@pids) {
        open my $mem, '<:raw', "/proc/$pid/mem" or die "/proc/$pid/mem: $!\n";
        for my $mapping (split /^(?=[0-9a-f]+-[0-9a-f]+ )/m, slurp("/proc/$pid/smaps")) {
            my ($from, $to, $what) = $mapping =~ /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+ *(.*)$/m or next;
            no warnings 'portable';
            next if $what =~ /^\[v/ || hex($to) - hex $from > 1 << 32;     # or a sanitizer's shadow
            my ($flags) = $mapping =~ /^VmFlags: (.*)$/m;
            sysseek $mem, hex $from, 0;
            my ($part, $tail) = ('', '');
            my $left = hex($to) - hex $from;
            while ($left > 0) {
                my $n = sysread $mem, $part, $left < 1 << 20 ? $left : 1 << 20;
                last if !$n;
                push @places, " $flags " if index("$tail$part", $bytes) >= 0;
                $tail = substr $part, -length $bytes;
                $left -= $n;
            }
        }
    }
    return @places;
}

keys_file(@keys[0, 1]);
my $n = nginx(http => "rms_seal_key_file $file;");
my @pids = ($n->{pid}, $n->workers);
cmp_ok(scalar @pids, '>=', 2, 'a master and a worker');

for my $i (0, 1) {
    my @places = places($keys[$i], @pids);
    is(scalar @places, scalar @pids, 'a key of the ring is at one place of each process');
    is(scalar(grep { !/ dd / } @places), 0, 'which no core dump takes along');
}

keys_file(@keys[2, 1]);
$n->reload;
wait_for(sub { !$n->leaving }, 'the old workers have left');
@pids = ($n->{pid}, $n->workers);
is(scalar places($keys[2], @pids), scalar @pids, 'a reload reads new keys');
is(scalar places($keys[1], @pids), scalar @pids, 'keeps those that are still in the file');
is(scalar places($keys[0], @pids), 0, 'and leaves nothing of one that was taken out');

keys_file($keys[0], $keys[0]);
my ($status, $said) = run([@{ RMS::Nginx::command($n->prefix, 'notice', '-t') }], env => kdc()->env);
isnt($status, 0, 'a file that is wrong is refused');
like($said, qr/seal\.keys:3: the key of a line above once more/, 'by the number of its line');
is_deeply([no_secrets(@keys, map { unpack 'H*', $_ } @keys)], [], 'no key in a log');
unlike($said, qr/\Q@{[ unpack 'H*', $keys[0] ]}\E/, 'nor in what is said');

done_testing();
