# rms_health, for balancers: 200 or 503 without a login, by what this node knows;
# "drain" takes a node out before it is stopped.  No Redis here but one that is away.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

use JSON::PP;

standin(azure => {});
my $admin = 'location /admin/ { rms_auth negotiate; rms_session cookie; rms_allow admin account=alice@RMS.TEST; rms_allow user account=bob@RMS.TEST; rms_status; }';
my %conf = (port => free_port(), pass => 'azure', workers => 2, server => 'rms_auth negotiate;', locations => <<"X");
location = /health { rms_health; access_log off; }
location /plain/ { rms_auth off; rms_status; }
location /closed/ { rms_auth off; rms_status; allow 127.255.255.255; deny all; }
location = /closed { rms_health; allow 127.255.255.255; deny all; }
location = /if { if (\$http_x_odd) { set \$odd 1; } rms_health; }
$admin
X
my $n = nginx(conf(%conf));

sub all_ok { goto &RMS::Relay::all_ok }

# health(%o of http) - "200 ok"
sub health {
    my (%o) = @_;
    my $r = http(path => '/health', %o);
    return $r->status . ' ' . ($r->body =~ s/\n\z//r);
}

sub pool { return JSON::PP->new->utf8->decode(http(path => '/plain/status')->body)->{pool} }

# What it says

my $r = http(path => '/health');
all_ok('a node that is well', [$r->status == 200, '200'], [$r->body eq "ok\n", 'ok'],
    [$r->header('content-type') eq 'text/plain', 'plain text'], [$r->header('content-length') == 3, 'with its length'],
    [$r->header('cache-control') eq 'no-store', 'not to be stored'], [!$r->header('www-authenticate'), 'and no challenge']);
is(http(path => sample('07')->{path})->status, 401, '  while the server wants a login for all else');
my $c = client(addr(), $n->port);
$c->request(method => 'HEAD', path => '/health');
$r = $c->response;
is($r->status . ' ' . $r->header('content-length'), '200 3', 'HEAD has the length');
$c->request(path => '/health');
is($c->response->body, "ok\n", '  and no body, and the connection stays');
$c->write("GET /health HTTP/1.0\r\n\r\n");
is($c->response->status, 200, 'HTTP/1.0 without a host, as balancers ask');
for my $method (qw(POST PUT DELETE OPTIONS)) {
    $r = http(method => $method, path => '/health');
    is($r->status . ' ' . $r->header('allow'), '405 GET, HEAD', "$method is not allowed");
}
is(health(path => '/if'), '200 ok', 'in a location with an "if"');
is(health(path => '/if', headers => [['X-Odd', 1]]), '200 ok', '  and in its block');
is(health(path => '/plain/health'), '200 ok', 'below a status');
is(http(path => '/closed/health')->status, 403, '  unless that is closed');
is(http(path => '/admin/health')->status, 401, '  or wants a login');
is(http(path => '/closed')->status, 403, 'allow and deny count beside rms_health');

# Draining

my $page = http(path => '/admin/status', account => 'alice');
my ($cookie) = map {/^([^;]+);/} $page->all('set-cookie');
my @ours = ([Cookie => $cookie], ['X-RMS-Admin', 1]);

# drain($query, %o) - the status and what was said
sub drain {
    my ($query, %o) = @_;
    my $r = http(method => 'POST', path => "/admin/drain?$query", headers => \@ours, %o);
    return wantarray ? ($r->status, $r) : $r->status;
}

is(drain('on=1', headers => [['X-RMS-Admin', 1]]), 401, 'nobody drains: 401');
is(drain('on=1', headers => [['X-RMS-Admin', 1]], account => 'bob'), 403, 'another role: 403');
is(drain('on=1', path => '/plain/drain?on=1'), 403, 'a status without a login has no admins');
is(drain('on=1', headers => [[Cookie => $cookie]]), 403, 'without the header: 403');
is(drain('on=1', headers => [@ours, [Origin => 'http://evil.test']]), 403, 'from another site: 403');
for my $method (qw(GET HEAD PUT)) {
    my ($status, $r) = drain('on=1', method => $method);
    is("$status " . $r->header('allow'), '405 POST', "$method drains nothing");
}
is(drain($_), 400, "\"$_\" is not understood") for '', 'on=', 'on=2', 'on=11', 'on=1&on=1', 'off=1', 'on=1&x=1';
is(health(), '200 ok', 'none of that took the node out');
is_deeply([map { $_->{health} } @{ pool()->{nodes} }], ['ok'], '  as the status shows');

my ($status, $said) = drain('on=1');
my $json = eval { JSON::PP->new->utf8->decode($said->body) };
all_ok('an admin drains the node', [$status == 200, '200'], [$json->{draining}, 'says so'],
    [abs($json->{since} - time) < 60, 'since when'], [$said->header('cache-control') eq 'no-store', 'not stored']);

# in each worker
my %worker;
wait_for(sub {
    my $c = client(addr(), $n->port);
    my ($pid) = http(client => $c, path => '/plain/status')->body =~ /"pid":(\d+)/;
    $worker{$pid} = health(client => $c);
    return keys %worker == 2;
}, 'both workers answer');
is_deeply([values %worker], [('503 draining') x 2], 'every worker says it is draining');
is(health(path => '/plain/health'), '503 draining', '  below the status too');
is(health(method => 'HEAD'), '503 ', '  and to HEAD');
is(post_sample('07')->status, 200, 'what comes all the same is served');
is_deeply([map { $_->{health} } @{ pool()->{nodes} }], ['draining'], 'the status shows it');
is(drain('on=1'), 200, 'draining again changes nothing');
is(scalar(() = $n->error_log =~ /rms node is draining: by="alice\@RMS\.TEST"/g), 1, '  and is logged once, with who');
ok($n->reload(conf(%conf)), 'after a reload');
is(health(), '503 draining', 'it still drains');
($status, $said) = drain('on=0');
is_deeply([$status, JSON::PP->new->utf8->decode($said->body)], [200, { draining => JSON::PP::false }], 'back again');
is(health(), '200 ok', 'it is well');
like($n->error_log, qr/rms node is not draining any more: by="alice\@RMS\.TEST"/, '  and that is logged');
is(drain('on=1'), 200, 'drained');
$n->stop;
$n->start;
is(health(), '200 ok', 'a start begins anew');

# A worker that leaves

# pending() - a connection with half a request on it
sub pending {
    my $c = client(addr(), $n->port);
    http(client => $c, path => '/health')->status == 200 or die;
    $c->write("GET /health HTTP/1.1\r\nHost: x\r\n");
    return $c;
}

# taken($c) - until the worker has read what was sent: nothing waits in its socket
sub taken {
    my ($c) = @_;
    my $port = sprintf '%04X', $c->{s}->sockport;
    return wait_for(sub { slurp('/proc/net/tcp') =~ /^\s*\d+: [0-9A-F:]+ [0-9A-F]+:$port 01 [0-9A-F]+:0{8} /m },
        'the worker has read it');
}

$c = pending();
taken($c);
ok($n->reload(conf(%conf)), 'a reload with half a request');
$c->write("\r\n");
$r = $c->response;
all_ok('a worker that has a successor', [$r->status == 200, 'says the node is well'], [$r->header('connection') eq 'close', 'and closes']);
wait_for(sub { !$n->leaving }, 'old workers gone');
$c = pending();
taken($c);
kill 'QUIT', $n->{pid};
wait_for(sub { my @w = $n->workers; my @l = $n->leaving; @w && @w == @l }, 'the node is being stopped');
$c->write("\r\n");
$r = $c->response;
all_ok('a node that is being stopped', [$r->status == 503, 'says so'], [$r->body eq "stopping\n", 'in a word'],
    [$r->header('connection') eq 'close', 'and closes']);
ok(eval { wait_for(sub { !alive($n->{pid}) }, 'the end') }, '  and ends');
nothing_odd();
logs_clean(expected => qr/access forbidden by rule/);

# Redis

my $seal = spew(dir() . '/seal.keys', sprintf "%064x\n", 7919);
share_with_worker($seal);
my $away = "rms_seal_key_file $seal; rms_redis { server " . addr() . ':' . free_port() . '; }';
$n = nginx(conf(pass => 'azure', http => $away, server => 'rms_session cookie;', locations => <<'X'));
location = /local { rms_health; }
location = /deny { rms_health; rms_on_store_error deny; }
location = /none { rms_health; rms_on_store_error deny; rms_session off; }
location = /old { rms_health; rms_acl_shared on; rms_acl_max_age 1m; }
X
is(health(path => '/local'), '200 ok', 'Redis is away, and the node goes on without');
is(health(path => '/deny'), '503 store away', '  where it may not, it is out');
is(health(path => '/none'), '200 ok', '  and where nothing of it is needed, it is not');
is(health(path => '/old'), '503 list stale', 'a list nobody has confirmed is too old');
my $warnings = JSON::PP->new->utf8->decode(http(path => '/rms/status')->body)->{pool}{warnings};
is_deeply($warnings, ['this node does not see the pool: Redis is away'], 'and the status says that it is alone');
$n->stop;

# Configurations

for my $case (['rms_health beside another handler', qr/"rms_health" (?:directive )?stands beside another content handler/,
        'location = /h { rms_health; proxy_pass http://127.0.0.1:9; }'],
    ['beside a login', qr/"rms_health" stands beside "rms_auth" in location "\/h"; give it a location of its own/,
        'location = /h { rms_health; rms_auth negotiate; }'],
    ['behind a status', qr/"rms_health" (?:directive )?stands beside another content handler/, 'location = /h { rms_status; rms_health; }'],
    ['before a status', qr/"rms_status" directive stands beside another content handler/, 'location = /h { rms_health; rms_status; }'])
{
    my ($what, $message, $location) = @$case;
    my ($status, $said) = nginx_t(conf(pass => 'azure', locations => $location));
    ok($status != 0 && $said =~ $message, "refused: $what") or diag $said;
}

done_testing();
