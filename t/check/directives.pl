#!/usr/bin/perl
# Directives and the parameters of rms_backend and rms_redis <-> the reference
# in docs/directives.md: each in both; syntax, default and context there equal
# to the command table's flags, the enum tables and the merge functions.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

my $doc = 'docs/directives.md';
my $dir = 'ngx_rms_module';
my $table = "$dir/ngx_http_rms_module.c";

# words of a syntax that stand for a value
my %free = (
    rms_acl_file => 'file',
);

# where the table takes more values than the syntax has, and why
my %more = (
    rms_auth            => 'the directive itself answers to more',
    rms_session         => 'the directive itself answers to more',
    rms_thread_pool     => 'a second value is ntlm=, with a message',
    read_only           => 'a second value is sid=, with a message',
);

# defaults no merge function has: words the code must contain
my %default = (
    rms_zone        => ["$dir/ngx_http_rms_zone.c", 'rms_zone rms 16m',
                        'ngx_str_set(&rmcf->zone_name, "rms")', 'rmcf->zone_size = 16 * 1024 * 1024'],
    rms_thread_pool => ["$dir/ngx_http_rms_check.c", 'rms_thread_pool krb5=default', 'ngx_thread_pool_add(cf, NULL)'],
    path            => ["$dir/ngx_http_rms_backend.c", 'the path of the first base', 'backend->path'],
    read_only       => ["$dir/ngx_http_rms_backend.c", 'read_only off', 'ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_backend_conf_t))'],
    rms_session     => ["$dir/ngx_http_rms_session.c", 'rms_session off', 'conf->session = NGX_HTTP_RMS_SESSION_OFF;'],
    rms_channel_binding => ["$dir/ngx_http_rms_conf.c", 'rms_channel_binding off', 'ngx_conf_merge_uint_value(conf->binding, prev->binding, RMS_CBIND_OFF)'],
    rms_acl_max_age => ["$dir/ngx_http_rms_conf.c", 'rms_acl_max_age 0', 'ngx_conf_merge_sec_value(conf->acl_max_age, prev->acl_max_age, 0)'],
    rms_acl_shared  => ["$dir/ngx_http_rms_conf.c", 'rms_acl_shared off', 'ngx_conf_merge_value(conf->acl_shared, prev->acl_shared, 0)'],
    rms_on_store_error => ["$dir/ngx_http_rms_conf.c", 'rms_on_store_error local', 'ngx_conf_merge_uint_value(conf->store_error, prev->store_error,',
                        'NGX_HTTP_RMS_STORE_LOCAL'],
    rms_acl_file    => ["$dir/ngx_http_rms_conf.c", 'rms_acl_file off', 'ngx_conf_merge_ptr_value(conf->acl_file, prev->acl_file, NULL)'],
    read_only_answer => ['src/rms_policy.h', 'read_only_answer 401', 'RMS_READ_ONLY_401 = 0'],
    identity        => ['src/rms_policy.h', 'identity none', 'RMS_IDENTITY_NONE = 0'],
);

my %contexts = (
    NGX_HTTP_MAIN_CONF => 'http', NGX_HTTP_SRV_CONF => 'server', NGX_HTTP_LOC_CONF => 'location',
    NGX_HTTP_SIF_CONF => 'if in server', NGX_HTTP_LIF_CONF => 'if in location', NGX_HTTP_LMT_CONF => 'limit_except',
);

# the reference: name => { level, line, Syntax, Default, Context, text }
my (%said, $name, $above);
my ($top) = slurp($doc) =~ /\A(.*?)^## /ms;
my $n = 0;

