# Kerberos beside nginx's own access rules, in locations without rms_pass, and
# on every way into a hand-over location but the one through rms_pass.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');
my $local = addr();

sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub challenge { return join ' | ', $_[0]->all('www-authenticate') }

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
    forget_journal();
}

standin(azure => {});

# access rules come first
nginx(location => "deny all;\n");
my $legs = status_page()->{counters}{auth_legs};
my $r = post_sample('07');
is($r->status, 403, 'deny all: 403');
is(challenge($r), '', 'without a challenge or token');
is(http(path => $page)->status, 403, 'and no 401 for who has no credentials');
is(status_page()->{counters}{auth_legs}, $legs, 'Kerberos was not asked');
is(scalar journal(), 0, 'nor a backend');
finished('deny all');

nginx(location => "allow 127.0.0.0/8; deny all;\n");
is(http(path => $page)->status, 401, 'allow: a challenge');
is(post_sample('07')->status, 200, 'allow and a login');
finished('allow');

# satisfy any: an address or a login
nginx(location => "satisfy any; allow 127.0.0.0/8; deny all;\n");
$r = post_sample('07', account => undef);
is($r->status, 500, 'satisfy any by address: anonymous, and no rule admits it');
like($r->body, qr/UnauthorizedAccessException/, 'a fault');
is(last_line()->{rms_reason}, 'no_role', 'for its reason');
like(nginx()->error_log, qr/event=2001 not authorised: account="\(anonymous\)" reason=no_role/, 'event 2001 names nobody');
is(http(path => $page)->status, 403, 'nor a service page');
is(http(path => '/_wmcs/GetRmsoUri.aspx')->status, 403, 'nor the tenant\'s address');
is(http(path => '/elsewhere')->status, 404, 'and the table still holds');
is(post_sample('16', account => undef)->status, 500, 'nobody may what nobody may');
is(scalar journal(), 0, 'no backend is asked');
finished('by address');

nginx(location => "satisfy any; allow 127.0.0.0/8; deny all;\n", allow => ['rms_server any', 'exchange account=EXCH01$@RMS.TEST']);
is(post_sample('12', account => undef)->status, 200, 'a rule for any admits who came by address');
is(last_line()->{rms_role}, 'rms_server', 'as that role');
is(last_line()->{rms_account} || '', '', 'without an account');
is(post_sample('09', account => undef)->status, 500, 'and what that may not do');
$r = post_sample('06');
is($r->status, 500, 'a login that nothing asked for gives no role');
is(last_line()->{rms_account} || '', '', 'the address was enough, Kerberos not asked');
finished('anybody');

nginx(location => "satisfy any; allow 192.0.2.1; deny all;\n");
$r = http(path => $page);
is($r->status . ' ' . challenge($r), '401 Negotiate', 'satisfy any from elsewhere: a challenge');
$r = post_sample('07');
is($r->status, 200, 'a login admits');
ok($r->{gss}->mutual($r), 'D43: satisfy any: the answer to a login carries the token');
$r = post_sample('07', account => 'ROGUE01$');
is($r->status, 500, 'a caller without a role does not');
ok($r->{gss}->mutual($r), 'and its fault carries the token');
is(http(path => $page, authorization => 'Basic eDp5')->status, 401, 'a wrong scheme does not');
finished('by login');

