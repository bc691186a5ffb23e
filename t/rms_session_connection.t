# rms_session connection: as IIS does it, a connection over which somebody has
# logged in is his for as long as it lasts, and nobody else's.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

use JSON::PP;

my $page = sample('07')->{path};
my $rules = dir() . '/rules';
my $proxy = free_port();
my $who = 'add_header X-Who "$rms_account $rms_role" always;';

sub rules { return spew($rules, "@_\n") }

rules('fci account=EXCH01$@RMS.TEST');
share_with_worker($rules);
standin(azure => {});
my %conf = (port => free_port(), pass => 'azure', location => "rms_session connection; $who", locations => <<"X",
location /short { rms_auth negotiate; rms_session connection ttl=2s idle=2s; $who root \@PREFIX\@; try_files /nginx.conf =404; }
location /idle { rms_auth negotiate; rms_session connection ttl=1h idle=1s; $who root \@PREFIX\@; try_files /nginx.conf =404; }
location /none { rms_auth negotiate; $who root \@PREFIX\@; try_files /nginx.conf =404; }
location /file { rms_auth negotiate; rms_session connection; rms_allow exchange account=EXCH02\$\@RMS.TEST; rms_acl_file $rules; $who
    root \@PREFIX\@; try_files /nginx.conf =404; }
location /user { set \$x \$remote_user; rms_auth negotiate; rms_session connection; add_header X-Who "\$x" always;
    root \@PREFIX\@; try_files /nginx.conf =404; }
X
    server => 'listen ' . addr() . ":$proxy proxy_protocol; set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;\n");
my $n = nginx(conf(%conf));

# who($client, %o) - one request on the connection: "status account role"
sub who {
    my ($c, %o) = @_;
    my $r = http(client => $c, path => $page, %o) or return 'closed';
    return join ' ', $r->status, grep {length} split / /, $r->header('x-who') || '';
}

sub conn { return client(addr(), $n->port, @_) }

sub status { return JSON::PP->new->utf8->decode(http(path => '/rms/status')->body) }

my $in = '200 EXCH01$@RMS.TEST exchange';

# stays authenticated
my $c = conn();
is(who($c), 401, 'nobody at first');
is(who($c, account => 'EXCH01$'), $in, 'a login');
is(who($c), $in, 'the next request needs none');
is(http(client => $c, method => 'POST', path => $page, body => sample('07')->{request}, headers => sample('07')->{headers})->status,
    200, 'nor does a message');
is(who($c, path => '/file'), '200 EXCH01$@RMS.TEST fci', 'the decision is of each place');
is(who($c, path => '/none'), 401, 'a location without sessions asks');
is(who($c), $in, 'the session is still there');
is(who(conn()), 401, 'D5: another connection is nobody');
my $s = status()->{counters};
is("$s->{sessions} $s->{auth_ok}", '1 1', 'one session of one login');
cmp_ok($s->{session_hits}, '>=', 3, 'and requests by it');
is(post_sample('07', client => $c)->status, 200, 'a message with a login');
is_deeply([map { $_->{headers}{authorization} } journal()], [undef, undef], 'D12: the backend sees no Authorization');

# what belongs to the request does not stay with the connection
for my $i (1 .. 50) {
    http(client => $c, path => '/x' . 'y' x 900 . $i, headers => [['X-Fill', 'z' x 3000]]);
}
is(who($c), $in, 'D22: the name outlives the request that brought it');

# Authorization logs in anew
is(who($c, account => 'SP01$'), '200 SP01$@RMS.TEST sharepoint', 'D6: another account on the connection');
is(who($c), '200 SP01$@RMS.TEST sharepoint', 'is who it is from then on');
is(who($c, authorization => 'Basic RVhDSDAxJDp4'), 401, 'D1: a name without proof');
is(who($c), 401, 'ends the session');
is(who($c, path => '/user', authorization => 'Basic RVhDSDAxJDp4'), '401 EXCH01$', 'D1: though nginx takes it for its user');
for my $bad (['no base64' => 'Negotiate ????', 400], ['no token' => 'Negotiate YWJj', 401],
    ['a stranger' => gss(ccache => mkticket(wrong_key => 1))->header, 401])
{
    my ($what, $value, $status) = @$bad;
    $c = conn();
    who($c, account => 'EXCH01$');
    is(who($c, authorization => $value), $status, "$what: refused");
    is(who($c), $status == 400 ? 'closed' : 401, 'and the session has ended');
}
$c = conn();
who($c, account => 'EXCH01$');
my $half = gss(account => 'SP01$', mech => 'negoex', one_way => 1);
is(who($c, authorization => $half->header), 401, 'a handshake that has begun');
is(who($c), 401, 'D6: is nobody yet');

