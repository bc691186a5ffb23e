# Who is calling, where others took somebody's word for it: names without proof,
# ways round the question, headers that are cut, logins beside one another.
# The numbers are those of t/DEFECTS.md.

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use RMS::Test;
use RMS::Hold;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $who = 'add_header X-Who "$rms_account|$rms_sid|$rms_auth" always;';
my $basic = 'Basic ' . encode_base64('EXCH01$@RMS.TEST:EXCH01$-pass', '');
my $bare = 'Basic ' . encode_base64('EXCH01$:EXCH01$-pass', '');

sub who { my ($r) = @_; return $r->status . ' ' . ($r->header('x-who') || '') }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
    forget_journal();
}

my $www = dir() . '/www';
mkdir $www;
chmod 0755, $www;
spew("$www/x", "inside\n");
chmod 0644, "$www/x";
standin(azure => {});

# D1, D4, D7, D9: into a location that asks, by every way nginx has
nginx(location => $who, server => "set \$x \$remote_user;\n", locations => <<"X");
location /in/ { rms_auth negotiate; alias $www/; $who }
location /rewritten/ { rewrite ^ /in/x last; }
location /tried/ { try_files /none /in/x; }
location /failed/ { error_page 404 = /in/x; root /nonexistent; }
location /index/ { alias $www/; index /in/x; }
location /page/ { try_files /none $page; }
X
my @ways = ('/in/x', '/rewritten/x', '/tried/x', '/failed/x', '/index/', '/page/x', $page);
for my $path (@ways) {
    is(who(http(path => $path, account => 'EXCH01$')), '200 EXCH01$@RMS.TEST||krb5', "$path: who logs in comes in");
    is(who(http(path => $path)), '401 ||', "D7: $path: whoever comes this way must log in");
    for my $name ($basic, $bare) {
        is(who(http(path => $path, authorization => $name)), '401 ||', "D1: $path: a name that nginx knows is no login");
    }
}
is(http(path => $page, authorization => $basic, headers => [['X-Remote-User', 'EXCH01$@RMS.TEST'], ['X-Who', 'EXCH01$'], ['Remote-User', 'EXCH01$']])->status, 401,
    'D1: nor is a name in a header');
ok(eval { kdc()->tool('RMS.TEST', ['kinit', '-c', 'FILE:' . dir() . '/cc.password', 'EXCH01$'], "EXCH01\$-pass\n") }, 'the password itself is a good one');
is(last_line()->{rms_reason}, 'auth_scheme', 'D4: and is not taken to a KDC: Basic is no scheme of ours');
for my $method (qw(OPTIONS HEAD GET POST PUT DELETE TRACE PROPFIND M-POST)) {
    my $r = http(method => $method, path => '/in/x', headers => [[Origin => 'https://rmsconnector.rms.test'],
        ['Access-Control-Request-Method', 'POST']]);
    is($r->status, $method eq 'TRACE' ? 405 : 401, "D9: $method of nobody is no exception");
}
my ($status, $said);
for my $value ('offline', 'Off', 'of', 'no', '""') {
    ($status, $said) = nginx_t(conf(auth => $value));
    ok($status && $said =~ /\[emerg\] .*rms_auth/, "D9: \"rms_auth $value\" is refused, not taken for off");
}
is(scalar journal(), 0, 'no backend was asked');
finished('ways in');

# D2: a login that failed leaves no name, where the request goes on without one
my $replay = negotiate('EXCH01$');
nginx(location => "satisfy any; allow 127.0.0.0/8; deny all; $who", allow => ['rms_server any', 'exchange account=EXCH01$@RMS.TEST'],
    backends => [{ name => 'azure', proxy_extra => 'proxy_set_header X-Account "$rms_account|$rms_sid"; proxy_set_header X-Real-IP "";' }],
    locations => "location /in/ { rms_auth negotiate; alias $www/; $who }\n");