# a page for 401: the challenge stays, nothing is let in, and no token goes out
my $www = dir() . '/www';
mkdir $www;
chmod 0755, $www;
spew("$www/$_", "inside\n") for qw(index.html page.html part.html);
spew("$www/denied.html", "please log in\n");
spew("$www/ssi.shtml", qq(<!--# include virtual="$page" -->|<!--# include virtual="/into/" -->\n));
chmod 0644, glob "$www/*";
nginx(location => "error_page 401 /denied/denied.html;\n",
    locations => "location /denied/ { internal; alias $www/; }\n");
$r = http(path => $page);
is($r->status . ' ' . challenge($r), '401 Negotiate', 'error_page 401: the challenge stays');
is($r->body, "please log in\n", 'with the page');
$r = post_sample('07');
is($r->status, 200, 'logins go on');
ok($r->{gss}->mutual($r), 'with their token');
$r = http(path => $page, account => 'EXCH01$', service => 'HTTP@wrong.rms.test');
is($r->status . ' ' . challenge($r), '401 Negotiate', 'a failed login: the challenge');
is($r->body, "please log in\n", 'and the page');
finished('error_page');

# locations without rms_pass: a role is needed
nginx(allow => ['exchange account=EXCH01$@RMS.TEST', 'admin account=alice@RMS.TEST'], server => "root $www;\n",
    locations => <<"X");
location /files/ { rms_auth negotiate; alias $www/; }
location /open/ { alias $www/; }
location /any/ { rms_auth negotiate; satisfy any; allow 127.0.0.0/8; deny all; alias $www/; }
location /other/ { rms_auth negotiate; rms_allow user account=bob\@RMS.TEST; alias $www/; }
location /jump/ { rms_auth negotiate; rms_allow user any; error_page 404 = /files/page.html; alias $www/; }
location /pass/ { rms_auth negotiate; rms_allow user any; error_page 404 = $page; alias $www/; }
location /tenant/ { rms_auth negotiate; rms_allow user any; error_page 404 = /_wmcs/GetRmsoUri.aspx; alias $www/; }
location /post/ { rms_auth negotiate; rms_allow exchange any; try_files /none $s->{path}; }
X
$r = http(path => '/files/page.html');
is($r->status . ' ' . challenge($r), '401 Negotiate', 'no credentials: a challenge');
for my $account (qw(EXCH01$ alice)) {
    $r = http(path => '/files/page.html', account => $account);
    is($r->status . ' ' . $r->body, "200 inside\n", "$account has a role and comes in");
    ok($r->{gss}->mutual($r), 'with the token');
}
$r = http(path => '/files/page.html', account => 'bob');
is($r->status, 403, 'bob has none and does not');
is(last_line()->{rms_reason}, 'no_role', 'for its reason');
like(nginx()->error_log, qr/event=2001 not authorised: account="bob\@RMS\.TEST"/, 'and event 2001');
$r = http(path => '/open/page.html');
is($r->status . ' ' . challenge($r), '200 ', 'a location without rms_auth asks nobody');
is(http(path => '/any/page.html')->status, 200, 'satisfy any admits by address');
$r = http(path => '/other/page.html', account => 'bob');
is($r->status, 200, 'a location with a list of its own');
is(http(path => '/other/page.html', account => 'EXCH01$')->status, 403, 'has that list alone');
is(http(path => '/other/page.html', account => 'alice')->status, 403, 'for everybody');

# who was let in by one list is asked again by the next
$r = http(path => '/jump/none', account => 'bob');
is($r->status, 403, 'D7: a redirect inside does not take a role along');
$r = http(path => '/jump/none', account => 'EXCH01$');
is($r->status . ' ' . $r->body, "200 inside\n", 'who has one there comes in');
is(http(path => '/pass/none', account => 'EXCH01$')->status, 200, 'also into rms_pass');
is(post_sample('07', account => 'bob', path => '/post/')->status, 500, 'a role of elsewhere makes no call');
is(last_line()->{rms_reason}, 'no_role', 'since it is no role here');
is(scalar journal(), 0, 'no backend is asked');
is(post_sample('07', account => 'EXCH01$', path => '/post/')->status, 200, 'a role of here does');
is(http(path => '/tenant/none', account => 'EXCH01$')->status, 200, 'and to the address of the tenant');
finished('without rms_pass');

# the same where the address admits to rms_pass
nginx(location => "satisfy any; allow 127.0.0.0/8; deny all;\n", allow => ['exchange account=EXCH01$@RMS.TEST'],
    locations => <<"X");
location /pass/ { rms_auth negotiate; rms_allow user any; error_page 404 = $page; alias $www/; }
location /tenant/ { rms_auth negotiate; rms_allow user any; error_page 404 = /_wmcs/GetRmsoUri.aspx; alias $www/; }
location /post/ { rms_auth negotiate; rms_allow exchange any; try_files /none $s->{path}; }
X
for my $path (qw(/pass/none /tenant/none)) {
    $r = http(path => $path, account => 'bob');
    cmp_ok($r->status, '<', 500, "$path and an address: " . $r->status);
}
is(post_sample('07', account => 'bob', path => '/post/')->status, 500, 'a role of elsewhere makes no call');
is(last_line()->{rms_reason}, 'no_role', 'since it is no role here');
is(scalar journal(), 0, 'no backend is asked');
finished('redirected, by address');

# subrequests
my $into = "rms_auth negotiate; rms_pass azure;";
nginx(server => "rms_allow user any;\n", allow => ['exchange account=EXCH01$@RMS.TEST'], locations => <<"X");
location /asked/ { auth_request $page; alias $www/; }
location /asked-named/ { auth_request /named/; alias $www/; }
location /mirrored/ { mirror $page; alias $www/; }
location /mirrored-named/ { mirror /named/; alias $www/; }
location /ssi/ { ssi on; ssi_types *; alias $www/; }
location /into/ { try_files /none \@azure; }
location /named/ { try_files /none \@azure; }
location /added/ { add_before_body $page; addition_types *; alias $www/; }
location /added-named/ { add_after_body /named/; addition_types *; alias $www/; }
location /tried/ { try_files /none \@azure; }
location /failed/ { error_page 404 = \@azure; alias $www/; }
location /failed-rms/ { rms_auth negotiate; error_page 404 = \@azure; alias $www/; }
location /refused-rms/ { rms_auth negotiate; error_page 401 = \@azure; alias $www/; }
location /denied/ { deny all; error_page 403 = \@azure; }
location /other-rms/ { $into error_page 404 400 = \@azure; }
X
my $before = status_page()->{refused};
for my $name (qw(asked asked-named)) {
    for my $account (undef, 'EXCH01$') {
        $r = http(path => "/$name/page.html", account => $account);
        is($r->status, 403, "auth_request /$name/ " . (defined $account ? $account : 'anonymous') . ': 403');
    }
}
for my $name (qw(mirrored mirrored-named added added-named)) {
    $r = http(path => "/$name/page.html", account => 'EXCH01$');
    like($r->status . $r->body, qr/^200.*inside/s, "/$name/ answers as if there were no subrequest");
    unlike($r->body, qr/asmx|Service|XrML|Envelope/, "and shows nothing of it");
}
$r = http(path => '/ssi/ssi.shtml', account => 'EXCH01$');
is($r->status, 200, 'an SSI page');
unlike($r->body, qr/<!--|WebService|XrML|Envelope/, 'includes nothing of ours');
my %side = ('/tried/x' => [403, 403], '/failed/x' => [403, 403], '/failed-rms/x' => [403, 401],
    '/refused-rms/x' => [404, 403], '/denied/x' => [403, 403], '/into/' => [403, 403]);
for my $path (sort keys %side) {
    my ($known, $nobody) = @{ $side{$path} };
    $r = http(path => $path, account => 'EXCH01$');
    is($r->status, $known, "$path into \@azure by a caller with a role: $known");
    $r = http(path => $path, method => 'POST', body => $s->{request}, headers => $s->{headers});
    is($r->status, $nobody, "$path into \@azure, a call by nobody: $nobody");
}
$r = http(path => '/other-rms/x', account => 'EXCH01$');
ok($r->status == 403 || $r->status == 404, '/other-rms/ into @azure: ' . $r->status);
$r = http(path => '/other-rms/%zz', account => 'EXCH01$');
like($r->status, qr/^4/, 'a bad path there: ' . $r->status);
is(scalar journal(), 0, 'D7: no subrequest and no redirect inside reached the backend');
my $after = status_page()->{refused};
cmp_ok($after->{no_verdict}, '>', $before->{no_verdict}, 'they are counted as no_verdict');
cmp_ok($after->{subrequest}, '>', $before->{subrequest}, 'or subrequest');
like(nginx()->error_log, qr/denied: reason=no_verdict uri="\/tried\/x"/, 'and logged');
is(post_sample('07')->status, 200, 'the proper way is open');
forget_journal();
finished('side ways');

# names nobody proved: $remote_user, evaluated early, from a Basic header (D1)
nginx(server => 'set $x $remote_user; add_header X-Seen $x always;' . "\n", allow => ['exchange account=EXCH01$@RMS.TEST'],
    locations => "location /files/ { rms_auth negotiate; alias $www/; }\n");
my $basic = 'Basic ' . MIME::Base64::encode_base64('EXCH01$@RMS.TEST:x', '');
for my $path ($page, '/files/page.html') {
    $r = http(path => $path, authorization => $basic);
    is($r->status . ' ' . challenge($r), '401 Negotiate', "D1: $path: a Basic name is nobody");
}
$r = post_sample('07', account => undef, authorization => $basic);
is($r->status, 401, 'no call either');
is(last_line()->{rms_account} || '', '', 'and no account');
$r = post_sample('07');
is($r->status, 200, 'a login is one');
nginx(location => "satisfy any; allow 127.0.0.0/8; deny all;\n", server => 'set $x $remote_user;' . "\n");
$r = post_sample('07', account => undef, authorization => $basic);
is($r->status, 500, 'nor with satisfy any');
is(last_line()->{rms_role}, 'none', 'D2: a Basic name has no role');
is_deeply([grep { exists $_->{headers}{authorization} } journal()], [], 'D2: and goes to no backend');
finished('$remote_user');

# limits by account, in the hand-over location
nginx(http => "limit_req_zone \$rms_account zone=calls:1m rate=1r/m;\nlimit_req_status 429;\n",
    backends => [{ name => 'azure', proxy_extra => "limit_req zone=calls;\n" }]);
is(post_sample('07')->status, 200, 'EXCH01$ calls once');
$r = post_sample('07');
is($r->status, 429, 'and a second time too soon');
unlike($r->body, qr/</, 'in plain text');
is(post_sample('07', account => 'SP01$')->status, 200, 'SP01$ has a limit of its own');
is(scalar journal(), 2, 'two calls reached the backend');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'limits: nothing alarming in the log');

done_testing();
