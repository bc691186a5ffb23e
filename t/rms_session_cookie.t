# rms_session cookie: who has logged in is known by a random number, which is
# good where it was given, for its time, and is seen by nobody else.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::PAC;
use RMS::Relay;

use File::Find qw(find);
use JSON::PP;

my $page = sample('07')->{path};
my $who = 'add_header X-Who "$rms_account $rms_role" always;';
my $file = "$who root \@PREFIX\@; try_files /nginx.conf =404;";
my $domain = 'S-1-5-21-1-2-3';
my $rules = spew(dir() . '/rules', "fci account=EXCH01\$\@RMS.TEST\n");
my ($other, $secure, $plain) = map { free_port() } 1 .. 3;
share_with_worker($rules);
standin(azure => {}, adrms => {});
my $http2 = 'listen ' . addr() . ":$secure ssl" . (RMS::Nginx::http2_directive() ? '; http2 on;' : ' http2;');
my $ssl = cert('rmsconnector.rms.test');
my %conf = (port => free_port(), pass => 'azure', location => "rms_session cookie; $who",
    http => "rms_zone rms 1m; large_client_header_buffers 8 64k;\n", locations => <<"X", more_servers => <<"Y");
location /short { rms_auth negotiate; rms_session cookie ttl=2s idle=2s; $file }
location /idle { rms_auth negotiate; rms_session cookie idle=1s; $file }
location /none { rms_auth negotiate; $file }
location /name { rms_auth negotiate; rms_session cookie name=other; $file }
location /file { rms_auth negotiate; rms_session cookie; rms_acl_file $rules; rms_allow user account=bob\@RMS.TEST; $file }
location /crowd { rms_auth negotiate; rms_session cookie name=crowd; rms_allow user sid=$domain-513; add_header X-Sid \$rms_sid always; $file }
location /log { access_log \@PREFIX\@/access.log leak; return 204; }
X
server { listen @{[addr()]}:$other; rms_keytab @{[kdc()->keytab('wrong')]};
    rms_allow exchange account=EXCH01\$\@RMS.TEST; location / { rms_auth negotiate; rms_session cookie; $file } }
server { listen @{[addr()]}:$plain; $http2 ssl_certificate $ssl->{cert}; ssl_certificate_key $ssl->{key};
    rms_keytab @{[kdc()->keytab]}; rms_allow exchange account=EXCH01\$\@RMS.TEST;
    location / { rms_auth negotiate; rms_session cookie; $file }
    location /host { rms_auth negotiate; rms_session cookie name=__Host-rms; $file } }
Y
$conf{http} .= "log_format leak \$http_cookie;\n";
my $node = nginx(%conf, port => free_port(), more_servers => '', log => 'debug');
my $n = nginx(conf(%conf));

# who(cookie => $value | [...], %o) - one request: "status account role"
my (@given, $last);
sub who {
    my (%o) = @_;
    my $cookie = delete $o{cookie};
    my @lines = map { ['Cookie', $_] } ref $cookie ? @$cookie : defined $cookie ? $cookie : ();
    $last = http(path => $page, %o, headers => [@lines, @{ $o{headers} || [] }]) or return 'closed';
    return join ' ', $last->status, grep {length} split / /, $last->header('x-who') || '';
}

# login(%o) - "name=value" of the cookie that a login sets
sub login {
    my (%o) = @_;
    http_ok(who(account => 'EXCH01$', %o));
    my @set = $last->all('set-cookie');
    my ($pair) = @set == 1 ? $set[0] =~ /^([^;]+);/ : '';
    push @given, $pair =~ /=(.*)/ if $pair;
    return $pair;
}

sub http_ok { $_[0] =~ /^200/ or die "login: $_[0]" }

sub status { return JSON::PP->new->utf8->decode(http(path => '/rms/status')->body) }

my $in = '200 EXCH01$@RMS.TEST exchange';

# what is set
is(who(), 401, 'nobody at first');
ok(!$last->all('set-cookie'), 'gets no cookie');
my $cookie = login();
like(($last->all('set-cookie'))[0], qr/^rms_session=[A-Za-z0-9_-]{22}; Path=\/; HttpOnly; SameSite=Lax\z/, 'a cookie, on plain HTTP');
isnt(login(), $cookie, 'another login, another number');
is(who(cookie => $cookie), $in, 'it tells who comes');
ok(!$last->all('set-cookie'), 'and is not set again');
is(who(cookie => $cookie), $in, 'over any connection, as often as wished');
is(http(method => 'POST', path => $page, body => sample('07')->{request}, headers => [@{ sample('07')->{headers} }, ['Cookie', $cookie]])->status,
    200, 'messages too');
my $count = status()->{counters};
is("$count->{sessions} $count->{auth_ok} $count->{session_hits}", '2 2 3', 'and that is counted');

