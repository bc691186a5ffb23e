#!/usr/bin/perl
# Variables, events, reasons, counters and keys of the status <-> docs: each in
# both; events with their level and the words they begin with, reasons with
# their HTTP status; each reason and counter is used.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

my $dir = 'ngx_rms_module';
my $doc = 'docs/events.md';

# reasons whose status rms_deny chooses
my %denied = map { $_ => 1 } qw(foreign_realm no_role operation never);

# both(\%code, \%docs, what) - name => place in each; says what one side lacks
sub both {
    my ($code, $docs, $what) = @_;
    wrong($0, "no ${what}s found"), return 0 if !%$code || !%$docs;
    for (sort keys %$code) { wrong($code->{$_}, "the $what $_ is not in the documentation") if !$docs->{$_} }
    for (sort keys %$docs) { wrong($docs->{$_}, "the $what $_ is not in the code") if !$code->{$_} }
    return scalar keys %$code;
}

# find($file, $regex, $from, $to) - $1 => place, of the text between two marks
sub find {
    my ($file, $re, $from, $to) = @_;
    my $text = slurp($file);
    my ($start, $end) = (0, length $text);
    if ($from) {
        $text =~ /$from/mg or do { wrong($file, "nothing matches $from"); return {} };
        $start = pos $text;
        $end = $-[0] if $text =~ /$to/mg;
    }
    my %found;
    my $part = substr $text, $start, $end - $start;
    while ($part =~ /$re/mg) {
        $found{$1} ||= "$file:" . line_of($text, $start + $-[0]);
    }
    return \%found;
}

# column($file, $from) - the names in the first column of the table after $from
sub column {
    my ($file, $from) = @_;
    my $cells = find($file, qr/^\| ((?:`\w+`(?:, )?)+) \|/m, $from, qr/^$/m);
    return { map { my $cell = $_; map { $_ => $cells->{$cell} } $cell =~ /`(\w+)`/g } keys %$cells };
}

my $variables = both(
    find("$dir/ngx_http_rms_variables.c", qr/\{ ngx_string\("(\w+)"\)/m),
    find('docs/variables.md', qr/^### \$(\w+)$/m), 'variable');

# events; 0 is for lines without a number

my (%events, %sections);
my $events = slurp($doc);
while ($events =~ /^### (\d{4}) (.*)\n((?:(?!#).*\n)*)/mg) {
    my ($id, $text, $place) = ($1, "$2\n$3", "$doc:" . line_of($events, $-[0]));
    $sections{$id} = { place => $place, text => $text, level => ($text =~ /^.*\n\s*(\w+)/)[0] };
}
my ($lines) = $events =~ /^(## Lines without a number\n(?:(?!## ).*\n)*)/m;
$sections{0} = { place => "$doc:" . line_of($events, $-[0]), text => $lines };

my %level = (NOTICE => 'notice', WARN => 'warn', ERR => 'error', INFO => 'info');

for my $file (sort glob "$dir/*.c") {
    my $text = slurp($file);
    while ($text =~ /^ .*\bngx_http_rms_event\(NGX_LOG_(\w+),\s*[^,]+,\s*([^,]+),\s*((?:"(?:\\.|[^"\\])*"\s*)*)/mg) {
        my ($level, $id, $format) = ($level{$1}, $2, $3);
        my $place = "$file:" . line_of($text, $-[0]);

        wrong($place, "the number of an event is not written here: $id"), next if $id !~ /^(?:\d{4}|0)$/;
        $events{$id} ||= $place;
        my $s = $sections{$id} or next;

        wrong($place, "event $id has level $level, in $s->{place} $s->{level}")
            if $id && $s->{level} ne $level && !($s->{text} =~ /except where noted/ && $s->{text} =~ /\| $level,/);

        $format = join '', $format =~ /"((?:\\.|[^"\\])*)"/g;
        $format =~ s/\\"/"/g;
        my ($words) = $format =~ /^([^%:;]*)/;
        $words =~ s/=$//;
        wrong($place, "event $id begins with \"$words\", which $s->{place} does not show")
            if index($s->{text}, $words) < 0;
    }
}
my $events_n = both(\%events, { map { $_ => $sections{$_}{place} } keys %sections }, 'event');

# reasons

my $policy = slurp('src/rms_policy.c');
my %status = $policy =~ /^    \[RMS_REASON_\w+\] = \{ rms_string\("(\w+)"\), (\d+) \}/mg;
my $reasons = find('src/rms_policy.c', qr/^    \[RMS_REASON_\w+\] = \{ rms_string\("(\w+)"\)/m);
delete $reasons->{none};
my $told = find($doc, qr/^\| `(\w+)` \|/m, qr/^## Reasons$/m, qr/^## /m);
my $reasons_n = both($reasons, $told, 'reason');

while ($events =~ /^\| `(\w+)` \| ([\d, ]+|[^|]*rms_deny[^|]*) \|/mg) {
    my ($name, $http) = ($1, $2);
    next if !$status{$name} || $denied{$name};
    wrong($told->{$name}, "reason $name has status $http, in the code $status{$name}") if $http !~ /\b$status{$name}\b/;
}

# counters

my $counters = both(
    find('src/rms_metrics.c', qr/^    \[RMS_COUNT_\w+\] = rms_string\("(\w+)"\)/m),
    column($doc, qr/^\| counter \| counts \|\n/m), 'counter');

# every id of the enums has a name and a use

my $all = join "\n", map { slurp($_) } sources();
for my $enum (['src/rms_policy.h', 'REASON', 'src/rms_policy.c'], ['src/rms_metrics.h', 'COUNT', 'src/rms_metrics.c']) {
    my ($file, $what, $names) = @$enum;
    my $ids = find($file, qr/^    (RMS_${what}_(?!MAX)\w+)\b/m);
    my $table = slurp($names);
    for my $id (sort keys %$ids) {
        wrong($ids->{$id}, "$id has no name in $names") if $table !~ /^    \[$id\] = /m;
        my $uses = () = $all =~ /\b$id\b/g;
        wrong($ids->{$id}, "$id is never used") if $uses < 2;
    }
}

# keys of the status

my $status = find("$dir/ngx_http_rms_status.c",
    qr/(?:ngx_http_rms_json_(?:text|string|open)\(&?\w+, |rms_string\()"(\w+)"/m);
my $keys = find($doc, qr/`(\w+)`/m, qr/^\| key \| value \|\n/m, qr/^$/m);
for (sort keys %$status) {
    wrong($status->{$_}, "the key $_ of the status is not in $doc") if !$keys->{$_};
}
my $rows = column($doc, qr/^\| key \| value \|\n/m);
for (sort keys %$rows) {
    wrong($rows->{$_}, "the key $_ is not in the status") if !$status->{$_};
}

finish("$variables variables, $events_n events, $reasons_n reasons, $counters counters, " . keys(%$status) . ' keys of the status');
