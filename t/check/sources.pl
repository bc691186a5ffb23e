#!/usr/bin/perl
# Every source is listed in "config" (rms_core, rms_glue) and the other way
# round; the core knows nothing of nginx; docs/architecture.md says what each
# file owns.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

my $config = slurp('config');
my $about = slurp('docs/architecture.md');

for my $pair (['rms_core', 'src'], ['rms_glue', 'ngx_rms_module']) {
    my ($list, $dir) = @$pair;
    my ($names) = $config =~ /^$list="([^"]*)"/m;

    wrong('config', "no $list=\"...\""), next if !defined $names;
    $names =~ s/\\\n//g;

    my (%listed, %there);
    for my $name (split ' ', $names) {
        wrong('config', "$name is listed twice in $list") if $listed{$name}++;
        wrong('config', "$name is listed in $list, but $dir/$name.c does not exist") if !-e "$dir/$name.c";
    }
    for my $file (sort glob "$dir/*.c") {
        my ($name) = $file =~ m{/(\w+)\.c$};
        $there{$name} = 1;
        (my $short = $name) =~ s/^ngx_http_rms_//;
        wrong($file, "is not listed in $list of \"config\"") if !$listed{$name};
        wrong($file, 'is not named in docs/architecture.md') if $about !~ /`(?:$name|\Q$short\E)`/;
    }
    wrong($dir, 'no sources') if !%there;
}

for my $file (sort glob 'src/*.[ch]') {
    my $n = 0;
    for my $line (split /\n/, slurp($file)) {
        $n++;
        wrong("$file:$n", "the core names nginx: $1") if $line =~ /(\b(?:ngx|NGX|nginx)_\w+)/ && $line !~ m{^\s*/?\*};
        wrong("$file:$n", "the core includes $1") if $line =~ /^\s*#\s*include\s+(<(?:ngx|nginx)[^>]*>|"(?!rms_)[^"]*")/;
    }
}

finish(scalar(my @s = sources()) . ' sources, all listed; no nginx in src/');
