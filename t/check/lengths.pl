#!/usr/bin/perl
# No function over 100 lines (from "{" to "}"), no file over 800; prints the
# median, the 95th percentile and the longest.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

my (@functions, @report);

sub rank { my ($p, @n) = @_; return $n[int(($p * @n + 99) / 100) - 1] }

for my $dir ('src', 'ngx_rms_module') {
    my (@n, $max);

    for my $file (sort glob "$dir/*.[ch]") {
        my $text = slurp($file);
        my $n = $text =~ tr/\n//;

        wrong("$file:$n", "$n lines, 800 at most") if $n > 800;

        for my $f (bodies($text)) {
            push @n, $f->[2];
            $max = [$f->[2], $f->[0]] if !$max || $f->[2] > $max->[0];
            wrong("$file:$f->[1]", "$f->[0]() has $f->[2] lines, 100 at most") if $f->[2] > 100;
        }
    }

    wrong($dir, 'no functions found'), next if !@n;
    push @functions, @n;
    report($dir, $max, @n);
}

sub report {
    my ($dir, $max, @n) = @_;
    @n = sort { $a <=> $b } @n;
    push @report, sprintf '%s %d functions, median %d, p95 %d, max %d%s',
        $dir, scalar @n, rank(50, @n), rank(95, @n), $n[-1], $max ? " ($max->[1])" : '';
}

report('all', undef, @functions) if @functions;

finish(join '; ', @report);
