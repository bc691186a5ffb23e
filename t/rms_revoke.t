# revoke: an admin ends the sessions of an account, or all, at once and in every
# worker; no page of another site can do that with a browser that is logged in.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

use JSON::PP;

my $page = sample('07')->{path};
my $own = free_port();
standin(azure => {});
my %conf = (port => $own, pass => 'azure', workers => 2, location => 'rms_session connection;', locations => <<'X');
location /cookie { rms_auth negotiate; rms_session cookie; root @PREFIX@; try_files /nginx.conf =404; }
location /admin/ { rms_auth negotiate; rms_session cookie name=admin; rms_allow admin account=alice@RMS.TEST; rms_allow user account=bob@RMS.TEST; rms_status; }
location /plain/ { rms_status; }
location /any/ { satisfy any; allow all; rms_auth negotiate; rms_allow admin any; rms_status; }
X
my $n = nginx(conf(%conf));

sub get {
    my (%o) = @_;
    my $r = http(path => $page, %o);
    return $r ? $r->status : 'closed';
}

sub cookie {
    my (%o) = @_;
    my $r = http(%o);
    my ($pair) = map {/^([^;]+);/} $r->all('set-cookie');
    return [Cookie => $pair || 'none'];
}

my @ours = (['X-RMS-Admin', 1]);
my $admin;

# revoke($query, %o) - status and decoded answer
sub revoke {
    my ($query, %o) = @_;
    my $r = http(method => 'POST', path => "/admin/revoke?$query", headers => [$admin, @ours], %o);
    my $json = ($r->header('content-type') || '') eq 'application/json' && JSON::PP->new->utf8->decode($r->body);
    return wantarray ? ($r->status, $json, $r) : $r->status;
}

# session($account, $n) - so many connections to each worker, and a cookie
sub session {
    my ($account, $n_connections) = @_;
    my (%to, @c);
    wait_for(sub {
        my $c = client(addr(), $n->port);
        my $r = http(client => $c, path => '/plain/status');
        my ($worker) = $r->body =~ /"pid":(\d+)/;
        push @c, $c if ++$to{$worker} <= $n_connections;
        return @c == 2 * $n_connections;
    }, 'connections to both workers');
    get(client => $_, account => $account) == 200 or die $account for @c;
    return { c => \@c, cookie => cookie(path => '/cookie', account => $account) };
}

# left($session) - which of it are left
sub left {
    my ($s) = @_;
    return join ' ', (map { get(client => $_) } @{ $s->{c} }), http(path => '/cookie', headers => [$s->{cookie}])->status;
}

# who may
$admin = cookie(path => '/admin/status', account => 'alice');
like($admin->[1], qr/^admin=/, 'an admin with a session');
is(revoke('account=SP01$@RMS.TEST', headers => \@ours), 401, 'nobody: 401');
is(revoke('account=SP01$@RMS.TEST', headers => \@ours, account => 'bob'), 403, 'another role: 403');
is(revoke('account=SP01$@RMS.TEST', headers => \@ours, account => 'EXCH01$'), 403, 'no role: 403');
is(revoke('account=SP01$@RMS.TEST', path => '/plain/revoke?all=1'), 403, 'a status without login has no admins');
is(revoke('', path => '/any/revoke?all=1', account => 'alice'), 403, 'nor has one that an address opens');
for my $method (qw(GET PUT DELETE)) {
    my ($status, undef, $r) = revoke('all=1', method => $method);
    is("$status " . $r->header('allow'), '405 POST', "$method is not allowed");
}

# which requests a browser would not send for another site
my $origin = "http://rmsconnector.rms.test:$own";
my @host = ([Host => "rmsconnector.rms.test:$own"]);
for my $case (['without the header' => 403], ['with another value', 403, ['X-RMS-Admin', 'yes']],
    ['twice', 403, @ours, @ours], ['from another site', 403, @ours, [Origin => 'http://evil.test']],
    ['from nowhere', 403, @ours, [Origin => 'null']], ['with an empty origin', 403, @ours, [Origin => '']],
    ['from another scheme', 403, @ours, [Origin => $origin =~ s/http/https/r]],
    ['from another port', 403, @ours, [Origin => 'http://rmsconnector.rms.test']],
    ['from below our name', 403, @ours, [Origin => "$origin.evil.test"]],
    ['two origins', 403, @ours, [Origin => $origin], [Origin => $origin]],
    ['from our own site, and without the header', 403, [Origin => $origin]],
    ['from our own site', 200, @ours, [Origin => $origin]], ['in capitals', 200, @ours, [Origin => $origin =~ s/rms/RMS/r]])
{
    my ($what, $status, @headers) = @$case;
    is(revoke('account=x@RMS.TEST', headers => [@host, $admin, @headers]), $status, "a request $what: $status");
}
is(revoke('account=x@RMS.TEST', headers => [], account => 'alice'), 403, 'also with a login instead of a cookie');
is(revoke('account=x@RMS.TEST', headers => [['Content-Type', 'text/plain'], $admin], body => 'X-RMS-Admin: 1'), 403, 'or as a form would');
is(http(method => 'OPTIONS', path => '/admin/revoke?all=1', headers => [[Origin => 'http://evil.test'],
    ['Access-Control-Request-Method', 'POST'], ['Access-Control-Request-Headers', 'x-rms-admin']])->status, 401, 'a browser that asks gets no leave');

