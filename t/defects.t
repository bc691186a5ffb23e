# Each defect of t/DEFECTS.md has a row, and each row tests that are there.

use strict;
use warnings;

use FindBin;
use Test::More;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin: $!\n";

my @IDS = map {"D$_"} 1 .. 18, 22 .. 24, 28 .. 33, 42 .. 49;
my $TABLE = 't/DEFECTS.md';

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return undef;
    local $/;
    return scalar <$fh>;
}

# holds($text, $file, $name) - whether a file has a test of that name: in Perl
# it is a string, and not in a comment; in C a function that is registered
sub holds {
    my ($text, $file, $name) = @_;
    return $text =~ /^\s+cmocka_unit_test\w*\(\s*\Q$name\E\b/m if $file =~ /\.c$/;
    return grep { !/^\s*#/ && (/'\Q$name\E'/ || /"\Q$name\E"/) } split /\n/, $text;
}

# wrong($table, \&slurp) - what is not as it should be
sub wrong {
    my ($table, $read) = @_;
    my (%rows, @wrong);
    for my $line (grep {/^\| D\d/} split /\n/, $table) {
        my ($id, $what, $here, $tests, $more) = map { s/^\s+|\s+$//gr } grep {length} split /\|/, $line;
        push @wrong, "$id has two rows" if $rows{$id}++;
        push @wrong, "$id has an empty cell" if grep { !defined || !length } $what, $here, $tests;
        push @wrong, "$id has too many cells" if defined $more;
        my $named = 0;
        for my $part (split /; (?=`t\/)/, $tests // '') {
            my ($file, $names) = $part =~ /^`(t\/[\w\/]+\.[tc])`: (`[^`]+`(?:, `[^`]+`)*)$/
                or push(@wrong, "$id: not \"`file`: `name`\": $part"), next;
            my $text = $read->($file);
            push(@wrong, "$id: $file is not there"), next if !defined $text;
            for my $name ($names =~ /`([^`]+)`/g) {
                $named++;
                push @wrong, "$id: $file has no test \"$name\"" if !holds($text, $file, $name);
            }
        }
        push @wrong, "$id names no test" if !$named;
    }
    push @wrong, map {"$_ has no row"} grep { !$rows{$_} } @IDS;
    my %known = map { $_ => 1 } @IDS;
    push @wrong, map {"$_ is not of the list"} grep { !$known{$_} } sort keys %rows;
    return @wrong;
}

my $table = slurp($TABLE) // '';
is_deeply([wrong($table, \&slurp)], [], 'every defect of the list has its tests');

# and the guard can say so
sub but { my ($file, $do) = @_; return sub { local $_ = slurp($_[0]); $do->() if $_[0] eq $file; $_ } }

my ($perl, $c) = ('t/rms_defects_caller.t', 't/unit/test_gss.c');
for my $case (
    ['a row is gone', $table =~ s/^\| D22 .*\n//mr, \&slurp, qr/^D22 has no row$/],
    ['a row is there twice', $table =~ s/^(\| D22 .*\n)/$1$1/mr, \&slurp, qr/^D22 has two rows$/],
    ['a number of no defect', $table =~ s/^\| D22 /| D99 /mr, \&slurp, qr/^D22 has no row; D99 is not of the list$/],
    ['a row without a test', $table =~ s/^(\| D22 .*\|) .*? \|$/$1 soon |/mr, \&slurp, qr/^D22: not .*soon; D22 names no test$/],
    ['an empty cell', $table =~ s/^\| D22 \| [^|]+ \|/| D22 | |/mr, \&slurp, qr/^D22 has an empty cell$/],
    ['a file is gone', $table, but('t/rms_relay.t', sub { $_ = undef }), qr/^D12: t\/rms_relay\.t is not there; D13: t\/rms_relay\.t is not there; D13 names no test$/],
    ['a test has another name', $table, but($perl, sub { s/D8: twenty-five/D8: thirty/ }), qr/^D8: \Q$perl\E has no test "D8: twenty-five/],
    ['a name in a comment alone', $table, but($perl, sub { s/^(.*D15: HTTP\/1\.0 without Host: answered)/# $1/m }), qr/^D15: \Q$perl\E has no test "D15: HTTP\/1\.0/],
    ['a unit test that is not registered', $table, but($c, sub { s/^\s+cmocka_unit_test\w*\(\s*foreign_realm_is_marked\).*\n//m }), qr/^D3: \Q$c\E has no test "foreign_realm_is_marked"$/])
{
    my ($what, $text, $read, $said) = @$case;
    like(join('; ', wrong($text, $read)), $said, "the guard notices: $what");
}

# setenv() while a thread of the pool calls getenv()
my @sources = (glob('src/*.[ch]'), glob('ngx_rms_module/*.[ch]'));
cmp_ok(scalar @sources, '>', 50, 'the sources are here');
is_deeply([grep { slurp($_) =~ /\b(?:setenv|putenv|unsetenv|clearenv)\s*\(|\benviron\b\s*(?:\[|=)/ } @sources], [],
    'D30: nothing changes the environment of a running worker');

done_testing();
