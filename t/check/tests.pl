#!/usr/bin/perl
# Nothing stands there untested: every example configuration is exercised by a
# test, every unit test function is registered, every fuzz target has a corpus,
# and every file of the core that reads what others wrote has a fuzz target.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

# file of the core => fuzz target and the function of it that leads there, or
# why none is needed
my %fuzzed = (
    rms_access       => 'asks the file system, parses nothing',
    rms_acl          => ['acl', 'rms_acl_parse'],
    rms_acl_diff     => ['acl_text', 'rms_acl_diff'],
    rms_acl_pattern  => ['acl_text', 'rms_acl_pattern_compile'],
    rms_acl_text     => ['acl_text', 'rms_acl_text_read'],
    rms_admin        => ['admin', 'rms_admin_read'],
    rms_apreq        => ['negotiate', 'rms_token_apreq'],
    rms_backoff      => 'counts names it hashes; random use and random memory in its unit',
    rms_base64       => ['base64', 'rms_base64_decode'],
    rms_cbind        => ['cert', 'rms_cbind_server_der'],
    rms_cert         => ['cert', 'rms_cert_names_der'],
    rms_cookie       => ['session', 'rms_cookie_find'],
    rms_cut          => 'a signal and a lock, parses nothing',
    rms_der          => ['negotiate', 'rms_token_apreq'],
    rms_document     => ['document', 'rms_document_decode'],
    rms_endpoint     => ['endpoint', 'rms_endpoint_find'],
    rms_events       => ['rewrite', 'rms_rewrite'],
    rms_explain      => ['acl', 'rms_explain'],
    rms_fault        => 'writes constant texts',
    rms_gss          => 'GSSAPI reads the tokens; their framing is in negotiate',
    rms_gss_cred     => 'keeps credentials, parses nothing',
    rms_gss_keys     => 'libkrb5 reads the keytab',
    rms_gss_mic      => ['negotiate', 'rms_gss_mic_adapt'],
    rms_gss_ntlm     => ['ntlm', 'rms_spnego_read'],
    rms_gss_ntlm_auth => 'gets what ntlm read; gss-ntlmssp and winbind do the rest',
    rms_gss_ntlm_lib => 'calls GSSAPI, parses nothing',
    rms_gss_pac      => 'libkrb5 reads what is around it; what is in it is in pac',
    rms_gss_s4u      => 'libkrb5 asks the KDC; the PAC is read by rms_gss_pac',
    rms_inflate      => ['inflate', 'rms_inflate'],
    rms_keytab       => 'libkrb5 reads the file, which an operator wrote',
    rms_line         => 'writes lines, parses nothing',
    rms_list         => ['list', 'rms_list_edit'],
    rms_list_codec   => ['list', 'rms_list_decode'],
    rms_media        => ['media', 'rms_media_parse'],
    rms_metrics      => 'names',
    rms_negotiate    => ['negotiate', 'rms_token_sniff'],
    rms_ndr          => ['pac', 'rms_pac_parse'],
    rms_node         => ['node', 'rms_node_decode'],
    rms_ntlm         => ['ntlm', 'rms_ntlm_authenticate_read'],
    rms_outcome      => ['outcome', 'rms_outcome_feed'],
    rms_pac          => ['pac', 'rms_pac_parse'],
    rms_place        => ['rewrite', 'rms_rewrite'],
    rms_place_scan   => ['scan', 'rms_rewrite_by'],
    rms_place_way    => ['rewrite', 'rms_rewrite'],
    rms_policy       => ['acl', 'rms_policy_grant'],
    rms_principal    => ['principal', 'rms_principal_parse'],
    rms_redis        => ['redis', 'rms_redis_command'],
    rms_redis_breaker => 'takes numbers',
    rms_redis_reader => ['redis', 'rms_redis_reader_next'],
    rms_redis_script => ['redis', 'rms_redis_script_reply'],
    rms_replay       => 'takes hashes of a fixed size',
    rms_revoked      => ['revoked', 'rms_revoked_decode'],
    rms_rewrite      => ['rewrite', 'rms_rewrite'],
    rms_seal         => ['seal', 'rms_unseal'],
    rms_session      => ['session', 'rms_session_cookie'],
    rms_session_codec => ['session', 'rms_session_decode'],
    rms_sid          => ['sid', 'rms_sid_parse'],
    rms_sid_pack     => ['session', 'rms_sid_unpack'],
    rms_sid_set      => ['pac', 'rms_sid_set_has'],
    rms_scan         => ['scan', 'rms_scan_next'],
    rms_soap         => ['soap', 'rms_soap_read'],
    rms_soap_licence => ['soap', 'rms_soap_read'],
    rms_soap_scan    => ['scan', 'rms_soap_scan'],
    rms_soap_search  => ['soap', 'rms_soap_search'],
    rms_spnego       => ['ntlm', 'rms_spnego_read'],
    rms_store        => ['store', 'rms_store_put'],
    rms_store_cell   => ['store', 'rms_store_get'],
    rms_text         => ['text', 'rms_text_log'],
    rms_ticket       => ['ticket', 'rms_ticket_explain'],
    rms_url          => ['url', 'rms_url_parse'],
    rms_winbind      => 'asks winbind about itself, parses nothing',
    rms_winbind_status => 'copies a number, parses nothing',
    rms_xml          => ['soap', 'rms_soap_read'],
);

