# A way to a backend beside rms_pass is reported at "nginx -t", wherever it
# stands; and a backend whose certificate nobody verifies is reported at load
# and shows in the status.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

standin(azure => {}, adrms => {}, azuretls => { tls => 1, base => 'https://tenant.rms.test/_wmcs',
    rebase => 'https://tenant.rms.test/_wmcs' });
my $azure = standin()->url('azure');
my $adrms = standin()->url('adrms');
my @two = (backends => ['azure', 'adrms']);

# reported(%conf) - the locations named as side doors
sub reported {
    my ($status, $text) = nginx_t(conf(@two, @_));
    is($status, 0, '  loads') or diag $text;
    return $text =~ /\[warn\] side door: location "([^"]*)"/g;
}

# the whole line once, then the places
my ($status, $text) = nginx_t(conf(@two, locations => "location /_wmcs/ { proxy_pass $azure; }"));
(my $upstream = $azure) =~ s{^http://|:\d+\z}{}g;
like($text, qr/side door: location "\/_wmcs\/" passes to upstream "\Q$upstream\E", which is a backend of "rms_pass", without authentication; remove it, and write "location \/ \{ rms_pass ...; \}" for the whole host/,
    'the line names the location, the upstream and what to write');

my @doors = (
    ['a prefix', "location /_wmcs/licensing/ { proxy_pass $azure; }", '/_wmcs/licensing/'],
    ['an exact name', "location = /_wmcs/licensing/publish.asmx { proxy_pass $adrms; }", '/_wmcs/licensing/publish.asmx'],
    ['a regular expression', "location ~* ^/_wmcs/ { proxy_pass $azure; }", '^/_wmcs/'],
    ['below a prefix', "location /a/ { location /a/b/ { proxy_pass $azure; } }", '/a/b/'],
    ['a regular expression below a prefix', "location /a/ { location ~ \\.asmx\$ { proxy_pass $adrms; } }", '\\.asmx$'],
    ['below a regular expression', "location ~ ^/a { location ~ b { proxy_pass $azure; } }", 'b'],
    ['three deep', "location /a { location /a/b { location = /a/b/c { proxy_pass $azure; } } }", '/a/b/c'],
    ['another named location', "location \@door { proxy_pass $azure; } error_page 404 = \@door;", '@door'],
    ['with a URI', "location /x/ { proxy_pass $azure/_wmcs/; }", '/x/'],
    ['with authentication, but no rms_pass', "location /y/ { rms_auth negotiate; proxy_pass $azure; }", '/y/'],
);
for my $door (@doors) {
    my ($what, $locations, $name) = @$door;
    is_deeply([reported(locations => $locations)], [$name], "reported: $what");
}
my @each = reported(locations => join ' ', map { $_->[1] } @doors[0 .. 2, 7]);
is(@each, 4, 'each one is reported');
is_deeply([reported(location => "if (\$arg_x) { proxy_pass $azure; }")], ['/'], 'reported: an "if" beside rms_pass');
is_deeply([reported(locations => "location /z/ { limit_except GET { proxy_pass $azure; } }")], ['/z/'],
    'reported: a limit_except');
is_deeply([reported(http => 'upstream shared { server 127.0.0.1:9; }', locations => "location /b/ { proxy_pass http://shared; }",
    backends => [{ name => 'azure', proxy => 'http://shared' }])], ['/b/'], 'reported: an upstream{} that is shared');
is_deeply([reported(server => "location /before/ { proxy_pass $azure; }")], ['/before/'], 'reported: it stands before the others');

my @clean = (
    ['nothing beside it', ''],
    ['another upstream', 'location /app/ { proxy_pass http://127.0.0.1:9; }'],
    ['files', 'location /files/ { root /nonexistent; }'],
    ['a second rms_pass', 'location /more/ { rms_auth negotiate; rms_pass adrms; }'],
    ['an "if" that passes nothing', 'location /if/ { if ($arg_x) { return 204; } root /nonexistent; }'],
);
for my $case (@clean) {
    is_deeply([reported(locations => $case->[1])], [], "not reported: $case->[0]");
}
is_deeply([reported(more_servers => 'server { listen ' . addr() . ':' . free_port()
    . "; location / { proxy_pass $azure; } }")], [], 'not reported: another server');
# An "if" could pass a request elsewhere, with no check of where: refused.
for my $block ('if ($arg_x) { set $x 1; }', 'limit_except POST { deny all; }') {
    my ($status, $said) = nginx_t(conf(backends => [{ name => 'azure', proxy_extra => $block }, 'adrms']));
    is($status, 1, "a hand-over location with $block does not load");
    like($said, qr/\[emerg\].*"if" or "limit_except" in location "\@azure", which a "pass" names; write conditions into the location of "rms_pass"/,
        'and the message says where to write it');
}

# error_page does not take a licence, and the identity with it, elsewhere.
nginx(backends => [{ name => 'azure', proxy_extra => 'error_page 502 504 = @adrms;' }, 'adrms'],
    server => 'error_page 502 503 504 /50x.html;',
    locations => 'location /through/ { error_page 404 = @azure; return 404; }');
is(http(path => '/through/x', account => 'EXCH01$')->status, 403, 'an error_page into a hand-over location is refused');
control(azure => { reset => 'connect', times => 1 });
my $down = post_sample('07');
is($down->status, 503, 'an error_page of the hand-over location does not apply');
is($down->header('retry-after'), 10, 'the answer is the one for a backend that is gone');
is(scalar(journal('adrms')), 0, 'no other backend saw the request');
is(post_sample('07')->status, 200, 'and the next one gets through');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
nginx()->stop;

# A rewrite in a hand-over location would undo the table.
forget_journal();
for my $flag (qw(break last)) {
    nginx(backends => [{ name => 'azure', proxy_extra => "rewrite ^ /_wmcs/decommission/decommission.asmx $flag;" }]);
    my $r = post_sample('07');
    is($r->status, 403, "a rewrite with $flag in a hand-over location is refused");
    is(scalar(journal('azure')), 0, 'and the backend sees nothing');
    like(nginx()->error_log, qr/reason=no_verdict .*rewrites nothing/, 'the log says why') if $flag eq 'break';
    nginx()->stop;
}

# A body that was half read when an error_page brought it back is not read on.
nginx(backends => ['azure'], location => 'error_page 400 = @again;',
    locations => 'location @again { rms_auth negotiate; rms_pass azure; }');
my $half = client(addr(), nginx()->port);
my $seven = sample('07');
$half->write(build_request(method => 'POST', path => $seven->{path}, body => '', headers => [@{ $seven->{headers} },
    [Authorization => negotiate('EXCH01$')], ['Transfer-Encoding', 'chunked'], ['Content-Length', undef]])
    . "100\r\n" . substr($seven->{request}, 0, 256) . "\r\nzz\r\n");
my $answer = $half->response;
ok($answer && $answer->status == 404, 'a body with a broken chunk is refused') or diag $answer ? $answer->status : 'nothing';
is(scalar(journal('azure')), 0, 'and no half of it is forwarded');
nginx()->stop;

# rms_pass holds inside an "if" and a limit_except of its location.
nginx(backends => ['azure'], location => 'if ($request_method = POST) { set $x 1; } limit_except GET POST { allow all; }');
is(post_sample('07')->status, 200, 'an "if" beside rms_pass does not take the location away from it');
is(http(method => 'PUT', path => sample('07')->{path}, account => 'EXCH01$', body => 'x')->status, 405,
    'nor does a limit_except');
is(http(path => '/nginx.conf', account => 'EXCH01$')->status, 404, 'no file is served');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
nginx()->stop;

# TLS
for my $case ([on => 'verified', 0], [off => 'unverified', 1]) {
    my ($verify, $shows, $events) = @$case;
    my $n = nginx(backends => ['azure', { name => 'azuretls', ssl_verify => $verify }]);
    my @told = ($n->{said} . $n->error_log) =~ /(\[\w+\] (?:\d+#\d+: )?rms event=3000 backend "azuretls": .*)/g;
    is(!!@told, !!$events, "proxy_ssl_verify $verify: " . ($events ? 'an event at load' : 'no event'));
    like($told[0], qr/\[warn\].*the certificate of the backend is not verified in location "\@azuretls"; write "proxy_ssl_verify on;"/,
        'which says what to write') if $events;
    my $status = JSON::PP::decode_json(http(path => '/rms/status')->body);
    my %tls = map { $_->{name} => $_->{tls} } @{ $status->{backends} };
    is_deeply(\%tls, { azure => 'none', azuretls => $shows }, "the status shows $shows");
    unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
    $n->stop;
}
is_deeply([violations()], [], 'the backends saw nothing odd');

done_testing();
