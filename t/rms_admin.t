# The shared list: administrators read and change it below rms_status, and what
# they change counts at once in every worker; all else is refused.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;
use RMS::Rules;

use JSON::PP;

standin(azure => {});
my $asks = asks();
my ($own, $h2) = (free_port(), free_port());
my $file = rules('file', 'fci account=EXCH02$@RMS.TEST');
my %conf = (port => $own, pass => 'azure', workers => 2, location => 'rms_acl_shared on;',
    server => 'listen ' . addr() . ":$h2" . (RMS::Nginx::http2_directive() ? "; http2 on;\n" : " http2;\n"),
    allow => ['exchange account=nobody@RMS.TEST'], locations => <<"X");
location /admin/ { rms_auth negotiate; rms_allow admin account=alice\@RMS.TEST; rms_allow user account=bob\@RMS.TEST;
    client_max_body_size 16m; rms_admin; }
location /small/ { rms_auth negotiate; rms_allow admin account=alice\@RMS.TEST; rms_admin; }
location /later/ { rms_auth negotiate; rms_allow user account=alice\@RMS.TEST; rms_acl_shared on; rms_admin; }
location /any/ { satisfy any; allow all; rms_auth negotiate; rms_allow admin any; rms_admin; }
location /read/ { rms_auth negotiate; rms_allow admin account=alice\@RMS.TEST; rms_status; }
location /shared/ { $asks rms_acl_shared on; }
location /order/ { $asks rms_allow exchange account=EXCH01\$\@RMS.TEST; rms_acl_file $file; rms_acl_shared on; }
location /class/ { $asks rms_allow user any; rms_acl_shared on; }
location /alone/ { $asks }
X
my $n = nginx(conf(%conf));

# ask($query, %o) - GET of the list: its status, JSON and all
sub ask {
    my ($query, %o) = @_;
    my $r = http(path => '/admin/list' . (defined $query ? "?$query" : ''), account => 'alice', %o);
    my $json = ($r->header('content-type') || '') eq 'application/json' && decode_json($r->body);
    return wantarray ? ($r->status, $json, $r) : $json;
}

# change($match, $request, %o) - POST of a change: its status, JSON or text, and all
sub change {
    my ($match, $request, %o) = @_;
    my @headers = (['Content-Type', 'application/json'], defined $match ? ['If-Match', $match] : (), @{ delete $o{headers} || [] });
    my $r = http(method => 'POST', path => '/admin/list', account => 'alice', headers => \@headers,
        body => ref $request ? encode_json($request) : $request, %o);
    my $json = ($r->header('content-type') || '') eq 'application/json' && decode_json($r->body);
    return wantarray ? ($r->status, $json || $r->body, $r) : $r->status;
}

sub rule { return map {"user account=$_\@RMS.TEST"} @_ }
sub tag { return '"' . ask()->{version} . '"' }
sub set { return scalar change(tag(), { op => 'replace', rules => [@_] }) }

# workers() - a connection to each worker
sub workers {
    my %to;
    wait_for(sub {
        my $c = client(addr(), $n->port);
        my ($pid) = http(client => $c, path => '/rms/status')->body =~ /"pid":(\d+)/;
        $to{$pid} = $c;
        return keys %to == 2;
    }, 'connections to both workers');
    return values %to;
}

# An empty list

my ($status, $json, $r) = ask();
is($status, 200, 'before there is a list');
is_deeply($json, { version => 0, when => undef, who => '', note => '', rules => [], store => 'zone', age => 0, stale => JSON::PP::false },
    'it is version 0 without rules');
is($r->header('etag') . ' ' . $r->header('cache-control'), '"0" no-store', 'with its tag');
is(role('/shared', 'SP01$'), '403 none', 'and admits nobody');

# Who may

is(http(path => '/admin/list')->status, 401, 'nobody: 401');
is(scalar change('"0"', { op => 'add', rules => [rule('x')] }, account => undef), 401, 'nor may nobody change it');
is((ask(undef, account => 'bob'))[0], 403, 'another role does not read it');
is(scalar change('"0"', { op => 'add', rules => [rule('bob')] }, account => $_), 403, "$_ does not change it") for 'bob', 'SP01$';
is((ask(undef, path => '/any/list'))[0], 403, 'an address opens nothing');
is(ask(undef, path => '/read/list')->{store}, undef, 'without rms_admin it is the status');
is(scalar change('"0"', { op => 'add', rules => [rule('bob')] }, path => '/read/list'), 405, 'which takes no POST');
($status, undef, $r) = ask(undef, method => 'PUT');
is("$status " . $r->header('allow'), '405 GET, HEAD, POST', 'PUT: 405');
ok($n->wait_log(qr/rms refused: account="bob\@RMS\.TEST"; .*"list"/), 'the log says what is needed');

