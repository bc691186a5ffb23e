package Guard;

# What the guards share.  A guard runs in the top directory of the tree, calls
# wrong() for each place that drifted, and finish() at its end: exit 1 and the
# list, or exit 0 and one line of summary.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(slurp tree sources line_of bodies plain wrong finish);

my @wrong;

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or do { wrong($file, "cannot be read: $!"); return '' };
    local $/;
    return scalar <$in>;
}

sub sources { return sort(glob('src/*.c'), glob('ngx_rms_module/*.c')) }

# tree() - every text file of the project, without what was built
sub tree {
    my @found;
    my @todo = ('.');
    while (defined(my $dir = shift @todo)) {
        opendir my $d, $dir or next;
        for my $name (sort readdir $d) {
            next if $name =~ /^\.\.?$/ || $name eq '.git' || $name eq '__pycache__';
            my $path = $dir eq '.' ? $name : "$dir/$name";
            next if -l $path;
            if (-d $path) {
                push @todo, $path unless $dir eq '.' && $name =~ /^build/;
            } elsif (-f $path) {
                push @found, $path;
            }
        }
    }
    return @found;
}

# line_of($text, $offset) - the number of the line at an offset
sub line_of {
    my ($text, $at) = @_;
    return 1 + (substr($text, 0, $at) =~ tr/\n//);
}

# plain($text) - C with comments, strings and characters blanked, same offsets
sub plain {
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')}
              { (my $s = $1) =~ s/[^\n]/ /g; $s }gesx;
    return $text;
}

# bodies($text) - [name, line of "{", lines from "{" to "}", body] per function
# definition: nginx style has both braces in the first column
sub bodies {
    my ($text) = @_;
    my (@found, $name, $start, @body, $n, $head);
    $n = 0;
    $head = '';
    for my $line (split /\n/, $text) {
        $n++;
        if ($start) {
            push @body, $line;
            next if $line !~ /^\}/;
            push @found, [$name, $start, $n - $start + 1, join("\n", @body)] if defined $name;
            ($start, $head, @body) = (0, '');
        } elsif ($line =~ /^\{/) {
            ($name) = $head =~ /(\w+)\s*\([^;]*$/s;
            ($start, @body) = ($n);
        } elsif ($line =~ /^\S.*;\s*$|^[#}]|^\s*$/) {
            $head = '';
        } else {
            $head .= "$line\n";
        }
    }
    return @found;
}

sub wrong { push @wrong, "$_[0]: $_[1]"; return }

sub finish {
    my ($summary) = @_;
    my ($name) = $0 =~ m{([^/]+?)(?:\.\w+)?$};
    if (@wrong) {
        print "$_\n" for @wrong;
        printf "%s: %d wrong\n", $name, scalar @wrong;
        exit 1;
    }
    print "$name: $summary\n";
    exit 0;
}

1;
