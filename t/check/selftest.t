#!/usr/bin/perl
# Each guard can fail: a copy of the tree with one thing wrong makes it fail,
# and it names the place.

use strict;
use warnings;

use Cwd 'getcwd';
use File::Basename 'dirname';
use File::Copy 'copy';
use File::Path 'make_path';
use File::Temp 'tempdir';
use FindBin;
use lib $FindBin::Bin;
use Guard;
use Test::More;

my $root = "$FindBin::Bin/../..";
chdir $root or die "$root: $!\n";
$root = getcwd();

my $build = $ENV{BUILD} || 'build';
$build = "$root/$build" if $build !~ m{^/};

my $conf = 'ngx_rms_module/ngx_http_rms_conf.c';
my $module = 'ngx_rms_module/ngx_http_rms_module.c';
my $header = 'ngx_rms_module/ngx_http_rms_module.h';
my $backend = 'ngx_rms_module/ngx_http_rms_backend.c';
my $redis = 'ngx_rms_module/ngx_http_rms_redis_conf.c';

# change($from, $to) - replaces the first, dies when it is not there; $1 in $to
# is what the parentheses of $from matched
sub change {
    my ($from, $to) = @_;
    return sub {
        s/$from/filled($to, $1)/e or die "nothing to break: $from\n";
    };
}

sub filled {
    my ($text, $one) = @_;
    $text =~ s/\$(?:1|\{1\})/$one/g;
    return $text;
}