my @tests = map { slurp($_) } glob 't/*.t';
my @examples = sort glob 'conf-examples/*.conf';

for my $file (@examples) {
    my ($name) = $file =~ m{([^/]+)$};
    wrong($file, 'is exercised by no test: no t/*.t names it in a table of tests')
        if !grep { /^\s*'\Q$name\E' => sub \{/m || m{conf-examples/\Q$name\E} } @tests;
}
wrong('conf-examples', 'no examples') if !@examples;

my $units = 0;

for my $file (sort glob 't/unit/test_*.c') {
    my $text = slurp($file);
    my %registered;
    my ($list) = $text =~ /\bstruct CMUnitTest\s+tests\[\] = \{\n(.*?)^    \};/ms;
    wrong($file, 'has no list of tests') if !$list;
    $registered{$1}++ while ($list // '') =~ /^\s+\w+\(\s*(\w+)/mg;

    while ($text =~ /^static void\n(\w+)\(void \*\*state\)\n\{/mg) {
        my $name = $1;
        my $place = "$file:" . line_of($text, $-[1]);
        $units++;
        wrong($place, "$name() is not registered, it never runs") if !$registered{$name};
        wrong($place, "$name() is registered twice") if ($registered{$name} || 0) > 1;
        delete $registered{$name};
    }
    wrong($file, "$_() is registered and not there") for sort grep { $text !~ /^$_\(/m } keys %registered;
    wrong($file, 'runs no group of tests') if $text !~ /\bcmocka_run_group_tests/;
}

my %targets;

for my $file (sort glob 't/fuzz/fuzz_*.c') {
    my ($name) = $file =~ /fuzz_(\w+)\.c$/;
    $targets{$name} = slurp($file);
    wrong($file, "has no corpus in t/fuzz/corpus/$name") if !grep { -f && -r } glob "t/fuzz/corpus/$name/*";
}

for my $pair (['corpus', ''], ['dict', '.dict']) {
    my ($dir, $end) = @$pair;
    for my $path (glob "t/fuzz/$dir/*") {
        my ($name) = $path =~ m{([^/]+?)\Q$end\E$};
        wrong($path, 'belongs to no fuzz target') if !$targets{$name};
    }
}

for my $file (sort glob 'src/*.c') {
    my ($name) = $file =~ m{/(\w+)\.c$};
    my $by = $fuzzed{$name};
    wrong($file, 'is not in the list of t/check/tests.pl: which fuzz target reads with it?'), next if !$by;
    next if !ref $by;
    wrong($file, "has no fuzz target, t/fuzz/fuzz_$by->[0].c is missing"), next if !$targets{ $by->[0] };
    wrong("t/fuzz/fuzz_$by->[0].c", "does not call $by->[1](), so $file is not fuzzed")
        if $targets{ $by->[0] } !~ /\b$by->[1]\(/;
}
for my $name (sort keys %fuzzed) {
    wrong('t/check/tests.pl', "src/$name.c is in the list and not there") if !-e "src/$name.c";
}

finish(@examples . " examples, $units unit tests, " . keys(%targets) . ' fuzz targets');
