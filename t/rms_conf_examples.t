# Every configuration of conf-examples loads, with other addresses and paths,
# and does what it says.  Those of a pool: t/rms_conf_pool.t.

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/demo";
use IO::Socket::SSL;
use RMS::Test;
use RMS::NTLM;
use RMS::PAC;

use Conf;

my $here = root() . '/conf-examples';
my $identity = 'Bearer identity-of-the-examples';
my %used;

my $DOMAIN = 'S-1-5-21-1004336348-1177238915-682003330';
kdc(realm => 'CONTOSO.COM', services => ['HTTP/rmsconnector.contoso.com', 'HTTP/rms.contoso.com']);
spew(dir() . '/identity', "$identity\n");
share_with_worker(dir() . '/identity');

my $ntlm_users = ntlm_user_file(['CONTOSO', 'svc-spadmin', 'secret-of-spadmin']);

my ($host, $port, $scheme, $n);

# start($file) - the example with its backends; returns their names
sub start {
    my ($file) = @_;
    my $conf = bless { tree => Conf::parse(slurp("$here/$file")), dir => $here }, 'Conf';
    my $tree = $conf->{tree};
    $used{$_}++ for map { $_->[1][0] } Conf::find($tree, 'include');
    my ($server) = Conf::find($tree, 'server');
    ($server) = grep { $_->[2] && Conf::find($_->[2], 'rms_pass') } Conf::find($tree, 'server');
    ($host) = Conf::one($server->[2], 'server_name');
    $conf->{hosts} = [$host];
    my @backends = map { $conf->backend($_) } Conf::find($tree, 'rms_backend');
    standin(map { $_->{name} => {
        kind => $_->{kind}, base => $_->{first}, rebase => $_->{first}, tls => $_->{scheme} eq 'https',
        ($_->{identity} || '') =~ /^file=/ ? (require_authorization => $identity) : (),
        $_->{licensor} ? (licensor => $_->{licensor}) : (),
    } } @backends);
    my %upstream = map { $_->{upstream} => addr() . ':' . standin()->port($_->{name}) } @backends;
    my %port;
    $conf->{tree} = [grep { $_->[0] !~ /^(?:error_log|user)$/ } @$tree];
    my $prefix = dir() . "/shipped.$file";
    mkdir $prefix;
    my $text = $conf->relocate(prefix => $prefix, module => RMS::Nginx::module(), keytab => kdc()->keytab,
        identity => dir() . '/identity', upstream => \%upstream,
        port => sub { $port{ $_[0] } ||= free_port() });
    $text =~ s{^pid .*\n}{}m;
    $text =~ s{(rms_domain [^;]*;)}{$1 rms_ntlm_user_file $ntlm_users;};
    $text =~ s{^(http \{\n)}{$1access_log $prefix/access.log;\n}m unless $text =~ /access_log/;
    $text = 'user ' . worker_user() . ' ' . worker_group() . ";\n$text" if $> == 0;
    ($scheme, $port) = $port{443} ? ('https', $port{443}) : ('http', $port{80});
    $n = nginx("# port $port\n$text");
    is(scalar(() = $n->{said} =~ /\[warn\]/g), 0, "$file loads without a warning") or diag $n->{said};
    return map { $_->{name} } @backends;
}

# a ticket of somebody in a group of the domain
sub member {
    my ($account, $rid) = @_;
    return mkticket(client => "$account\@CONTOSO.COM", service => 'HTTP/rmsconnector.contoso.com@CONTOSO.COM',
        logon_info => logon_info(account => $account, domain => 'CONTOSO', domain_sid => $DOMAIN, rid => 1600,
            groups => [513, $rid]));
}

sub get { return curl("$scheme://$host:$port$_[0]", account => $_[1]) }

sub post {
    my ($name, $account) = @_;
    my $m = sample($name);
    my $r = curl("$scheme://$host:$port$m->{path}", account => $account, body => $m->{request},
        headers => [map {"$_->[0]: $_->[1]"} @{ $m->{headers} }]);
    diag $n->error_log if $r->status >= 501;
    return $r;
}

my %exercise = (
    'minimal.conf' => sub {
        is(post('03', 'EXCH01$')->status, 200, 'Exchange certifies its server');
        ok(post('07', 'EXCH01$')->body eq sample('07')->{response}, 'and gets a licence');
        ok(index(post('12', 'EXCH01$')->body, qq{ Url="http://$host:$port/_wmcs/}) > 0, 'addresses lead back to the connector');
        is(post('07', 'SP01$')->status, 500, 'nobody else does');
        is(post('07')->status, 401, 'nor without credentials');
    },
    'connector.conf' => sub {
        for my $caller (['EXCH01$', '08'], ['SP01$', '07'], ['FS01$', '06']) {
            my ($account, $name) = @$caller;
            ok(post($name, $account)->body eq sample($name)->{response}, "$account: " . sample($name)->{operation});
        }
        is_deeply([map { $_->{listener} } journal()], [('azure') x 3], 'at the tenant');
        is(post('07e', 'SP01$')->status, 200, 'old content opens');
        is((journal())[-1]{listener}, 'legacy', 'at the old cluster');
        is((journal())[-1]{headers}{authorization}, undef, 'which does not get the identity of the tenant');
        my $r = get('/rms/status');
        is($r->status, 200, 'the status needs no login');
        is(JSON::PP::decode_json($r->body)->{counters}{forwarded}, 4, 'and counts');
        is(post('07', 'ROGUE01$')->status, 500, 'others are refused');
        my $log = '';
        wait_for(sub { ($log = slurp(dir() . '/shipped.connector.conf/rms.log')) =~ /ROGUE01/ }, 'a line of the access log');
        like($log, qr/ 500 \d+ \S+ account="ROGUE01\$\@CONTOSO\.COM" role=none .*verdict=deny reason=no_role request=[0-9a-f]{32}$/m,
            'the access log says why');
    },
    'connector-ad.conf' => sub {
        my $by = sub {
            my ($name, $ccache) = @_;
            my $m = sample($name);
            return curl("$scheme://$host:$port$m->{path}", ccache => $ccache, body => $m->{request},
                headers => [map {"$_->[0]: $_->[1]"} @{ $m->{headers} }], args => ['--http1.1']);
        };
        ok($by->('08', member('EXCH01$', 1118))->body eq sample('08')->{response}, 'a member of Exchange Servers: AcquirePreLicense');
        ok($by->('06', member('FS01$', 1131))->body eq sample('06')->{response}, 'a member of the file servers publishes');
        is($by->('08', member('FS01$', 1131))->status, 500, 'and asks for no licences in advance');
        is($by->('08', member('ROGUE01$', 1119))->status, 500, 'a member of another group has no role');
        is($by->('08', kdc()->ccache('EXCH01$'))->status, 500, 'nor has a ticket without groups');
        like($n->error_log, qr/event=2001 .*the ticket has no PAC/, 'and the log says why');
        my $r = curl("$scheme://$host:$port/rms/status", ccache => member('alice', 1140));
        is($r->status, 200, 'the status is for the administrators');
        is(curl("$scheme://$host:$port/rms/status", ccache => member('EXCH01$', 1118))->status, 403, 'and for nobody else');

        my $ssl = IO::Socket::SSL->new(PeerAddr => addr(), PeerPort => $port, SSL_hostname => $host, SSL_ca_file => ca())
            or die "TLS: $IO::Socket::SSL::SSL_ERROR";
        my $c = bless { s => $ssl, in => '', timeout => $RMS::Env::DEADLINE }, 'RMS::Client';
        my $m = sample('07');
        my %post = (method => 'POST', host => $host, path => $m->{path}, headers => $m->{headers}, body => $m->{request});
        $r = ntlm_request($c, ntlm(account => 'svc-spadmin', domain => 'CONTOSO', password => 'secret-of-spadmin',
            target => "HTTP/$host"), %post);
        ok($r->body eq $m->{response}, 'SharePoint with NTLM');
        $r = http(client => $c, %post);
        ok($r->body eq $m->{response}, 'and again over its connection, without a login');
        like(slurp(dir() . '/shipped.connector-ad.conf/rms.log'), qr/account="svc-spadmin\@CONTOSO\.COM" auth=ntlm role=sharepoint /,
            'the access log says who, and how');
    },
    'partners.conf' => sub {
        ok(post('07')->body eq sample('07')->{response}, 'a partner opens what was sent to it');
        is((journal())[-1]{headers}{authorization}, undef, 'without an identity of ours');
        for my $name (qw(02 05 06)) {
            my $r = post($name);
            is($r->status . ' ' . scalar($r->all('www-authenticate')), '500 0', sample($name)->{operation} . ' is refused, without a challenge');
        }
        is(post('07', 'EXCH01$')->status, 200, 'who has an account is a partner too');
    },
    'read-only.conf' => sub {
        is(post('02', 'alice')->status, 200, 'a user certifies');
        ok(post('07', 'bob')->body eq sample('07')->{response}, 'and opens old content');
        ok(index(post('01', 'alice')->body, "<URL>https://$host:$port/_wmcs/") > 0, 'addresses lead back to the front');
        my $asked = journal();
        for my $name (qw(06 05)) {
            my $r = post($name, 'alice');
            is($r->status, 401, sample($name)->{operation} . ' is refused');
            is_deeply([$r->all('www-authenticate')], ['Negotiate'], 'as IIS does after a handshake');
        }
        is(scalar(() = journal()), $asked, 'the cluster is not asked');
        is(post('03', 'SP01$')->status, 500, 'a computer of the realm may not certify as a server');
        is(JSON::PP::decode_json(get('/rms/status')->body)->{backends}[0]{read_only}, 'on', 'the status says so');
    },
);

my @examples = grep { !/-ha\b/ } map { s{.*/}{}r } sort glob "$here/*.conf";
is_deeply(\@examples, [sort keys %exercise], 'every example is exercised');
for my $file (@examples) {
    start($file);
    $exercise{$file}->();
    is_deeply([violations()], [], 'the backends saw nothing odd');
    unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
    is_deeply([grep { index($n->error_log, $_) >= 0 } $identity], [], 'the identity is not in it');
    $n->stop;
    standin()->stop;
    my @handover = map { $_->[2] } grep { $_->[1][0] =~ /^@/ } Conf::find(Conf::parse(slurp("$here/$file")), 'location');
    is(scalar(grep { my ($i) = Conf::one($_, 'include'); ($i || '') =~ m{^rms/\w+-proxy\.conf$} } @handover),
        scalar @handover, "$file takes the shipped include into every hand-over location");
    is(scalar(grep { my $l = $_; grep { $_->[0] =~ /^proxy_(?!pass$)/ } @$l } @handover), 0, 'and sets nothing beside it');
}
is_deeply([sort keys %used], [map { s{^\Q$here\E/}{}r } sort glob "$here/rms/*"], 'every shipped include is used');

done_testing();
