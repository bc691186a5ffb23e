# What a worker keeps of cookie sessions never says more than the zone: each
# worker has met the same cookies, and a session ends in all of them at once.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

standin(azure => {});
my $n = nginx(pass => 'azure', workers => 2, log => 'notice', http => "keepalive_requests 10000;\n", locations => <<'X');
location /cookie { rms_auth negotiate; rms_session cookie; add_header X-Who $rms_account always; root @PREFIX@; try_files /nginx.conf =404; }
location /brief { rms_auth negotiate; rms_session cookie ttl=2s idle=2s; root @PREFIX@; try_files /nginx.conf =404; }
location /idle { rms_auth negotiate; rms_session cookie idle=4s; root @PREFIX@; try_files /nginx.conf =404; }
location /admin/ { rms_auth negotiate; rms_allow admin account=alice@RMS.TEST; rms_status; }
location /pid { return 200 $pid; }
X

# a connection to each worker
my %to;
wait_for(sub {
    my $c = client(addr(), $n->port);
    my $pid = http(client => $c, path => '/pid')->body;
    $to{$pid} ||= $c;
    return keys %to == 2;
}, 'a connection to each worker');
my ($one, $two) = map { $to{$_} } sort keys %to;

my $last;

# login($account, %o) - the header of a cookie
sub login {
    my ($account, %o) = @_;
    my $r = http(client => $one, path => '/cookie', account => $account, %o);
    my ($pair) = map {/^([^;]+);/} $r->all('set-cookie') or die 'no cookie: ' . $r->status;
    return [Cookie => $pair];
}

sub get {
    my ($c, $cookie, $path) = @_;
    $last = http(client => $c, path => $path || '/cookie', headers => [$cookie]);
    return $last->status;
}

# both($cookie, $path) - what the workers say, twice each
sub both { my @o = @_; return join ' ', map { get($_, @o) } $one, $two, $one, $two }

sub revoke {
    my ($c, $query) = @_;
    return http(method => 'POST', path => "/admin/revoke?$query", account => 'alice', client => $c,
        headers => [['X-RMS-Admin', 1]])->status;
}

# known in both, ended by either
for my $case (['by the first worker', $one], ['by the second', $two]) {
    my ($who, $c) = @$case;
    my %s = map { $_ => login($_) } 'EXCH01$', 'SP01$';
    is(both($s{$_}), '200 200 200 200', "$_: known to both workers") for sort keys %s;
    is(revoke($c, 'account=EXCH01$@RMS.TEST'), 200, "revoked $who");
    is(both($s{'EXCH01$'}), '401 401 401 401', 'is revoked in both');
    is(both($s{'SP01$'}), '200 200 200 200', 'and nobody else');
    is(both(login('EXCH01$')), '200 200 200 200', 'a new session is good in both');
    is(revoke($c, 'all=1'), 200, "all revoked $who");
    is(both($s{'SP01$'}), '401 401 401 401', 'are revoked in both');
}

# who is who
my %s = map { $_ => login($_) } 'EXCH01$', 'SP01$', 'FS01$';
for my $account (sort keys %s) {
    is(both($s{$account}), '200 200 200 200', "$account: a session");
    is($last->header('x-who'), "$account\@RMS.TEST", 'is of that account');
}

# more than a worker keeps; each is asked for after all others were
my @many = map { login($_ % 2 ? 'EXCH01$' : 'SP01$') } 1 .. 300;
for my $round (1 .. 2) {
    my $wrong = 0;
    for my $i (0 .. $#many) {
        my $expected = $i % 2 ? 'SP01$@RMS.TEST' : 'EXCH01$@RMS.TEST';
        $wrong++ if get($one, $many[$i]) != 200 || $last->header('x-who') ne $expected;
    }
    is($wrong, 0, "300 sessions in one worker, round $round");
}
is(both($s{'FS01$'}), '200 200 200 200', 'one that it had to forget');
is($last->header('x-who'), 'FS01$@RMS.TEST', 'is still the same');

# time
my $brief = login('EXCH01$', path => '/brief');
is(both($brief, '/brief'), '200 200 200 200', 'a brief session');
wait_for(sub { get($one, $brief, '/brief') == 401 }, 'its end in one worker');
is(both($brief, '/brief'), '401 401 401 401', 'ends in both at once');

# what a worker keeps is no use that the zone does not see
my $idle = login('EXCH01$', path => '/idle');
my ($begun, $gone) = (time, 0);
wait_for(sub { $gone ||= get($one, $idle, '/idle') != 200; return time > $begun + 6 }, 'longer than it may be idle');
ok(!$gone, 'a session in use in one worker goes on');
is(get($two, $idle, '/idle'), 200, 'and in the other');

# a reload takes nothing along but the zone
my $cookie = login('EXCH01$');
is(both($cookie), '200 200 200 200', 'a session');
ok($n->reload, 'reload');
($one, $two) = map { client(addr(), $n->port) } 1 .. 2;
is(both($cookie), '200 200 200 200', 'outlives a reload');
is(revoke($one, 'account=EXCH01$@RMS.TEST'), 200, 'until it is revoked');
is(both($cookie), '401 401 401 401', 'as any other');

is_deeply([grep { /\[(?:emerg|alert|crit|error)\]/ } split /\n/, $n->error_log], [], 'error.log holds nothing alarming');

done_testing();
