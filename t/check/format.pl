#!/usr/bin/perl
# format.pl [FILE ...]: the layout of C, against clang-format with .clang-format, as far as it knows
# nginx's style.  Both texts have the same characters but for blanks, so each
# place in one has its place in the other.  Compared: where statements begin
# and how far they are indented; whether two tokens of a line are apart.  Free:
# lines of the preprocessor, "for ( ;; )", flags joined as A|B, and the inside
# of a block that stands right after an #if, as nginx writes it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

# characters($text) - per character that is no blank: [it, blanks before it in
# its line or -1 - indentation when it begins the line, offset]
sub characters {
    my ($text) = @_;
    my (@found, $blanks);
    $blanks = -1;
    while ($text =~ /(\n[ \n]*)|( +)|(.)/gs) {
        if (defined $1) {
            $blanks = -1 - length(($1 =~ /([^\n]*)\z/)[0]);
        } elsif (defined $2) {
            $blanks = $blanks == -1 ? -1 - length $2 : length $2;
        } else {
            push @found, [$3, $blanks, $-[3]];
            $blanks = 0;
        }
    }
    return @found;
}

# unprocessed($text) - lines of the preprocessor blanked
sub unprocessed {
    my ($text) = @_;
    $text =~ s{^([ ]*\#(?:[^\n\\]|\\.)*)}{ (my $s = $1) =~ s/[^\n]/ /g; $s }gemsx;
    return $text;
}

my ($files, $statements) = (0, 0);

@ARGV = sort(glob('src/*.[ch]'), glob('ngx_rms_module/*.[ch]')) if !@ARGV;

for my $file (@ARGV) {
    my $original = slurp($file);
    my $text = unprocessed($original);
    open my $in, '-|', 'clang-format', '--style=file', $file or die "clang-format: $!\n";
    my $want = do { local $/; <$in> };
    close $in or do { wrong($file, 'clang-format failed'); next };

    my @is = characters($text);
    my @should = characters(unprocessed($want));
    my $code = plain($text);
    my $last = '';      # the last character of code
    my ($depth, $if) = (0, 0);

    $files++;
    wrong($file, 'clang-format changes more than blanks'), next
        if join('', map { $_->[0] } @is) ne join('', map { $_->[0] } @should);

    for my $i (0 .. $#is) {
        my ($c, $has, $at) = @{ $is[$i] };
        my $wants = $should[$i][1];
        my $place = sub { "$file:" . line_of($text, $at) };
        my $inside = substr($code, $at, 1) eq ' ';      # a comment or a string

        # a block after #if

        $if ||= $depth + 1 if $c eq '{' && substr($original, 0, $at) =~ /^#if[^\n]*\n *\z/m;
        $depth += ($c eq '{') - ($c eq '}') if !$inside;
        $if = 0 if $if && $depth < $if;

        # a new line

        if ($has < 0 && !$inside && $last =~ /[;{}]/ && $c ne '}') {
            $statements++;
            wrong($place->(), 'indented by ' . (-1 - $has) . ' columns, clang-format wants ' . (-1 - $wants))
                if $wants < 0 && $wants != $has && !$if;
        }

        if ($has >= 0 && $wants < 0 && !$inside && $last =~ /[;{}]/) {
            wrong($place->(), 'clang-format begins a line here') if $last ne '{' || $c ne '}';
        }

        # blanks between two tokens

        my $free = $c eq '|' || $last eq '|' || "$last$c" =~ /^(?:\(;|;\))$/;

        if ($has >= 0 && $wants >= 0 && !$inside && !$free && ($has > 0) != ($wants > 0)) {
            wrong($place->(), sprintf '%s between "%s" and "%s"', $has ? 'blanks' : 'no blank', $last, $c);
        }

        $last = $c if !$inside;
    }
}

finish("$files files, $statements statements");