# an account
my %s = map { $_ => session($_, 3) } 'EXCH01$', 'SP01$';
is(left($s{$_}), join(' ', (200) x 7), "sessions of $_") for sort keys %s;
my ($status, $json) = revoke('account=EXCH01%24%40RMS.TEST');
is($status, 200, 'revoked');
is_deeply([@$json{qw(account all)}], ['EXCH01$@RMS.TEST', JSON::PP::false], 'the answer says whom');
is(left($s{'EXCH01$'}), join(' ', (401) x 7), 'all of them end, in all workers');
is(left($s{'SP01$'}), join(' ', (200) x 7), 'those of others do not');
is(left($s{'EXCH01$'}), join(' ', (401) x 7), 'for good');
my ($line) = $n->error_log =~ /(rms sessions revoked: account="EXCH01[^,]*),/;
is($line, 'rms sessions revoked: account="EXCH01$@RMS.TEST" by="alice@RMS.TEST"', 'the log says who did it');
$s{'EXCH01$'} = session('EXCH01$', 1);
is(left($s{'EXCH01$'}), '200 200 200', 'who logs in again has a session again');
is(revoke('account=exch01$@rms.test'), 200, 'in other capitals');
is(left($s{'EXCH01$'}), '401 401 401', 'it is the same account');

# what is none
for my $query ('', 'account=', 'account=EXCH01$', 'account=RMS%5CEXCH01$', 'account=a%00b@RMS.TEST', 'all=0', 'all=', 'all=11',
    'all=1&account=a@B', 'account=a@B&account=c@D', 'x=1', 'all=1&x=1')
{
    is(revoke($query), 400, "\"$query\" revokes nothing");
}
is(left($s{'SP01$'}), join(' ', (200) x 7), 'indeed');

# with a body, as some clients send one
is(revoke('account=bob@RMS.TEST', body => '{"x":1}'), 200, 'a body is not read');
is(revoke('account=bob@RMS.TEST', headers => [$admin, @ours, ['Content-Length', undef]]), 200, 'none is needed');

# more revocations than are remembered each
$s{'EXCH02$'} = session('EXCH02$', 1);
is(revoke('account=EXCH02$@RMS.TEST'), 200, 'one');
my $c = client(addr(), $n->port);
is(scalar(grep { revoke("account=a$_\@RMS.TEST", client => $c) != 200 } 1 .. 60), 0, 'and more');
$admin = cookie(path => '/admin/status', account => 'alice');
for my $i (61 .. 300) {
    my $status = revoke("account=a$i\@RMS.TEST", client => $c);
    $admin = cookie(path => '/admin/status', account => 'alice') if $status == 401;
}
is(left($s{'EXCH02$'}), '401 401 401', 'a session never outlives its revocation');

# a reload
$s{'FS01$'} = session('FS01$', 1);
$admin = cookie(path => '/admin/status', account => 'alice');
is(revoke('account=FS01$@RMS.TEST'), 200, 'revoked before a reload');
ok($n->reload(conf(%conf)), 'reload');
is(http(path => '/cookie', headers => [$s{'FS01$'}{cookie}])->status, 401, 'is revoked after it');

# all
%s = map { $_ => session($_, 1) } 'EXCH01$', 'SP01$';
($status, $json) = revoke('all=1');
is($status, 200, 'all');
ok($json->{all}, 'says the answer');
is(left($s{$_}), '401 401 401', "$_ too") for sort keys %s;
is(revoke('all=1'), 401, 'even the admin');
$n->wait_log(qr/rms sessions revoked: account="" all=1 by="alice\@RMS\.TEST"/);
my $count = JSON::PP->new->utf8->decode(http(path => '/plain/status')->body)->{counters}{revocations};
is($count, scalar(() = $n->error_log =~ /rms sessions revoked/g), 'each is counted');
nothing_odd();
logs_clean();

done_testing();
