# The sample of the design loads as it stands, with other addresses and paths,
# and relays a request to each of its backends.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

kdc(realm => 'CONTOSO.COM', services => ['HTTP/rmsconnector.contoso.com']);

my $tenant = 'https://5c6bb73b-1038-4eec-863d-49bded473437.rms.na.aadrm.com/_wmcs';
my $s = standin(
    azure => { base => $tenant, rebase => $tenant, tls => 1 },
    adrms => { base => 'https://rms.contoso.com/_wmcs', rebase => 'https://rms.contoso.com/_wmcs',
        licensor => RMS::Standin::northquay() });
my $port = free_port();
my $rms = dir() . '/rms';
mkdir $rms;

spew("$rms/http.keytab", slurp(kdc()->keytab));
spew("$rms/redis.pass", "secret of redis\n");
spew("$rms/redis-ca.pem", slurp(ca()));
spew("$rms/seal.keys", "# first seals\n" . join '', map { sprintf("%064x\n", $_ * 7919) } 1 .. 2);
share_with_worker(map {"$rms/$_"} qw(http.keytab redis.pass seal.keys));
for my $name (qw(azure adrms)) {
    my $text = slurp(root() . "/conf-examples/rms/$name-proxy.conf");
    $text =~ s{/etc/ssl/certs/ca-certificates.crt}{ca()}e;
    spew("$rms/$name-proxy.conf", $text);
}

my $text = slurp(root() . '/t/conf/design.conf');
my @put = (
    ['modules/ngx_http_rms_module.so', RMS::Nginx::module()],
    ['/etc/nginx/rms/', "$rms/"],
    ['include rms/', "include $rms/"],
    ['listen 443 ssl', 'listen ' . addr() . ":$port ssl"],
    ['https://azure_rms', $s->url('azure')],
    ['http://adrms_nodes', $s->url('adrms')],
    ['4f1a2b3c-0000-4000-8000-123456789abc', RMS::Standin::northquay()],
);
for my $pair (@put) {
    my ($from, $to) = @$pair;
    ok($text =~ s/\Q$from\E/$to/g, "the sample holds $from");
}
$text =~ s/^load_module.*\n//m if $ENV{TEST_RMS_STATIC};

# what the sample leaves to a complete configuration, paths and the resolver of a site
my $cert = cert('rmsconnector.contoso.com');
my $paths = join "\n", (map {"${_}_temp_path \@PREFIX\@/$_;"} qw(client_body proxy fastcgi uwsgi scgi)),
    'resolver ' . addr() . ':' . free_port() . ';', 'access_log @PREFIX@/access.log;', "ssl_certificate $cert->{cert};", "ssl_certificate_key $cert->{key};";
$text =~ s/^http \{\n/http {\n$paths\n/m;
$text = ($> == 0 ? 'user ' . worker_user() . ' ' . worker_group() . ";\n" : '') . $text;

my $n = nginx("# port $port\n$text");
my @warned = $n->{said} =~ /\[warn\] (.*)/g;
my @wanted = (
    qr/^rules by "sid=" in location "\/", but tickets .* write "large_client_header_buffers 8 64k;"/,
);
for my $wanted (@wanted) {
    ok(scalar(grep { $_ =~ $wanted } @warned), "warned: $wanted");
}
is(scalar @warned, scalar @wanted, 'and of nothing else') or diag join "\n", @warned;

sub post {
    my ($name, $account) = @_;
    my $m = sample($name);
    return curl("https://rmsconnector.contoso.com:$port$m->{path}", account => $account, body => $m->{request},
        headers => [map {"$_->[0]: $_->[1]"} @{ $m->{headers} }]);
}

my $r = post('07', 'SP01$');
is($r->status, 200, 'a licence of the tenant') or diag $n->error_log;
ok($r->body eq sample('07')->{response}, 'byte for byte');
is_deeply([map { $_->{listener} } journal()], ['azure'], 'from azure');
forget_journal();

$r = post('07e', 'FS01$');
is($r->status, 200, 'a licence of the old cluster');
is_deeply([map { $_->{listener} } journal()], ['adrms'], 'from legacy');

$r = post('12', 'SP01$');
is($r->status, 200, 'GetServerInfo');
ok(index($r->body, qq{ Url="https://rmsconnector.contoso.com:$port/_wmcs/}) > 0, 'comes back with the address of the connector');

is(post('07', 'EXCH01$')->status, 500, 'a rule by group admits nobody whose ticket has no groups');
like($n->error_log, qr/event=2001 not authorised: account="EXCH01\$\@CONTOSO\.COM" reason=no_role rules=4; rules by sid= were not applied/,
    'and event 2001 says that it was not applied');
is(curl("https://rmsconnector.contoso.com:$port/_wmcs/GetRmsoUri.aspx", account => 'SP01$')->body,
    $tenant =~ s{/_wmcs$}{}r, 'GetRmsoUri.aspx names the tenant');
$r = curl("https://rmsconnector.contoso.com:$port/rms/");
is($r->status, 200, 'the status answers');
is(scalar @{ JSON::PP::decode_json($r->body)->{backends} }, 2, 'and shows both backends');

is_deeply([violations()], [], 'the backends saw nothing odd');
is_deeply([no_secrets('secret of redis', sprintf '%064x', 7919)], [], 'no secret in a log');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');

done_testing();