# D6: a proxy in front may share the connection
for my $name (qw(Via Forwarded X-Forwarded-For)) {
    $c = conn();
    who($c, account => 'EXCH01$');
    is(who($c), $in, 'a session');
    is(who($c, headers => [[$name, '1.1 proxy']]), 401, "a request with $name ends it");
    is(who($c), 401, 'for good');
    is(who($c, account => 'EXCH01$', headers => [[lc $name, '']]), $in, "a login with $name");
    is(who($c), 401, 'binds nobody');
}
is(scalar(() = $n->error_log =~ /event=2000 session of a connection ended: a request on it came through a proxy/g), 3,
    'and the log says so');

# connections end, and their memory is used again
my %seen;
for my $i (1 .. 30) {
    my $old = conn();
    who($old, account => 'EXCH01$') if $i % 3 == 0;
    $old->close;
    $seen{ who(conn()) }++;
}
is_deeply(\%seen, { 401 => 30 }, 'D5: a connection in the place of another is nobody');
my @two = (conn(), conn());
who($two[0], account => 'EXCH01$');
who($two[1], account => 'SP01$');
is(join(', ', map { who($two[$_]) } 0, 1, 0), "$in, 200 SP01\$\@RMS.TEST sharepoint, $in", 'D6: two connections, two accounts');

# behind a balancer that speaks the PROXY protocol
$c = client(addr(), $proxy);
$c->write("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
is(who($c, account => 'EXCH01$'), $in, 'a login behind the PROXY protocol');
is(who($c), $in, 'stays with its connection');
$c = client(addr(), $proxy);
$c->write("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
is(who($c), 401, 'and with no other of the same address');

# HTTP/1.0 has connections that last, but nobody is bound to them
$c = conn();
my %old = (version => 'HTTP/1.0', headers => [['Connection', 'keep-alive']]);
is(who($c, %old, account => 'EXCH01$'), $in, 'HTTP/1.0: a login');
is(who($c, %old), 401, 'binds nobody');

# time
$c = conn();
who($c, path => '/short', account => 'EXCH01$');
my ($alive, $end) = (0);
wait_for(sub {
    $end = who($c, path => '/short');
    $alive++ if $end =~ /^200/;
    return $end eq '401';
}, 'the end of a session in use');
cmp_ok($alive, '>', 1, 'a session in use ends by its age');
is(who($c), 401, 'everywhere');
my @idle = map { conn() } 1 .. 2;
who($_, path => '/idle', account => 'EXCH01$') for @idle;
my $then = status()->{time};
wait_for(sub { status()->{time} > $then }, 'a second');
is(who($idle[0], path => '/idle'), 401, 'a session that is not used ends');
is(who($idle[1]), $in, 'where a location allows more, it is still one');

# the decision is made anew
$c = conn();
who($c, account => 'EXCH01$');
is(who($c, path => '/file'), '200 EXCH01$@RMS.TEST fci', 'a role by the rules of a file');
rules('sharepoint account=EXCH01$@RMS.TEST');
wait_for(sub { who($c, path => '/file') eq '200 EXCH01$@RMS.TEST sharepoint' }, 'another role');
pass('another role, on the same connection');
rules('# nobody');
wait_for(sub { who($c, path => '/file') =~ /^403/ }, 'none');
pass('and none, when the rules say so');

# reload
my $new = conn();
who($new, account => 'EXCH01$');
ok($n->reload(conf(%conf, allow => ['sharepoint account=EXCH01$@RMS.TEST'])), 'reload');
my $r = eval { http(client => $new, path => $page) };
ok(!$r || $r->status == 401, 'a session does not outlive the workers of its connection');
$c = conn();
is(who($c), 401, 'nobody');
is(who($c, account => 'EXCH01$'), '200 EXCH01$@RMS.TEST sharepoint', 'the new rules');
is(who($c), '200 EXCH01$@RMS.TEST sharepoint', 'and a session');
nothing_odd();
logs_clean();

# HTTP/2: streams of many may share a connection
$n->stop;
$n = nginx(%conf, ssl => 1, http2 => 1, port => free_port(), server => '');
# two($version) - two requests on one connection, the first with a login:
# status and new connections of each
sub two {
    my ($version) = @_;
    my @every = ('-q', '-sS', '-m', 20, '--noproxy', '*', '--cacert', ca(), $version, '-o', '/dev/null',
        '-w', '%{http_code} %{num_connects}\n', '--resolve', "rmsconnector.rms.test:@{[$n->port]}:@{[addr()]}");
    my ($status, $text) = run(['curl', @every, '-H', 'Authorization: ' . negotiate('EXCH01$'), $n->url($page),
        '--next', @every[1 .. $#every], $n->url($page)]);
    return $text;
}
is(two('--http2'), "200 1\n401 0\n", 'HTTP/2: a login is of its stream, not of the connection');
is(two('--http1.1'), "200 1\n200 0\n", 'HTTP/1.1 over TLS: it is of the connection');
logs_clean();

# refused at load
my ($rc, $said) = nginx_t(conf(%conf, server => 'set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;'));
ok($rc && $said =~ /"rms_session connection" in location "\/".* behind a proxy/s, 'D6: beside an address from a header it is refused');

done_testing();