for my $line (split /\n/, slurp($doc)) {
    $n++;
    if ($line =~ /^(#{2,4}) (.*)/) {
        my ($level, $title) = (length $1, $2);
        $name = undef;
        $above = $title if $level < 4;
        next if $level == 2 || $title !~ /^[a-z_]+$/;
        $name = $level == 4 ? "$above $title" : $title;
        wrong("$doc:$n", "$title stands twice") if $said{$name};
        $said{$name} = { line => $n, text => '' };
    } elsif ($name && $line =~ /^    (Syntax|Default|Context):\s+(.*?)\s*$/) {
        $said{$name}{$1} = $2;
    } elsif ($name) {
        $said{$name}{text} .= "$line\n";
    }
}

# range($syntax) - fewest and most values, alternatives
sub range {
    my ($syntax) = @_;
    $syntax =~ s/^\S+?(?=[\s;]|$)//;
    my $block = $syntax =~ s/\{ \.\.\. \}//;
    $syntax =~ s/;\s*$//;
    my ($min, $max, @words) = (99, 0);
    for my $way (split / \| /, $syntax) {
        my @w = split ' ', $way;
        my $dots = grep { $_ eq '...' } @w;
        @w = grep { $_ ne '...' } @w;
        $min = @w if @w < $min;
        $max = $dots ? 99 : @w if $dots || @w > $max;
        push @words, @w;
    }
    $min = 0 if $min == 99;
    return ($min, $max, $block ? 1 : 0, @words);
}

# flags($text) - fewest and most values of a table entry
sub flags {
    my ($flags) = @_;
    return (0, 99) if $flags =~ /\bNGX_CONF_ANY\b/;
    return ($1, 99) if $flags =~ /\bNGX_CONF_([12])MORE\b/;
    return (0, 0) if $flags =~ /\bNGX_CONF_NOARGS\b/;
    return (1, 1) if $flags =~ /\bNGX_CONF_FLAG\b/;
    my ($digits) = $flags =~ /\bNGX_CONF_TAKE(\d+)\b/ or return (-1, -1);
    return ((sort split //, $digits)[0, -1]);
}

sub ranges {
    my ($at, $name, $word, $want_min, $want_max, $want_block) = @_;
    my $s = $said{$name};
    my ($min, $max, $block) = range($s->{Syntax} // '');
    wrong("$doc:$s->{line}", "the syntax of $word has no { ... }, $at reads a block") if $want_block && !$block;
    wrong("$doc:$s->{line}", "the syntax of $word has { ... }, $at reads no block") if !$want_block && $block;
    wrong("$doc:$s->{line}", "the syntax of $word takes $min to $max values, $at $want_min to $want_max")
        if $min < $want_min || $max > $want_max
           || (!$more{$word} && ($min != $want_min || $max != $want_max));
    wrong("$doc:$s->{line}", "the syntax of $word does not begin with it") if ($s->{Syntax} // '') !~ /^\Q$word\E(?:[\s;]|$)/;
    return;
}

my %body = map { $_->[0] => $_->[3] } map { bodies(slurp($_)) } glob "$dir/*.c";
my $code = slurp($table);

# the words of the syntax, where it has fixed ones, are words the setter knows
sub words {
    my ($at, $name, $setter, $enum) = @_;
    my $s = $said{$name};
    my $syntax = $s->{Syntax} // '';
    my (undef, undef, undef, @words) = range($syntax);

    if ($enum) {
        my ($values) = $code =~ /^static ngx_conf_enum_t\s+\Q$enum\E\[\] = \{\n(.*?)^\};/ms
            or return wrong($at, "no table $enum");
        my $want = join ' | ', $values =~ /ngx_string\("([^"]+)"\)/g;
        my $has = join ' | ', @words;
        wrong("$doc:$s->{line}", "the values of $name are $has, in $at $want") if $want ne $has;
        return;
    }

    return if $syntax !~ / \| |^\S+ off;/;

    # a setter may leave values to functions of the same name and a half
    my $text = $setter eq 'ngx_conf_set_flag_slot' ? '"on" "off"' : $body{$setter} // '';
    (my $stem = $setter) =~ s/_directive$//;
    $text .= $body{$_} for grep { /^\Q${stem}\E_(?:value|parameter)$/ && $text =~ /\b$_\(/ } keys %body;
    for my $word (@words) {
        (my $fixed = $word) =~ s/^\[|\]$//g;
        $fixed =~ s/=.*/=/;
        next if ($free{$name} // '') eq $fixed;
        wrong("$doc:$s->{line}", "$setter() does not know the value $fixed of $name")
            if index($text, "\"$fixed\"") < 0;
    }
    return;
}

# defaults from the merge and init functions: directive => [constant, place]
my %made;
my $conf = slurp("$dir/ngx_http_rms_conf.c");
while ($conf =~ /ngx_conf_merge_\w+\(conf->(\w+), prev->\w+,\s*([^;]*?)\);/g) {
    $made{"rms_$1"} = $2 if $2 !~ /^(?:NULL|"")$/;
}
while ($conf =~ /ngx_conf_init_\w+\(rmcf->(\w+),\s*([^;]*?)\);/g) {
    $made{"rms_$1"} = $2;
}

sub size {
    my ($text) = @_;
    return if $text !~ /^[\d\s*]+$/;
    my $n = 1;
    $n *= $_ for $text =~ /\d+/g;
    return $n % 1048576 ? $n : $n / 1048576 . 'm';
}

sub default {
    my ($name, $word, $setter) = @_;
    my $s = $said{$name};
    my $has = $s->{Default} // '-';
    $has =~ s/;$//;

    if ($default{$word}) {
        my ($file, $want, @needed) = @{ $default{$word} };
        wrong("$doc:$s->{line}", "the default of $word is \"$has\", should be \"$want\"") if $has ne $want;
        for (@needed) {
            wrong($file, "the default of $word is not made here: no \"$_\"") if index(slurp($file), $_) < 0;
        }
        return;
    }

    my $constant = $setter =~ /_off_directive$/ ? 'OFF' : $made{$word};
    if (!defined $constant) {
        wrong("$doc:$s->{line}", "the default of $word is \"$has\", the code has none") if $has ne '-';
        return;
    }

    my ($value) = $has =~ /^\Q$word\E (\S+)$/;
    return wrong("$doc:$s->{line}", "the default of $word is \"$has\", in the code $constant") if !defined $value;
    my $ok = defined size($constant) ? $value eq size($constant) : $constant =~ /(?:^|_)\U$value\E$/;
    wrong("$doc:$s->{line}", "the default of $word is $value, in the code $constant") if !$ok;
    return;
}

my %macro;
$macro{$1} = $2 while $code =~ /^#define (\w+)[ \t\\\n]+\(?([A-Z_|]+)\)?\s*$/mg;

my ($entries) = $code =~ /^static ngx_command_t\s+\w+\[\] = \{\n(.*?)^\};/ms;
my $first = line_of($code, $-[1]);
my %known;

while ($entries =~ /\{ ngx_string\("(\w+)"\),\s*([\w|]+),\s*(\w+),\s*\w+,\s*[^{}]*?,\s*(NULL|&\w+) \}/g) {
    my ($name, $flags, $setter, $post) = ($1, $2, $3, $4);
    my $at = "$table:" . ($first + line_of($entries, $-[0]) - 1);
    $flags =~ s/(\w+)/$macro{$1} || $1/ge;
    $known{$name} = 1;

    my $s = $said{$name};
    wrong($at, "$name is not in $doc"), next if !$s;

    my $want = join ', ', map { $contexts{$_} || () } split /\|/, $flags;
    wrong("$doc:$s->{line}", 'the context of ' . "$name is \"" . ($s->{Context} // '') . "\", in $at \"$want\"")
        if ($s->{Context} // '') ne $want;

    if ($setter =~ /_later_directive$/) {
        wrong("$doc:$s->{line}", "$name is refused in $at, the text does not say so") if $s->{text} !~ /Not in this version: refused/;
    } else {
        ranges($at, $name, $name, flags($flags), $flags =~ /NGX_CONF_BLOCK/ ? 1 : 0);
        words($at, $name, $setter, $post eq 'NULL' ? undef : substr $post, 1);
    }
    default($name, $name, $setter);

    wrong("$doc:$s->{line}", "$name is not in the lists at the top") if index($top, "[$name](#$name)") < 0;
}

my $all = () = $entries =~ /\{ ngx_string\(/g;
wrong($table, "only " . keys(%known) . " of $all directives could be read") if keys(%known) != $all;

# rms_backend: { name, setter, many }
my $file = "$dir/ngx_http_rms_backend.c";
my $text = slurp($file);
my ($rows) = $text =~ /^static \w+\s+ngx_http_rms_backend_parameters\[\] = \{\n(.*?)^\};/ms;
my @parameters;
while (($rows // '') =~ /\{ ngx_string\("(\w+)"\),\s*(\w+), ([01]) \}/g) {
    my ($word, $setter, $many) = ($1, $2, $3);
    my $at = "$file:" . (line_of($text, $-[0] + index($text, $rows)));
    push @parameters, $word;
    $known{"rms_backend $word"} = 1;
    my $s = $said{"rms_backend $word"};
    wrong($at, "the parameter $word of rms_backend is not in $doc"), next if !$s;
    ranges($at, "rms_backend $word", $word, 1, $many ? 99 : 1, 0);
    words($at, "rms_backend $word", $setter);
    default("rms_backend $word", $word, $setter);
}
wrong($file, 'no parameters of rms_backend found') if !@parameters;

# rms_redis: { name, most, kind }; the text of rms_redis names them
$file = "$dir/ngx_http_rms_redis_conf.c";
$text = slurp($file);
($rows) = $text =~ /^static \w+\s+ngx_http_rms_redis_parameters\[\] = \{\n(.*?)^\};/ms;
my ($list) = ($said{rms_redis}{text} // '') =~ /^Parameters: (.*?)\. /m;
my (%redis, %told);
$list //= '';
while ($list =~ /`(\w+) ([^`]+)`/g) {
    $told{$1} .= "$2;";
}
while (($rows // '') =~ /\{ ngx_string\("(\w+)"\), (\d+), "([^"]*)" \}/g) {
    my ($word, $most, $kind) = ($1, $2, $3);
    my $at = "$file:" . (line_of($text, $-[0] + index($text, $rows)));
    $redis{$word} = 1;
    wrong($at, "the parameter $word of rms_redis is not in $doc"), next if !$told{$word};
    my $fits = $kind =~ /^on or off/ ? $told{$word} eq 'on | off;'
             : $kind =~ /^(number|time)/ ? $told{$word} eq "$1;"
             : $kind =~ /^host:port/ ? $told{$word} eq 'host:port;unix:/path;' : 1;
    wrong("$doc:$said{rms_redis}{line}", "$word of rms_redis takes \"$told{$word}\", in $at \"$kind\"") if !$fits;
}
wrong($file, 'no parameters of rms_redis found') if !%redis;
for (sort keys %told) {
    wrong("$doc:$said{rms_redis}{line}", "$_ is no parameter of rms_redis") if !$redis{$_};
}

for my $name (sort keys %said) {
    next if $known{$name} || $name !~ /^rms_/;
    wrong("$doc:$said{$name}{line}", "$name is in no table of $dir");
}

finish("$all directives, " . @parameters . ' parameters of rms_backend, ' . keys(%redis) . ' of rms_redis');
