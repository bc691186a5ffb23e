# The harness itself: what a load must notice, it notices.  Between a node and the
# recorder stands one who sends twice, answers from memory, changes what he is given.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin";
use RMS::Test;

use RMS::Load;
use RMS::Pool;

my $to = 'proxy_pass ' . recorder()->url;

# between($name, $http, $server) - a plain nginx before the recorder; its URL.
sub between {
    my ($name, $http, $server) = @_;
    my $at = free_port();
    my $temp = join '', map {"${_}_temp_path \@PREFIX\@/$_;\n"} qw(client_body proxy fastcgi uwsgi scgi);
    plain_nginx($name, addr(), $at, <<"X");
http {
$temp access_log off;
client_body_buffer_size 1m;
proxy_http_version 1.1;
$http
server { listen @{[addr()]}:$at; $server }
}
X
    return 'http://' . addr() . ":$at";
}

# behind($url) - a load of two clients on one node with this backend.
sub behind {
    my ($url, %o) = @_;
    my $pool = pool(nodes => 1, balancer => '', conf => { backends => [{ name => 'azure', kind => 'azure',
        base => "@RMS::Standin::BASES", proxy => $url }], pass => 'azure' });
    return load($pool, clients => [{}, { keepalive => 1 }], requests => 12, %o);
}

sub counts { my ($sum) = @_; return { map { $_ => $sum->{$_} } qw(sent ok failed closed wrong duplicate) } }

my %none = (sent => 12, ok => 0, failed => 0, closed => 0, wrong => 0, duplicate => 0);

is_deeply(counts(behind(recorder()->url)), { %none, ok => 12 }, 'nobody between: every answer is right');

my $sum = behind(between('twice', '', "location / { mirror /again; $to; } location = /again { internal; $to\$request_uri; }"));
is_deeply(counts($sum), { %none, ok => 12, duplicate => 12 }, 'requests that are sent twice');
like($sum->{why}[0], qr/^load2\.\d\.\d+: the backend had it 2 times$/, '  by name');

$sum = behind(between('memory', 'proxy_cache_path @PREFIX@/cache keys_zone=c:1m;',
    "location / { $to; proxy_cache c; proxy_cache_methods POST; proxy_cache_key \$uri; proxy_cache_valid 1h;"
    . ' proxy_cache_lock on; }'));
cmp_ok($sum->{wrong}, '>=', 9, 'answers from memory: wrong');
like($sum->{why}[0], qr/wrong: the answer of load3\.\d\.\d+$/, '  with whose they are');

is_deeply(counts(behind(between('header', '', "location / { $to; proxy_set_header X-Call another; }"))),
    { %none, ok => 12, wrong => 12 }, 'requests that got there changed');

$sum = behind(between('word', '', "location / { $to; sub_filter_types *; sub_filter '<!--call' '<!-- --><!--call'; }"));
is_deeply(counts($sum), { %none, wrong => 12 }, 'another body');

{
    local $RMS::Load::ROLE{'EXCH01$'} = 'user';
    $sum = behind(recorder()->url, clients => [{ account => 'EXCH01$' }]);
    is_deeply(counts($sum), { %none, wrong => 12 }, 'another caller');
    is($sum->{why}[0], 'load6.0.0 at 0: wrong: for EXCH01$@RMS.TEST exchange', '  who it was');
}

$sum = behind(between('ill', '', 'location / { return 503; }'));
is_deeply(counts($sum), { %none, failed => 12 }, 'another status');
is_deeply($sum->{status}, { 503 => 12 }, '  which');
is_deeply($sum->{failed_at}, { 0 => 12 }, '  and where');

$sum = behind(between('memory', '', "location ~ /license { return 444; } location / { $to; }"));
is_deeply(counts($sum), { %none, ok => 8, failed => 4 }, 'no answer of a backend is a failure');

# nobody listens, and one who never answers
$sum = load({ addr => addr(), port => free_port() }, requests => 3, clients => [{}]);
is_deeply(counts($sum), { %none, sent => 3, failed => 3 }, 'no connection');
is_deeply($sum->{failed_at}, { '-' => 3 }, '  at no node');
my $deaf = IO::Socket::INET->new(LocalAddr => addr(), LocalPort => free_port(), Listen => 8);
$sum = load({ addr => addr(), port => $deaf->sockport }, requests => 1, clients => [{}], timeout => 1);
is_deeply(counts($sum), { %none, sent => 1, failed => 1 }, 'no answer in time');

# cookies
my $pool = pool(nodes => 1, balancer => '');
$sum = load($pool, clients => [{ cookie => 1 }, { cookie => 1, keepalive => 1 }, {}], requests => 30);
is($sum->{ok}, 30, 'clients with a cookie');
is($sum->{logins}, 2, 'log in once each');
my $c = $pool->status(0)->{counters};
is($c->{session_hits}, 18, 'and are known after that');

done_testing();
