#!/usr/bin/perl
# Text: 80 columns, no tabs and no blanks at the end in C; no words that put
# work off and no paths of somebody's machine anywhere.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

# in brackets, so that this file does not find itself
my $words = qr/\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b/;
my $paths = qr{(?<![\w.])/(?:wo[r]k|ho[m]e|ro[o]t|tmp/ba[s]h_jobs[.\w]*|mn[t])/[\w.]};

my ($files, $columns) = (0, 0);

for my $file (tree()) {
    my $text = slurp($file);
    my ($c, $n) = (0, 0);

    next if $text =~ /\0/ || $file =~ m{^t/fuzz/corpus/};
    $files++;

    if ($file =~ m{^(?:src|ngx_rms_module|t/unit|t/fuzz|t/lib/tools)/.*\.[ch]$}) {
        $c = 1;
        $columns++;
    }

    for my $line (split /\n/, $text) {
        $n++;
        wrong("$file:$n", "the word $&") if $line =~ $words;
        wrong("$file:$n", "a path of one machine: $&") if $line =~ $paths;
        next if !$c;
        wrong("$file:$n", length($line) . ' columns, 80 at most') if length($line) > 80;
        wrong("$file:$n", 'a tab') if $line =~ /\t/;
        wrong("$file:$n", 'blanks at the end') if $line =~ /\s$/;
        wrong("$file:$n", 'a comment with //') if $line =~ m{(?<![:"\w/])//} && $line !~ m{".*//.*"|^ ?\*|/\*.*//};
    }

    wrong($file, 'no newline at the end') if $c && $text !~ /\n\z/;
}

finish("$files files, 80 columns in $columns");