# not another value of it
my ($value) = $cookie =~ /=(.*)/;
my $flip = $value;
substr($flip, 5, 1) = substr($flip, 5, 1) eq 'A' ? 'B' : 'A';
my %bad = ('tampered' => "rms_session=$flip", 'truncated' => substr($cookie, 0, -1), 'longer' => "${cookie}A",
    'padded' => "$cookie==", 'empty' => 'rms_session=', 'quoted' => "rms_session=\"$value\"", 'no name' => $value,
    'another name' => "rms_sessio=$value", 'in capitals' => "RMS_SESSION=$value", 'unknown' => 'rms_session=' . 'A' x 22,
    'long' => 'rms_session=' . 'A' x 4000, 'five' => join('; ', ($cookie) x 5), 'after a comma' => "a=b, $cookie");
is(who(cookie => $bad{$_}), 401, "$_: nobody") for sort keys %bad;
is(who(cookie => "a=b; $cookie; c=\"d\""), $in, 'among others');
is(who(cookie => ['a=b', $cookie]), $in, 'in a line of its own');
is(who(cookie => "$cookie; rms_session=$flip"), $in, 'of two the first counts');
is(who(cookie => "rms_session=$flip; $cookie"), 401, 'whether it is good or not');
is(who(cookie => "rms_session=x; $cookie"), $in, 'in the form of one');
isnt(login(cookie => 'rms_session=' . 'A' x 22), 'rms_session=' . 'A' x 22, 'a number that a client brings is not taken over');

# Authorization counts before
is(who(cookie => $cookie, account => 'SP01$'), '200 SP01$@RMS.TEST sharepoint', 'a login with a cookie is a login');
isnt(($last->all('set-cookie'))[0], undef, 'that begins a session');
is(who(cookie => $cookie, authorization => 'Basic x'), 401, 'and a failed one fails');
is(who(cookie => $cookie, authorization => 'Negotiate YWJj'), 401, 'whatever the cookie says');
is(who(cookie => $cookie), $in, 'the session of the cookie is what it was');

# where it is good
is(who(cookie => $cookie, path => '/file'), '200 EXCH01$@RMS.TEST fci', 'another location decides by its own rules');
is(who(cookie => $cookie, path => '/none'), 401, 'one without sessions asks');
is(who(cookie => $cookie, path => '/name'), 401, 'so does one of another cookie');
is(who(cookie => $cookie, port => $other), 401, 'and a server with another keytab');
is(who(cookie => $cookie), $in, 'it is still good here');
my $foreign = login(port => $other, service => 'HTTP@wrong.rms.test');
is(who(cookie => $foreign), 401, 'nor is a cookie from there good here');
is(who(cookie => $foreign, port => $other), $in, 'but there');
my $pair = login(path => '/name');
like($pair, qr/^other=/, 'a name of its own');
is(who(cookie => $pair, path => '/name'), $in, 'works');

# TLS, HTTP/2
sub tls {
    my ($path, @headers) = @_;
    $last = curl("https://rmsconnector.rms.test:$secure$path", headers => \@headers, args => ['--http2']);
    return $last->status . ' ' . $last->{version};
}
is(tls('/'), '401 HTTP/2', 'HTTP/2: nobody');
is(tls('/', 'Authorization: ' . negotiate('EXCH01$')), '200 HTTP/2', 'HTTP/2: a login');
like($last->header('set-cookie'), qr/^rms_session=[A-Za-z0-9_-]{22}; Path=\/; HttpOnly; SameSite=Lax; Secure\z/, 'Secure, over TLS');
push @given, $last->header('set-cookie') =~ /=([^;]+)/;
is(tls('/', "Cookie: a=b; rms_session=$given[-1]"), '200 HTTP/2', 'HTTP/2: a session');
tls('/host', 'Authorization: ' . negotiate('EXCH01$'));
like($last->header('set-cookie'), qr/^__Host-rms=/, '__Host- over TLS');
push @given, $last->header('set-cookie') =~ /=([^;]+)/;
is(tls('/host', "Cookie: __Host-rms=$given[-1]"), '200 HTTP/2', 'is a session');
my $records = status()->{sessions}{records};
is(login(path => '/host', port => $plain), '', '__Host- on plain HTTP: no cookie');
is(status()->{sessions}{records}, $records, 'and nothing is stored');
$n->wait_log(qr/event=3000 no session: its cookie "__Host-rms" is for TLS, and this is plain HTTP/);

# another node has another zone
is(who(cookie => $cookie, port => $node->port), 401, 'the cookie of another node is unknown');
my $there = login(port => $node->port);
is(who(cookie => $there), 401, 'and its own one here');
is(who(cookie => $there, port => $node->port), $in, 'which it knows');

# the backend
forget_journal();
for my $lines ([$cookie], ["a=b; $cookie; c=d"], ['x=y', $cookie], ["$cookie; $cookie", 'z=1'], ["rms_session=; $cookie;RMS_SESSION=1"],
    ["other=of-another-location; $cookie; e=f"]) {
    http(method => 'POST', path => $page, body => sample('07')->{request},
        headers => [@{ sample('07')->{headers} }, map { ['Cookie', $_] } @$lines]);
}
is_deeply([map { $_->{headers}{cookie} } journal()], [undef, 'a=b; c=d', 'x=y', 'z=1', 'RMS_SESSION=1', 'e=f'],
    'D12: the backend sees cookies of no location of ours, and all others');