# What no page of another site makes a browser send

my $origin = "http://rmsconnector.rms.test:$own";
my $good = { op => 'add', rules => [rule('x')], dry_run => JSON::PP::true };
for my $case (['no type' => 415, 'Content-Type' => undef], ['a form' => 415, 'Content-Type' => 'application/x-www-form-urlencoded'],
    ['text' => 415, 'Content-Type' => 'text/plain'], ['JSON of another kind' => 415, 'Content-Type' => 'application/json-patch+json'],
    ['capitals and a charset' => 200, 'Content-Type' => 'Application/JSON; charset=utf-8'])
{
    my ($what, $want, @header) = @$case;
    is(http(method => 'POST', path => '/admin/list', account => 'alice', body => encode_json($good),
        headers => [\@header, ['If-Match', '"0"']])->status, $want, "$what: $want");
}
for my $case (['another site' => 403, 'http://evil.test'], ['nowhere' => 403, 'null'], ['another port' => 403, 'http://rmsconnector.rms.test'],
    ['another scheme' => 403, $origin =~ s/http/https/r], ['below our name' => 403, "$origin.evil.test"], ['our own' => 200, $origin])
{
    my ($what, $want, $value) = @$case;
    is(scalar change('"0"', $good, headers => [[Host => "rmsconnector.rms.test:$own"], [Origin => $value]]), $want, "Origin $what: $want");
}

# If-Match

is(scalar change(undef, $good), 428, 'no version: 428');
is(scalar change($_, $good), 400, "If-Match $_ is no version")
    for '*', '0', 'W/"0"', '"0", "1"', '""', '"00"', '"-1"', '"x"', '"0', '"9999999999999999999"';
is(scalar change('"0"', $good, headers => [['If-Match', '"0"']]), 400, 'nor are two headers');
is(scalar change('"1"', $good), 412, 'another version: 412');
is(ask()->{version}, 0, 'nothing of this was a change');

# What is no request

