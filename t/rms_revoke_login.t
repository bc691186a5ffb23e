# A login that is under way while its account is revoked began before that: it is
# good for its own request, and no session comes of it.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::AD;
use RMS::NTLM;
use RMS::Relay;

my $page = sample('07')->{path};
ad(winbind => 1);
standin(azure => {});
my $n = nginx(pass => 'azure', auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', ntlm_pool => 'threads=2 max_queue=16',
    location => 'rms_session connection;', log => 'debug', locations => <<'X');
location /cookie { rms_auth negotiate ntlm; rms_session cookie; root @PREFIX@; try_files /nginx.conf =404; }
location /admin/ { rms_auth negotiate; rms_allow admin account=alice@RMS.TEST; rms_status; }
X

sub posted { return scalar(() = $n->error_log =~ /added to thread pool "rms_ntlm"/g) }

# half($path) - a connection that has its challenge
sub half {
    my ($path) = @_;
    my %o = (c => client(addr(), $n->port), path => $path, ntlm => ntlm());
    my $r = http(client => $o{c}, path => $path, authorization => $o{ntlm}->header);
    $o{reply} = $o{ntlm}->challenge_in($r);
    return \%o;
}

# finish($half) - sends the last leg
sub finish {
    my ($o) = @_;
    return $o->{c}->request(path => $o->{path}, headers => [[Authorization => $o->{ntlm}->header($o->{reply})]]);
}

sub cookie {
    my ($r) = @_;
    my ($pair) = map {/^([^;]+);/} $r->all('set-cookie');
    return $pair;
}

# not revoked: both are sessions
my ($c, $k) = map { half($_) } $page, '/cookie';
finish($_) for $c, $k;
is($c->{c}->response->status, 200, 'a login');
is(http(client => $c->{c}, path => $page)->status, 200, 'is a session of the connection');
my $pair = cookie($k->{c}->response);
is(http(path => '/cookie', headers => [[Cookie => $pair]])->status, 200, 'or of the cookie');

# revoked under way
($c, $k) = map { half($_) } $page, '/cookie';
my $token = negotiate('alice');
my $posted = posted();
ad()->freeze('winbindd');
finish($_) for $c, $k;
wait_for(sub { posted() == $posted + 2 }, 'two logins under way');
my $r = http(method => 'POST', path => '/admin/revoke?account=EXCH01$@RMS.TEST', authorization => $token, headers => [['X-RMS-Admin', 1]]);
is($r->status, 200, 'revoked meanwhile');
ad()->thaw('winbindd');
is($c->{c}->response->status, 200, 'the request of the login is served');
is(http(client => $c->{c}, path => $page)->status, 401, 'the next one on the connection is not');
$pair = cookie($k->{c}->response);
like($pair, qr/^rms_session=/, 'a cookie that was given');
is(http(path => '/cookie', headers => [[Cookie => $pair]])->status, 401, 'is worth nothing');

# revoked between two legs: a login began with its first one, however many follow
sub revoke {
    my $r = http(method => 'POST', path => '/admin/revoke?account=EXCH01$@RMS.TEST', account => 'alice', headers => [['X-RMS-Admin', 1]]);
    is($r->status, 200, 'revoked');
    return;
}
($c, $k) = map { half($_) } $page, '/cookie';
revoke();
finish($_) for $c, $k;
is($c->{c}->response->status, 200, 'between two legs: the request of the login is served');
is(http(client => $c->{c}, path => $page)->status, 401, 'between two legs: the login is no session of the connection');
$pair = cookie($k->{c}->response);
like($pair, qr/^rms_session=/, 'between two legs: a cookie that was given');
is(http(path => '/cookie', headers => [[Cookie => $pair]])->status, 401, 'between two legs: is worth nothing');

# a handshake that was begun before and not finished has nothing to do with the next one
$c = half($page);
revoke();
$r = ntlm_request($c->{c}, ntlm(), path => $page);
is($r->status, 200, 'begun again on the same connection: a login');
is(http(client => $c->{c}, path => $page)->status, 200, 'begun again after the revocation: is a session');

# three legs, since NTLM was not the first choice
my $connection = client(addr(), $n->port);
my $three = ntlm(spnego => [qw(negoex ntlm)]);
my $reply;
for my $leg (1 .. 3) {
    revoke() if $leg == 2;
    $r = http(client => $connection, path => $page, authorization => $three->header($reply));
    $reply = $three->challenge_in($r) if $leg < 3;
}
is($r->status, 200, 'between the first and the second of three legs: the request of the login is served');
is(http(client => $connection, path => $page)->status, 401, 'between the first and the second of three legs: the login is no session');

# and again
$c = half($page);
finish($c);
is($c->{c}->response->status, 200, 'another login');
is(http(client => $c->{c}, path => $page)->status, 200, 'is a session again');
nothing_odd();
logs_clean(secrets => ['EXCH01$-pass']);

done_testing();