is(scalar(grep { exists $_->{headers}{cookie} } journal()), 5, 'and no empty line');

# time
my $short = login(path => '/short');
my ($alive, $end) = (0);
wait_for(sub {
    $end = who(cookie => $short, path => '/short');
    $alive++ if $end =~ /^200/;
    return $end eq '401';
}, 'the end of a session in use');
cmp_ok($alive, '>', 1, 'a session in use ends by its age');
is(who(cookie => $short), 401, 'everywhere');
my $idle = login(path => '/idle');
is(who(cookie => $idle, path => '/idle'), $in, 'a session that was used once');
my $then = status()->{time};
wait_for(sub { status()->{time} > $then }, 'a second');
is(who(cookie => $idle, path => '/idle'), 401, 'and not again ends');

# the decision is made anew
is(who(cookie => $cookie, path => '/file'), '200 EXCH01$@RMS.TEST fci', 'a role by the rules of a file');
spew($rules, "sharepoint account=EXCH01\$\@RMS.TEST\n");
wait_for(sub { who(cookie => $cookie, path => '/file') eq '200 EXCH01$@RMS.TEST sharepoint' }, 'another role');
pass('another role for the same cookie');
spew($rules, "# nobody\n");
wait_for(sub { who(cookie => $cookie, path => '/file') =~ /^403/ }, 'none');
pass('and none, when the rules say so');
spew($rules, "fci sid=$domain-515\n");
wait_for(sub { who(cookie => $cookie, path => '/file') eq '401' }, 'a login');
pass('rules by SID ask for another login, since the session has none');

# a reload
ok($n->reload(conf(%conf, allow => ['fci account=EXCH01$@RMS.TEST'])), 'reload');
is(who(cookie => $cookie), '200 EXCH01$@RMS.TEST fci', 'a session outlives it, its role does not');

# groups are part of a session; a zone that is full drops the oldest
my $crowd = mkticket(client => 'alice@RMS.TEST', requester => packed_sid("$domain-1111"),
    logon_info => logon_info(account => 'alice', domain_sid => $domain, rid => 1111, primary => 513, groups => [513, 2000 .. 2900]));
my @crowd = map { login(path => '/crowd', account => undef, ccache => $crowd) } 1 .. 3;
is($last->header('x-sid'), "$domain-1111", 'the SID of a login');
for my $time (1 .. 2) {
    is(who(cookie => $crowd[0], path => '/crowd'), '200 alice@RMS.TEST user', "a role by a group, from the session, $time");
    is($last->header('x-sid'), "$domain-1111", 'and the SID');
}
my $kept = login(path => '/crowd', account => undef, ccache => $crowd);
my $lost = 0;
while (@crowd < 80) {
    push @crowd, login(path => '/crowd', account => undef, ccache => $crowd);
    $lost++ if who(cookie => $kept, path => '/crowd') ne '200 alice@RMS.TEST user';
}
my $sessions = status()->{sessions};
cmp_ok($sessions->{evicted}, '>', 0, 'a full zone drops sessions');
is(who(cookie => $crowd[1], path => '/crowd'), 401, 'the oldest');
is(who(cookie => $crowd[0], path => '/crowd'), 401, 'one that the worker knows as well');
is($lost, 0, 'none that is used all the time');
is(who(cookie => $crowd[-1], path => '/crowd'), '200 alice@RMS.TEST user', 'not the newest');

# the number is in no file
my @found;
my %needle = map { $_ => 1 } grep {length} @given;
cmp_ok(scalar keys %needle, '>', 80, 'so many numbers were given');
my $any = join '|', map {quotemeta} keys %needle;
find({ no_chdir => 1, wanted => sub {
    push @found, $_ if -f $_ && slurp($_) =~ /$any/;
} }, $n->prefix);
is_deeply(\@found, [], 'and none is in a file of nginx');

# at debug level nginx itself writes the header it gets and the one it sends
my @entries = split /^(?=\d{4}\/\d\d\/\d\d )/m, RMS::Samples::stock_lines_removed($node->error_log);
cmp_ok(scalar @entries, '>', 100, 'a log at debug level');
is_deeply([grep { /$any/ && !/ \*\d+ HTTP\/1\.1 200 OK\r\n/ } @entries], [], 'has none in a line of ours');
unlike(http(path => '/rms/status')->body, qr/$any/, 'nor in the status');
http(path => '/log', headers => [['Cookie', $cookie]]);
wait_for(sub { slurp($n->prefix . '/access.log') =~ /$any/ }, 'a log of cookies');
pass('which a log of $http_cookie shows');
nothing_odd();
my @bad = grep { /\[(?:emerg|alert|crit|error)\]/ } split /\n/, $n->error_log;
is_deeply(\@bad, [], 'error.log holds nothing alarming');

done_testing();
