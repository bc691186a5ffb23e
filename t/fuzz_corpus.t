#!/usr/bin/perl
# Every fuzz target has a corpus, and no input of it makes the target fail.

use strict;
use warnings;

use FindBin;
use Test::More;

my $build = $ENV{BUILD} || 'build';
my @sources = glob "$FindBin::Bin/fuzz/fuzz_*.c";

ok(@sources > 0, 'there are fuzz targets');

for my $source (@sources) {
    my ($name) = $source =~ m{fuzz_(\w+)\.c$};
    my $corpus = "$FindBin::Bin/fuzz/corpus/$name";
    my @inputs = glob "$corpus/*";

    ok(@inputs > 0, "$name has a corpus");

    my $said = `$build/fuzz/fuzz_$name $corpus 2>&1`;
    my ($n) = $said =~ /: (\d+) inputs/;

    is($?, 0, "$name survives its corpus") or diag($said);
    is($n, scalar @inputs, "$name saw every input");
}

done_testing();