my @some = (rules => [rule('x')]);
for my $case (['nothing', ''], ['no JSON', '{'], ['a list', '[]'], ['more behind it', '{"op":"replace","rules":[]} x'],
    ['bytes that are no UTF-8', qq({"op":"replace","rules":["\xff"]})], ['a zero', '{"op":"replace","rules":["user any\u0000"]}'],
    ['no operation', { rules => [] }], ['an unknown one', { op => 'clear', rules => [] }], ['one in capitals', { op => 'ADD', @some }],
    ['a member that is not known', { op => 'add', @some, dryrun => JSON::PP::true }],
    ['a member twice', '{"op":"add","op":"replace","rules":["user any"]}'],
    ['no rules', { op => 'replace' }], ['none to add', { op => 'add', rules => [] }], ['a rule that is none', { op => 'add', rules => [1] }],
    ['rules that are none', { op => 'add', rules => 'user any' }], ['a version to add', { op => 'add', @some, version => 1 }],
    ['no version to restore', { op => 'restore' }], ['a version that is none', { op => 'restore', version => '1' }],
    ['one that is not kept', { op => 'restore', version => 7 }], ['a note that is none', { op => 'add', @some, note => 1 }],
    ['a long one', { op => 'add', @some, note => 'x' x 257 }], ['one of two lines', { op => 'add', @some, note => "a\nb" }],
    ['a C1 control in it', '{"op":"add","rules":["user any"],"note":"\u009b31m"}'],
    ['a dry run that is none', { op => 'add', @some, dry_run => 1 }], ['two lines in a rule', { op => 'add', rules => ["user any\nadmin any"] }],
    ['a comment alone', { op => 'replace', rules => ['# all gone'] }], ['what is not there', { op => 'remove', @some }],
    ['too many at once', { op => 'add', rules => [map { rule("u$_") } 1 .. 257] }])
{
    my ($what, $request) = @$case;
    ($status, my $said) = change('"0"', $request);
    ok($status == 400 && $said =~ /^[ -~]+\n\z/, "$what: 400") or diag "$status $said";
}
for my $case ([2, qr/unknown role \\?"users/, rule('a'), 'users any'], [3, qr/^rule 3: invalid rule/, rule(qw(a b)), 'user account=x'],
    [1, qr/semicolon/, 'user any;'], [2, qr/has role "user" already.*role "fci" here/, rule('x'), 'fci account=x@RMS.TEST'],
    [1, qr/invalid pattern/, 'user account=~('], [0, qr/"partner any" is for anonymous partners/, 'partner any'])
{
    my ($number, $why, @rules) = @$case;
    ($status, my $said) = change('"0"', { op => 'add', rules => \@rules });
    like("$status $said", $number ? qr/^400 rule $number: / : qr/^400 (?!rule)/, "$rules[-1]: by its number");
    like($said, $why, '  and why');
}
is(ask()->{version}, 0, 'nothing of this was a change either');

# A change

my @w = workers();
is(role('/shared', 'SP01$', client => $_), '403 none', 'before') for @w;
($status, $json, $r) = change('"0"', { op => 'add', note => "ticket 4711 \x{fc}",
    rules => ['sharepoint account=SP01$@RMS.TEST', 'exchange   sid=S-1-5-32-544 account=EXCH01$@RMS.TEST # servers'] });
is($status, 200, 'an addition') or diag $json;
is_deeply([@$json{qw(version added removed changed reordered dry_run stored)}], [1, 3, 0, 0, JSON::PP::false, JSON::PP::false, 'zone'], 'it tells what it did');
is($json->{changes}[0], 'added sharepoint "account=SP01$@RMS.TEST" (shared list:1)', 'line by line');
is($r->header('etag'), '"1"', 'and the new tag');
is(role('/shared', 'SP01$', client => $_), '200 sharepoint', 'counts at once in each worker') for @w;
is(role('/alone', 'SP01$'), '403 none', 'not where rms_acl_shared is off');
($status, $json, $r) = ask();
is_deeply($json->{rules}, ['sharepoint account=SP01$@RMS.TEST', 'exchange sid=S-1-5-32-544', 'exchange account=EXCH01$@RMS.TEST'], 'the list: a rule a line');
is("$json->{version} $json->{who} $json->{note}", "1 alice\@RMS.TEST ticket 4711 \x{fc}", 'by whom and why');
like($json->{when}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'and when');
is($r->header('etag'), '"1"', 'and its tag');
ok($n->wait_log(qr/\[notice\] .*event=1004 shared list of an operator taken: version=1 rules=3 by="alice\@RMS\.TEST" note="ticket 4711 \\xc3\\xbc"/), 'event 1004');
ok($n->wait_log(qr/event=1004 shared list: added exchange "account=EXCH01\$\@RMS\.TEST" \(shared list:3\)/), 'line by line');
is(told(qr/event=1004 shared list of/), 1, 'told once, not by each worker');
is(scalar change('"0"', { op => 'add', @some }), 412, 'a change of what has changed: 412');
($status, $json, $r) = change('"1"', { op => 'add', rules => ['sharepoint account=SP01$@RMS.TEST'] });
is("$status $json->{version} $json->{added} " . $r->header('etag'), '200 1 0 "1"', 'what is there already changes nothing');
($status, my $said) = change('"1"', { op => 'add', rules => [rule('y'), 'fci account=SP01$@RMS.TEST'] });
like("$status $said", qr/^400 rule 2: .*has role "sharepoint" already/, 'nobody gets a second role');

# A dry run

($status, $json, $r) = change('"1"', { op => 'replace', @some, dry_run => JSON::PP::true });
is_deeply([$status, @$json{qw(version added removed dry_run stored)}, $r->header('etag')], [200, 2, 1, 3, JSON::PP::true, undef, '"1"'], 'a dry run tells what would be');
is(ask()->{version}, 1, 'and changes nothing');
is(role('/shared', 'SP01$', client => $_), '200 sharepoint', 'nowhere') for @w;

# Precedence

is(set(rule('EXCH01$', 'EXCH02$', 'SP01$')), 200, 'a list with another opinion');
is(join(', ', map { role('/order', $_) } 'EXCH01$', 'EXCH02$', 'SP01$'), '200 exchange, 200 fci, 200 user', 'rms_allow, then rms_acl_file, then the shared list');
is(set('fci account=SP01$@RMS.TEST'), 200, 'an account in the list');
is(join(', ', map { role('/class', $_) } 'SP01$', 'FS01$'), '200 fci, 200 user', 'counts before "any" of the configuration');
is(set('admin account=alice@RMS.TEST'), 200, 'an admin in the list');
is((ask(undef, path => '/later/list'))[0], 403, 'who has another role by the configuration is none');

# Explain and the status

is(set('sharepoint account=SP01$@RMS.TEST', 'fci account=FS01$@RMS.TEST'), 200, 'a list');
$json = decode_json(http(path => '/admin/explain?account=FS01$@RMS.TEST', account => 'alice')->body)->{locations}[0]{answer};
is("$json->{role} $json->{rule}{text} $json->{rule}{file}:$json->{rule}{line}", 'fci account=FS01$@RMS.TEST shared list:2', 'explain shows rules of the list');
$json = status();
is_deeply($json->{shared_list}, { version => ask()->{version}, rules => 2, age => 0, stale => JSON::PP::false }, 'the status tells of it');
is(scalar(grep { $_->{file} eq 'shared list' && $_->{line} == 2 && $_->{value} eq 'FS01$@RMS.TEST' } @{ $json->{list} }), 4,
    'and shows its rules for each list that they are part of');

# Removal, restore, history

my $before = ask()->{version};
is(scalar change(tag(), { op => 'remove', rules => ['fci account=FS01$@RMS.TEST'], note => 'gone' }), 200, 'a removal');
is(role('/shared', 'FS01$', client => $_), '403 none', 'counts at once') for @w;
is(scalar change(tag(), { op => 'remove', rules => ['exchange account=SP01$@RMS.TEST'] }), 400, 'a rule with another role is not there');
($status, $json) = change(tag(), { op => 'restore', version => $before });
is_deeply([$status, @$json{qw(version added)}], [200, $before + 2, 1], 'restored');
is(role('/shared', 'FS01$', client => $_), '200 fci', 'counts at once') for @w;
for my $i (1 .. 25) {
    my @new = $i == 13 ? (rules => []) : (rules => [rule("n$i")], note => "n$i");
    is(scalar change(tag(), { op => 'replace', @new }), 200, "version n$i");
}
ok($n->wait_log(qr/\[warn\] .*event=2003 shared list empty: nobody is admitted by it/), 'an empty list is event 2003');
my $now = ask()->{version};
$json = ask('history=1')->{history};
is_deeply([map { $_->{version} } @$json], [map { $now - $_ } 0 .. 20], 'the current version and 20 before it');
is_deeply([map {"$_->{who} $_->{note} $_->{rules}"} @$json[0, 11, 12, 13]], [map {"alice\@RMS.TEST $_"} 'n25 1', 'n14 1', ' 0', 'n12 1'], 'who, why and how many');
for my $i (0, 11, 12, 13, 20) {
    my $v = ask('version=' . ($now - $i));
    my $name = 'n' . (25 - $i);
    is_deeply([@$v{qw(version note rules)}], [$now - $i, $i == 12 ? ('', []) : ($name, [rule($name)])], "as it was $i versions ago");
}
is((ask("version=$_"))[0], 404, "version $_ is not kept") for $now - 21, $now + 1, 0, 'x';
is((ask($_))[0], 400, "?$_ is no question") for 'history=2', 'version=', 'history=1&version=1', 'x=1', 'version=1&version=2';

# Large ones

my @all = map {"user account=account-number-$_\@RMS.TEST"} 1 .. 10_000;
($status, $json) = change(tag(), { op => 'replace', rules => \@all });
is($status, 200, '10,000 rules') or diag $json;
is_deeply(ask()->{rules}, \@all, 'are all there');
is("$json->{added} " . @{ $json->{changes} }, '10000 21', 'the answer stays short');
($status, $said) = change(tag(), { op => 'add', rules => [rule('one-more')] });
like("$status $said", qr/^400 more than 10000 rules/, 'one more is too many');
my $c = client(addr(), $n->port);
$c->request(method => 'HEAD', path => '/admin/list', headers => [[Authorization => negotiate('alice')]]);
is($c->response->status, 200, 'HEAD');
my $large = '{"op":"replace","rules":[],"note":"' . 'x' x (1024 * 1024) . '"}';
for my $place (qw(admin small)) {
    is(scalar change('"0"', $large, path => "/$place/list"), 413, "a large body below /$place/: 413");
    is(scalar change('"0"', $large, path => "/$place/list", chunked => 60_000), 413, '  in chunks too');
}
is(scalar change(tag(), { op => 'replace', rules => [rule('chunks')] }, chunked => 7), 200, 'a small one in chunks');

# two($body, %match) - over HTTP/2
sub two {
    my ($body, $match) = @_;
    return curl("http://rmsconnector.rms.test:$h2/admin/list", account => 'alice', args => ['--http2-prior-knowledge'],
        defined $body ? (body => $body, headers => ['Content-Type: application/json', "If-Match: $match"]) : ());
}

is(two(encode_json({ op => 'replace', rules => \@all }), tag())->status, 200, 'HTTP/2');
is(scalar @{ decode_json(two()->body)->{rules} }, 10_000, '  both ways');
two($large, '"0"');
ok(wait_for(sub { (grep { $_->{request_uri} eq '/admin/list' } $n->access_log)[-1]{status} == 413 }, '413'), '  and a large body: 413');
is(scalar(() = $n->temp_files), 0, 'no body in a file');
is(set('sharepoint account=SP01$@RMS.TEST'), 200, 'a short list again');

# A reload

$now = ask();
ok($n->reload(conf(%conf)), 'reload');
is_deeply(scalar ask(), $now, 'keeps the list');
is(role('/shared', 'SP01$'), '200 sharepoint', 'in use');
is(scalar @{ ask('history=1')->{history} }, 21, 'and its history');
nothing_odd();
logs_clean(expected => qr/client intended to send too large (?:chunked )?body/);

done_testing();
