#!/usr/bin/perl
# Logon information of PACs as Samba writes it, read by us and by Samba: the
# same SIDs.  Where both accept one of the fuzz corpus, they agree on it too.

use strict;
use warnings;

use FindBin;
use File::Temp qw(tempdir);
use Test::More;

my $N = 500;
my $root = "$FindBin::Bin/..";
my $tools = "$FindBin::Bin/lib/tools";
my $dir = tempdir(CLEANUP => 1);

sub ours { my @said = `$dir/sids @_`; chomp @said; return @said }
sub samba { my @said = `/usr/bin/python3 -B $tools/sids.py read @_`; chomp @said; return @said }

my $said = `cc -O1 -D_GNU_SOURCE -I$root/src -o $dir/sids $tools/sids.c $root/src/rms_pac.c \\
    $root/src/rms_ndr.c $root/src/rms_sid.c $root/src/rms_sid_set.c 2>&1`;
is($?, 0, 'the tool is built') or diag($said);

is(system('/usr/bin/python3', '-B', "$tools/sids.py", 'make', $dir, $N, 1), 0, 'Samba writes some');

my @files = map {"$dir/$_"} 0 .. $N - 1;
my @want = samba(@files);
my @got = ours(@files);

is(scalar(grep {/^S-1-/} @want), $N, 'Samba reads them all');
my @wrong = grep { $got[$_] ne $want[$_] } 0 .. $N - 1;
is(scalar @wrong, 0, 'and so do we, with the same result')
    or diag("ours:  $got[$wrong[0]]\nSamba: $want[$wrong[0]]");

# names aside: Samba ends them at a NUL

@files = sort glob "$FindBin::Bin/fuzz/corpus/pac/*";
@want = map { (split /\t/)[0] } samba(@files);
@got = map { (split /\t/)[0] } ours(@files);

my @both = grep { $got[$_] =~ /^S-1-/ && $want[$_] =~ /^S-1-/ } 0 .. $#files;
cmp_ok(scalar @both, '>', 10, 'some of the corpus both accept');
@wrong = grep { $got[$_] ne $want[$_] } @both;
is(scalar @wrong, 0, 'and agree on') or diag("$files[$wrong[0]]\nours:  $got[$wrong[0]]\nSamba: $want[$wrong[0]]");

done_testing();