sub append { my ($text) = @_; return sub { $_ = ($_ // '') . $text } }
sub gone { return sub { $_ = undef } }

# guard, what is wrong, file, how, what the guard must say; the files to look
# at, for guards that take long
my @cases = (
    ['directives', 'a directive without a word about it', 'docs/directives.md',
        change(qr/^### rms_deny\n/m, "### rms_denial\n"), qr/^\Q$module\E:\d+: rms_deny is not in docs/m],
    ['directives', 'words about a directive that is gone', 'docs/directives.md',
        append("\n### rms_gone\n\n    Syntax:   rms_gone;\n"), qr/^docs\/directives\.md:\d+: rms_gone is in no table/m],
    ['directives', 'another context', 'docs/directives.md',
        change(qr/(Syntax:   rms_zone .*\n.*\n    Context:  )http/, '$1http, server'), 'context of rms_zone is "http, server"'],
    ['directives', 'another flag', $module,
        change(qr/ngx_string\("rms_pass"\),\n      NGX_HTTP_LOC_CONF\|/, "ngx_string(\"rms_pass\"),\n      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|"),
        'context of rms_pass is "location"'],
    ['directives', 'another number of values', $module,
        change(qr/(ngx_string\("rms_keytab"\),\n\s+NGX_HTTP_RMS_ANY_CONF\|NGX_CONF_)TAKE1/, '$1TAKE2'),
        qr/syntax of rms_keytab takes 1 to 1 values/],
    ['directives', 'another set of values', $module,
        change(qr/ngx_string\("strict"\)/, 'ngx_string("severe")'), 'values of rms_inspect are on | strict'],
    ['directives', 'a value the setter does not know', 'docs/directives.md',
        change(qr/rms_replay off \| local \| shared;/, 'rms_replay off | local | shred;'), 'does not know the value shred of rms_replay'],
    ['directives', 'another default', $conf,
        change(qr/prev->deny, RMS_DENY_FAULT/, 'prev->deny, RMS_DENY_403'), 'default of rms_deny is fault, in the code RMS_DENY_403'],
    ['directives', 'another size by default', $conf,
        change(qr/256 \* 1024 \* 1024/, '128 * 1024 * 1024'), 'default of rms_body_memory is 256m'],
    ['directives', 'another default of the zone', 'ngx_rms_module/ngx_http_rms_zone.c',
        change(qr/16 \* 1024 \* 1024/, '8 * 1024 * 1024'), 'the default of rms_zone is not made here'],
    ['directives', 'a default of the words alone', 'docs/directives.md',
        change(qr/(Syntax:   rms_keytab .*\n    Default:  )-/, '$1rms_keytab a;'), 'the default of rms_keytab is'],
    ['directives', 'a parameter of rms_backend without a word', $backend,
        change(qr/ngx_string\("licensor"\)/, 'ngx_string("issuer")'), qr/^\Q$backend\E:\d+: the parameter issuer of rms_backend/m],
    ['directives', 'a parameter of rms_redis without a word', $redis,
        change(qr/ngx_string\("prefix"\)/, 'ngx_string("start")'), qr/^\Q$redis\E:\d+: the parameter start of rms_redis/m],
    ['directives', 'another kind of a parameter of rms_redis', 'docs/directives.md',
        change(qr/`database number`/, '`database text`'), 'database of rms_redis takes "text;"'],

    ['names', 'a variable without a word', 'ngx_rms_module/ngx_http_rms_variables.c',
        change(qr/ngx_string\("rms_sid"\)/, 'ngx_string("rms_sod")'), qr/^ngx_rms_module\/\w+\.c:\d+: the variable rms_sod/m],
    ['names', 'words about a variable that is gone', 'docs/variables.md',
        append("\n### \$rms_gone\n"), qr/^docs\/variables\.md:\d+: the variable rms_gone is not in the code/m],
    ['names', 'an event without a word', 'ngx_rms_module/ngx_http_rms_module.c',
        change(qr/cycle->log, 1001/, 'cycle->log, 1009'), qr/^ngx_rms_module\/\w+\.c:\d+: the event 1009/m],
    ['names', 'another level of an event', 'ngx_rms_module/ngx_http_rms_module.c',
        change(qr/NGX_LOG_NOTICE, cycle->log, 1001/, 'NGX_LOG_WARN, cycle->log, 1001'), 'event 1001 has level warn'],
    ['names', 'other words of an event', 'ngx_rms_module/ngx_http_rms_module.c',
        change(qr/1001, "stopped"/, '1001, "halted"'), 'event 1001 begins with "halted"'],
    ['names', 'a reason without a word', 'src/rms_policy.c',
        change(qr/rms_string\("bad_path"\)/, 'rms_string("odd_path")'), qr/^src\/rms_policy\.c:\d+: the reason odd_path/m],
    ['names', 'another status of a reason', 'src/rms_policy.c',
        change(qr/(rms_string\("encoding"\), )415/, '${1}406'), qr/^docs\/events\.md:\d+: reason encoding has status 415/m],
    ['names', 'a counter without a word', 'src/rms_metrics.c',
        change(qr/rms_string\("pages"\)/, 'rms_string("leaves")'), qr/^src\/rms_metrics\.c:\d+: the counter leaves/m],
    ['names', 'a counter nobody counts', 'src/rms_metrics.h',
        change(qr/    RMS_COUNT_MAX/, "    RMS_COUNT_IDLE,\n    RMS_COUNT_MAX"), 'RMS_COUNT_IDLE is never used'],
    ['names', 'a key of the status without a word', 'ngx_rms_module/ngx_http_rms_status.c',
        change(qr/rms_string\("since"\)/, 'rms_string("begun")'), 'the key begun of the status'],

    ['conf', 'a member without a value', $header,
        change(qr/(    ngx_uint_t                   replay;\n)/, "\$1    ngx_uint_t                   more;\n"),
        qr/^\Q$header\E:\d+: more is not set in ngx_http_rms_create_loc_conf\(\)\n\Q$header\E:\d+: more is not merged/m],
    ['conf', 'a member that is not merged', $conf,
        change(qr/    ngx_conf_merge_ptr_value\(conf->domains.*\n/, ''), qr/^\Q$header\E:\d+: domains is not merged/m],
    ['conf', 'a member that is merged, and never UNSET', $conf,
        change(qr/    conf->deny = NGX_CONF_UNSET_UINT;/, '    conf->deny = 0;'), qr/^\Q$header\E:\d+: deny is /m],
    ['conf', 'a main member without a value', $conf,
        change(qr/     \*     rmcf->redis = NULL;\n/, ''), qr/^\Q$header\E:\d+: redis is not set/m],
    ['conf', 'a main member without init', $conf,
        change(qr/    ngx_conf_init_size_value\(rmcf->body_memory.*\n/, ''), 'body_memory is UNSET, but not set in'],

    ['sources', 'a source that is not built', 'src/rms_new.c', append("/* new */\n"), qr/^src\/rms_new\.c: is not listed in rms_core/m],
    ['sources', 'glue that is not built', 'config', change(qr/ngx_http_rms_zone/, ''), qr/^ngx_rms_module\/ngx_http_rms_zone\.c: is not listed/m],
    ['sources', 'a source that is gone', 'src/rms_xml.c', gone(), 'rms_xml is listed in rms_core, but'],
    ['sources', 'nginx in the core', 'src/rms_xml.c', append("ngx_int_t  x;\n"), qr/^src\/rms_xml\.c:\d+: the core names nginx: ngx_int_t/m],
    ['sources', 'headers of nginx in the core', 'src/rms_xml.h', append("#include <ngx_core.h>\n"), qr/^src\/rms_xml\.h:\d+: the core includes/m],
    ['sources', 'a file without its line in the table', 'docs/architecture.md', change(qr/`rms_inflate`/, 'it'), qr/^src\/rms_inflate\.c: is not named/m],

    ['tests', 'an example nobody runs', 'conf-examples/new.conf', append("events { }\n"), qr/^conf-examples\/new\.conf: is exercised by no test/m],
    ['tests', 'a unit test that is not registered', 't/unit/test_url.c',
        change(qr/        cmocka_unit_test\(length_is_bounded\),\n/, ''), qr/^t\/unit\/test_url\.c:\d+: length_is_bounded\(\) is not registered/m],
    ['tests', 'a unit test registered twice', 't/unit/test_url.c',
        change(qr/(        cmocka_unit_test\(length_is_bounded\),\n)/, '$1$1'), 'length_is_bounded() is registered twice'],
    ['tests', 'a fuzz target without a corpus', 't/fuzz/fuzz_new.c', append("/* new */\n"), qr/^t\/fuzz\/fuzz_new\.c: has no corpus/m],
    ['tests', 'a parser without a fuzz target', 't/fuzz/fuzz_media.c', gone(), qr/^src\/rms_media\.c: has no fuzz target/m],
    ['tests', 'a fuzz target that misses its parser', 't/fuzz/fuzz_media.c',
        sub { s/rms_media_parse/rms_media_read/g }, qr/^t\/fuzz\/fuzz_media\.c: does not call rms_media_parse/m],
    ['tests', 'a new file of the core', 'src/rms_new.c', append("/* new */\n"), qr/^src\/rms_new\.c: is not in the list/m],

    ['lengths', 'a long function', 'src/rms_xml.c', append("\n\nint\nlong_one(void)\n{\n" . "    x();\n" x 99 . "}\n"),
        qr/^src\/rms_xml\.c:\d+: long_one\(\) has 101 lines/m],
    ['lengths', 'a long file', 'src/rms_xml.c', append("\n" x 800), qr/^src\/rms_xml\.c:\d+: \d+ lines, 800 at most/m],

    ['text', 'a long line', 'src/rms_xml.c', append('/* ' . 'x' x 80 . " */\n"), qr/^src\/rms_xml\.c:\d+: 86 columns/m],
    ['text', 'a tab', 't/unit/test_url.c', append("\tx\n"), qr/^t\/unit\/test_url\.c:\d+: a tab/m],
    ['text', 'work put off', 'docs/variables.md', append('TO' . "DO: more\n"), qr/^docs\/variables\.md:\d+: the word TO/m],
    ['text', 'a path of one machine', 't/rms_relay.t', append('# /ho' . "me/me/x\n"), qr/^t\/rms_relay\.t:\d+: a path of one machine/m],
    ['text', 'a comment of C++', 'src/rms_xml.c', append("// no\n"), qr/^src\/rms_xml\.c:\d+: a comment with/m],

    ['format', 'a statement out of its column', 'src/rms_metrics.c', change(qr/\n    return &rms_count_names/, "\n  return &rms_count_names"),
        qr/^src\/rms_metrics\.c:\d+: indented by 2 columns, clang-format wants 4/m, 'src/rms_metrics.c'],
    ['format', 'two statements in a line', 'src/rms_metrics.c', change(qr/\{\n    static/, "{\n    x(); static"),
        qr/^src\/rms_metrics\.c:\d+: clang-format begins a line here/m, 'src/rms_metrics.c'],
    ['format', 'no blank after if', 'src/rms_metrics.c', change(qr/if \(/, 'if('),
        qr/^src\/rms_metrics\.c:\d+: no blank between "f" and "\("/m, 'src/rms_metrics.c'],

    ['cppcheck', 'memory that leaks', 'src/rms_metrics.c',
        append("\n\n#include <stdlib.h>\n\n\nint\nleak(void)\n{\n    char  *p;\n\n    p = malloc(1);\n\n    return p == NULL;\n}\n"),
        qr/^src\/rms_metrics\.c:\d+: Memory leak: p/m, 'src/rms_metrics.c'],
    ['tidy', 'a pointer that is NULL', 'src/rms_metrics.c',
        append("\n\nint\nnull(int *p)\n{\n    if (p == NULL) {\n        return *p;\n    }\n\n    return 0;\n}\n"),
        qr/^src\/rms_metrics\.c:\d+:\d+: warning: Dereference of null pointer/m, 'src/rms_metrics.c'],
    ['tidy', 'a file that does not compile', 'src/rms_metrics.c', append("what\n"),
        qr/^src\/rms_metrics\.c:\d+:\d+: error/m, 'src/rms_metrics.c'],
);

my $copy = tempdir('rms-lint-XXXXXX', TMPDIR => 1, CLEANUP => 1);

for my $file (tree()) {
    make_path("$copy/" . dirname($file));
    copy($file, "$copy/$file") or die "$file: $!\n";
}
chdir $copy or die "$copy: $!\n";

# guard($name, @files) - status and what it said
sub guard {
    my ($name, @files) = @_;
    my ($script) = (grep { -e } glob "$FindBin::Bin/$name.{pl,sh}");
    my @run = $script =~ /\.pl$/ ? ($^X, $script) : ('bash', $script);
    push @run, $build if $name eq 'tidy';
    open my $out, '-|', @run, @files or die "$script: $!\n";
    my $said = do { local $/; <$out> } // '';
    close $out;
    return ($?, $said);
}

my %fine;

for my $case (@cases) {
    my ($name, $what, $file, $break, $want, @files) = @$case;

    if (!$fine{$name}++) {
        my ($status, $said) = guard($name, @files);
        is($status, 0, "$name: the tree as it is") or diag $said;
    }

    my $was = -e $file ? slurp($file) : undef;
    {
        local $_ = $was;
        $break->();
        if (defined) { write_file($file, $_) } else { unlink $file }
    }

    my ($status, $said) = guard($name, @files);
    my $named = ref $want ? $said =~ $want : index($said, $want) >= 0;
    ok($status != 0 && $named, "$name: $what") or diag "status $status\n$said";

    if (defined $was) { write_file($file, $was) } else { unlink $file }
}

my @guards = sort map { m{([^/]+)\.(?:pl|sh)$} } glob "$FindBin::Bin/*";
is_deeply(\@guards, [sort keys %fine], 'every guard is tested');

chdir '/';
done_testing();

sub write_file {
    my ($file, $text) = @_;
    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
    return;
}