is(http(path => '/in/x', authorization => $replay)->status, 200, 'a login');
for my $case (['Basic', $basic], ['a token again', $replay], ['a wrong key', gss(ccache => mkticket(wrong_key => 1))->header],
    ['an expired ticket', gss(ccache => mkticket(begin => -7200, life => 3600))->header], ['a first leg', gss(account => 'EXCH01$', mech => 'negoex')->header],
    ['a cut token', substr negotiate('EXCH01$'), 0, 401])
{
    my ($what, $value) = @$case;
    my $r = http(path => '/in/x', authorization => $value);
    is(who($r) =~ s/^40[01] //r, '||', "D2: $what: a login that fails leaves no name");
    is(join('', map { $_ || '' } @{ last_line() }{qw(rms_account rms_sid rms_auth rms_role)}) =~ s/^none$//r, '', "D2: $what: nor in the log");
    is(post_sample('12', account => undef, authorization => $value)->status, 200, "$what: let in by address, as anybody");
    is((journal())[-1]{headers}{'x-account'}, '|', "D2: $what: and the backend is told no name");
}
finished('failed logins');

# D16: a header of any length is the mistake of a client, never one of ours
nginx(location => $who);
my ($worker) = nginx()->workers;
my $value = 'Negotiate YIIBAAYGKwYBBQUCoIIB';
my %seen;
for my $scheme ($value, $value =~ s/^Negotiate Y/NTLM T/r, "\t $value") {
    for my $n (0 .. length $scheme) {
        my $cut = substr $scheme, 0, $n;
        my $status = http(path => $page, from => '127.204.0.' . (1 + $n), authorization => $cut)->status;
        my $want = $cut =~ /^\s*(?:Negotiate|NTLM)\s*$/ ? '400' : $cut !~ /^\s*(?:Negotiate|NTLM)\s/ ? '401'
            : $cut =~ /^\s*\S+ (?:.{4})+$/ ? $cut =~ /NTLM/ ? '403' : '401' : '400';
        $seen{"$cut: $status"}++ if $status ne $want;
    }
}
is_deeply(\%seen, {}, 'D16: an Authorization header that is short is refused at each length');
is(join(' ', nginx()->workers), $worker, 'D16: by a worker that goes on');
finished('short headers');

# D15: no Host line: of HTTP/2 (nginx keeps the name elsewhere), or none at all
nginx(public_url => '', location => $who);
my $c = client(addr(), nginx()->port);
my $s = sample('12');
$c->write(build_request(version => 'HTTP/1.0', method => 'POST', path => $s->{path}, body => $s->{request},
    headers => [[Host => undef], @{ $s->{headers} }, [Authorization => negotiate('EXCH01$')]]));
my $r = $c->response;
is($r->status, 200, 'D15: HTTP/1.0 without Host: answered');
like($r->body, qr{http://rmsconnector\.rms\.test:@{[nginx()->port]}/_wmcs}, 'D15: under the name of the server');
nginx(ssl => 1, http2 => 1, public_url => '', location => $who);
($worker) = nginx()->workers;
$r = curl(nginx()->url($s->{path}), account => 'EXCH01$', body => $s->{request}, args => ['--http2'],
    headers => [map {"$_->[0]: $_->[1]"} @{ $s->{headers} }]);
is("$r->{version} " . $r->status, 'HTTP/2 200', 'D15: HTTP/2, which has no Host line: answered');
like($r->body, qr{https://rmsconnector\.rms\.test:@{[nginx()->port]}/_wmcs}, 'D15: under the name that was asked for');
is(join(' ', nginx()->workers), $worker, 'D15: by a worker that goes on');
finished('no Host');

# D8: nothing of a request is kept with its location, where the next one is
nginx(location => $who, locations => "location /in/ { rms_auth negotiate; alias $www/; $who }\n");
my @accounts = ('EXCH01$', 'SP01$', 'FS01$', 'alice', 'ROGUE01$');
my @calls = map { { account => $accounts[$_ % @accounts], c => client(addr(), nginx()->port), value => negotiate($accounts[$_ % @accounts]) } } 0 .. 24;
hold();
$_->{c}->request(path => $page, headers => [['Authorization', $_->{value}]]) for @calls;
my $nobody = client(addr(), nginx()->port);
is(who(http(client => $nobody, path => $page)), '401 ||', 'D8: nobody, while others log in at the same location');
let_go();
is_deeply([map { who($_->{c}->response) } @calls], [map {"200 $_->{account}\@RMS.TEST||krb5"} @calls],
    'D8: twenty-five logins under way at one location are each of their own caller');
is(who(http(client => $nobody, path => $page)), '401 ||', 'D8: and nobody is nobody still');
finished('one location');

# D30: while a login hangs, its worker holds no lock that others need
my $copy = dir() . '/copy.keytab';
share_with_worker(spew($copy, slurp(kdc()->keytab)));
nginx(workers => 2, location => "$who add_header X-Worker \$pid always;",
    locations => "location /copy/ { rms_auth negotiate; rms_keytab $copy; rms_session cookie; alias $www/; $who add_header X-Worker \$pid always; }\n");
my %at;
wait_for(sub {
    my $client = client(addr(), nginx()->port);
    $at{ http(client => $client, path => $page)->header('x-worker') } ||= $client;
    return keys %at == 2;
}, 'a connection to each worker');
my ($one, $two) = sort keys %at;
hold();
$value = negotiate('EXCH01$');
$at{$one}->request(path => $page, headers => [['Authorization', $value]]);
is($RMS::Standin::JSON->decode(http(client => $at{$two}, path => '/rms/')->body)->{counters}{auth_legs}, 0, 'D30: a login hangs in one worker, the other reads the zone');
$r = http(client => $at{$two}, path => '/copy/x', account => 'SP01$');
is(who($r) . ' ' . $r->header('x-worker'), "200 SP01\$\@RMS.TEST||krb5 $two", 'D30: and writes to it: a login with its replay and its session');
ok(!IO::Select->new($at{$one}{s})->can_read(0), 'while the first one waits');
let_go();
is(who($at{$one}->response), '200 EXCH01$@RMS.TEST||krb5', 'which comes in then');
finished('two workers');

done_testing();
