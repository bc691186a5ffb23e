# rms_auth cert: a client certificate that the server has verified is a caller,
# any other is not; an Authorization header counts before it.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Clock;
use RMS::Rules;
use RMS::TLS;

use POSIX qw(strftime);

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $d = dir();
my $identity = 'Bearer identity-of-the-connector';
share_with_worker(spew("$d/identity", "$identity\n"));

sub openssl { my ($failed, $said) = run(['openssl', @_]); die "openssl @_: $said" if $failed; return }

# made($name, $san, %o) - a client certificate: { cert, key, sha256 }; by the CA
# of the test, or by: 'self' or the name of another; from, to: of its validity
sub made {
    my ($name, $san, %o) = @_;
    my $by = $o{by} || 'ca';
    spew("$d/$name.cnf", "[ca]\ndefault_ca = c\n[c]\nnew_certs_dir = $d\ndatabase = $d/$name.db\nserial = $d/$name.serial\n"
        . "default_md = sha256\npolicy = p\nunique_subject = no\n[p]\ncommonName = supplied\n[e]\nextendedKeyUsage = clientAuth\n"
        . ($san ? "subjectAltName = $san\n" : ''));
    spew("$d/$name.db", '');
    spew("$d/$name.serial", sprintf "%02X\n", 16 + rand 200);
    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj), "/CN=$name", '-keyout', "$d/$name.key", '-out', "$d/$name.csr");
    openssl('ca', '-batch', '-notext', '-config', "$d/$name.cnf", '-extensions', 'e', '-in', "$d/$name.csr", '-out', "$d/$name.pem",
        '-startdate', $o{from} || '20250101000000Z', '-enddate', $o{to} || '20991231000000Z',
        $by eq 'self' ? ('-selfsign', '-keyfile', "$d/$name.key") : ('-cert', "$d/$by.pem", '-keyfile', "$d/$by.key"));
    my ($failed, $said) = run([qw(openssl x509 -noout -fingerprint -sha256 -in), "$d/$name.pem"]);
    my ($print) = $said =~ /=([0-9A-F:]+)/ or die $said;
    return { cert => "$d/$name.pem", key => "$d/$name.key", print => $print, sha256 => lc $print =~ s/://gr };
}

my $ca = ca();
openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj), '/CN=Other CA', '-keyout', "$d/other.key", '-out', "$d/other.pem");
my $upn = 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:';
my %c = (
    print => made('print'),
    dns => made('dns', 'DNS:one.partner.test, DNS:FS09.partner.test'),
    upn => made('upn', "${upn}Svc-SP\@Partner.test"),
    email => made('email', 'email:svc-sp@partner.test, URI:https://fs09.partner.test'),
    user => made('user', 'DNS:user.partner.test'),
    nobody => made('nobody', 'DNS:nobody.partner.test'),
    expired => made('expired', 'DNS:fs09.partner.test', to => '20250102000000Z'),
    early => made('early', 'DNS:fs09.partner.test', from => '20980101000000Z'),
    other => made('others', 'DNS:fs09.partner.test', by => 'other'),
    self => made('self', 'DNS:fs09.partner.test', by => 'self'),
);

standin(azure => { require_authorization => $identity });
my @allow = ('exchange account=EXCH01$@RMS.TEST', "exchange cert=$c{print}{print}", 'fci cert=dns:fs09.Partner.test',
    'sharepoint cert=upn:svc-sp@partner.test', 'user cert=dns:user.partner.test');
my %conf = (ssl => 1, http2 => 1, auth => 'negotiate cert', allow => \@allow, backends => [{ name => 'azure', identity => "file=$d/identity" }],
    server => "ssl_client_certificate $ca; ssl_verify_client optional;\n",
    locations => 'location /cert/ { ' . (asks() =~ s/negotiate/cert/r) . " }\n");
my $n = nginx(%conf);

# call($name, $certificate, %o) - a sample, or page => 1, with that certificate
sub call {
    my ($name, $c, %o) = @_;
    my $m = sample($name);
    my @cert = $c ? ('--cert', $c{$c}{cert}, '--key', $c{$c}{key}) : ();
    return curl($n->url($page), args => [@cert, @{ $o{args} || [] }], %o{ grep { $_ ne 'args' } keys %o }) if $o{page};
    return curl($n->url($o{path} || $m->{path}), body => $m->{request}, headers => [(map {"$_->[0]: $_->[1]"} @{ $m->{headers} }), @{ $o{add} || [] }],
        args => [@cert, @{ $o{args} || [] }], %o{ grep { !/^(?:args|add|path)$/ } keys %o });
}

my $lines = 0;
sub line { my @l = $n->access_log($lines + 1); $lines = @l; return $l[-1] }
sub who { my $l = line(); return join ' ', map { $l->{"rms_$_"} || '-' } qw(role auth account) }

# callers
for my $case (['print', 'exchange', 'by its SHA-256'], ['dns', 'fci', 'by a dNSName'], ['upn', 'sharepoint', 'by its user principal name'], ['user', 'user', 'a user']) {
    my ($name, $role, $what) = @$case;
    standin_options(azure => { require_authorization => $role eq 'user' ? undef : $identity });
    is(call('07', $name)->status, 200, "$what: 200, " . ($role eq 'user' ? 'without' : 'with') . ' our identity');
    is(who(), "$role cert cert=$c{$name}{sha256}", "$what: role, \$rms_auth and \$rms_account");
}
standin_options(azure => { require_authorization => $identity });
is(call('08', 'dns')->status, 500, 'the role decides what it may do');
is(who(), "fci cert cert=$c{dns}{sha256}", 'as every caller');
is(call('07', 'print', args => ['--http2'])->{version}, 'HTTP/2', 'HTTP/2');
is(who(), "exchange cert cert=$c{print}{sha256}", 'the same over HTTP/2');
is(call('07', 'print', args => ['--http1.1', '--tls-max', '1.2'])->status, 200, 'and over TLS 1.2');
is(who(), "exchange cert cert=$c{print}{sha256}", 'the same');
like($n->error_log, qr/event=1002 first connection: account="cert=$c{dns}{sha256}" role=fci service="" rule=\S+nginx\.conf:\d+/, 'event 1002 names the certificate');

# no callers: nginx refuses what it cannot verify
forget_journal();
for my $case (['expired', 'an expired certificate'], ['early', 'one that is not valid yet'], ['other', 'one of another CA'], ['self', 'one by itself']) {
    my $r = call('07', $case->[0]);
    is($r->status, 400, "$case->[1]: 400");
    is(who(), '- - -', "$case->[1]: no caller");
}
is(scalar journal(), 0, 'none reached the backend');

# a verified one that no rule names: the challenges, beside Kerberos
for my $name (undef, 'nobody', 'email') {
    my $what = $name // 'no certificate';
    my $r = call('07', $name);
    is($r->status . ' ' . join(', ', $r->all('www-authenticate')), '401 Negotiate', "$what: the challenge");
    is(who(), '- - -', "$what: nobody");
    $r = call('07', $name, account => 'EXCH01$');
    is($r->status, 200, "$what: Kerberos instead");
    is(who(), 'exchange krb5 EXCH01$@RMS.TEST', "$what: as who it is");
}

# Authorization counts before the certificate
is(call('07', 'print', add => ['Authorization: ' . negotiate('ROGUE01$')])->status, 500, 'a login of a caller without a role, with a certificate that has one');
is(who(), 'none krb5 ROGUE01$@RMS.TEST', 'is that caller');
is(call('07', 'print', add => ['Authorization: Basic eDp5'])->status, 401, 'a wrong scheme');
is(who(), '- - -', 'is nobody');
is(call('07', 'print', add => ['Authorization: Negotiate YII='])->status, 401, 'a login that fails');
is(who(), '- - -', 'is nobody either');

# certificates alone
is(curl($n->url('/cert/x'), args => ['--cert', $c{dns}{cert}, '--key', $c{dns}{key}])->header('x-role'), 'fci', 'rms_auth cert without rms_pass');
is(curl($n->url('/cert/x'), args => ['--cert', $c{nobody}{cert}, '--key', $c{nobody}{key}])->status, 403, 'admits by role');
$n->stop;
for my $verify (qw(optional on)) {
    $n = nginx(%conf, port => free_port(), auth => 'cert', server => "ssl_client_certificate $ca; ssl_verify_client $verify;\n");
    $lines = 0;
    is(call('07', 'dns')->status, 200, "certificates alone, $verify: a caller");
    is(who(), "fci cert cert=$c{dns}{sha256}", "certificates alone, $verify: it is known");
    my $r = call('07', undef);
    is($r->status . ' ' . join('', $r->all('www-authenticate')), $verify eq 'on' ? '400 ' : '403 ', "certificates alone, $verify: none");
    is(who(), '- - -', "certificates alone, $verify: nobody");
    $r = call('07', 'nobody');
    is($r->status, 500, "certificates alone, $verify: without a rule a fault");
    is(who(), "none cert cert=$c{nobody}{sha256}", "certificates alone, $verify: and it is known who that was");
    $r = call('07', 'dns', add => ['Authorization: ' . negotiate('EXCH01$')]);
    is($r->status . ' ' . join('', $r->all('www-authenticate')), '403 ', "certificates alone, $verify: a login is refused, without a challenge");
    last if $verify eq 'on';
    $n->stop;
}
my ($rule) = $n->error_log =~ /event=2001 not authorised: account="cert=$c{nobody}{sha256}" reason=no_role rules=5; would be admitted by: rms_allow ROLE (cert=\S+);/;
is($rule // '', "cert=$c{nobody}{sha256}", 'event 2001 prints the rule that would admit it');
$n->stop;

# and it does; a second server of the address trusts another CA
my $port = free_port();
$n = nginx(%conf, port => $port, allow => [@allow, "fci $rule"], more_servers => <<"X");
server {
    listen ${\addr()}:$port ssl;
    server_name second.rms.test;
    ssl_certificate ${\cert('second.rms.test')->{cert}};
    ssl_certificate_key ${\cert('second.rms.test')->{key}};
    ssl_client_certificate $d/other.pem;
    ssl_verify_client optional;
    location / { ${\(asks() =~ s/negotiate/cert/r)} rms_allow admin cert=dns:fs09.partner.test; }
}
X
$lines = 0;
is(call('07', 'nobody')->status, 200, 'the rule of event 2001 admits it');
is(who(), "fci cert cert=$c{nobody}{sha256}", 'as that role');

# second($certificate, @sni) - the status of a page of the second server
sub second {
    my ($c, @sni) = @_;
    my (undef, $said) = run([qw(timeout 10 openssl s_client -quiet -connect), addr() . ":$port", '-cert', $c{$c}{cert}, '-key', $c{$c}{key}, @sni],
        in => "GET /x HTTP/1.1\r\nHost: second.rms.test\r\nConnection: close\r\n\r\n");
    my ($status) = $said =~ m{^HTTP/1\.1 (\d+)}m;
    return $status // $said;
}
is(second('other', '-servername', 'second.rms.test'), 200, 'a certificate that this server trusts');
is(second('dns', '-servername', 'second.rms.test'), 400, 'one that another server of the address trusts');
is(second('dns', '-noservername'), 403, 'nor by a handshake with that one, without SNI');
is(second('dns', '-servername', 'unknown.rms.test'), 403, 'or with a name of nobody');
is(second('dns', '-servername', 'rmsconnector.rms.test'), 421, 'or with the name of that one');
like($n->error_log, qr/\[warn\].* rms certificate not used: the TLS handshake was with another server of this address/, 'the log says why');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
$n->stop;

# a certificate that expires while its TLS session, or its connection, goes on
my @soon = qw(tickets cache);
my %at = map { $_ => free_port() } @soon;
my $reused = "add_header X-Reused \$ssl_session_reused always;\n";
my $pages = join '', map { "location /$_ { $reused" . (asks() =~ s/negotiate/$_/r) . " }\n" } 'cert', 'negotiate cert';
$pages =~ s/negotiate cert \{/both {/;
$n = nginx(%conf, port => $at{tickets}, env => clock_env(), http => "ssl_protocols TLSv1.2 TLSv1.3; ssl_session_timeout 1d;\n",
    locations => $pages, more_servers => <<"X");
server {
    listen ${\addr()}:$at{cache} ssl;
    server_name rmsconnector.rms.test;
    ssl_certificate ${\cert('rmsconnector.rms.test')->{cert}};
    ssl_certificate_key ${\cert('rmsconnector.rms.test')->{key}};
    ssl_client_certificate $ca;
    ssl_verify_client optional;
    ssl_session_tickets off;
    ssl_session_cache shared:s:1m;
    rms_keytab ${\kdc()->keytab};
    rms_allow fci cert=dns:fs09.partner.test;
    $pages
}
X
$c{soon} = made('soon', 'DNS:fs09.partner.test', to => strftime('%Y%m%d%H%M%SZ', gmtime time + 3600));

# shows($connection, $path) - who comes over it, and whether its session is an old one
sub shows {
    my ($c, $path) = @_;
    my $r = http(client => $c, path => $path) or return 'closed';
    return join ' ', $r->status, grep { defined && length } $r->header('x-reused'), $r->header('x-role'), $r->all('www-authenticate');
}

my %live;
my $over = sub {
    my ($version, $kept, %o) = @_;
    return tls($at{$kept}, name => 'rmsconnector.rms.test', session => "$d/session.$version.$kept",
        args => ["-$version", '-cert', $c{soon}{cert}, '-key', $c{soon}{key}], %o);
};
my @over = map { my $version = $_; map { [$version, $_] } @soon } qw(tls1_2 tls1_3);
for my $way (@over) {
    my $name = join ', ', @$way;
    $live{$name} = $over->(@$way);
    is(shows($live{$name}, '/cert/x'), '200 . fci', "$name: a certificate that is valid for an hour");
    seen($live{$name});
    is(shows($over->(@$way), '/cert/x'), '200 r fci', "$name: and its session, which goes on");
}
put_day_forward(7200);
for my $way (@over) {
    my $name = join ', ', @$way;
    is(shows($over->(@$way), '/cert/x'), '403 r', "$name: an hour after its end the session goes on, for nobody");
    is(shows($over->(@$way), '/both/x'), '401 r Negotiate', "$name: who may log in otherwise");
    is(shows($live{$name}, '/cert/x'), '403 .', "$name: the connection that has lived on is of nobody either");
    is(shows($over->(@$way, session => undef), '/cert/x'), '400', "$name: and nginx refuses it in a new handshake");
}
is(scalar(() = $n->error_log =~ /\[warn\].* rms certificate not used: it has expired since the TLS handshake/g), 3 * @over, 'the log says why');

unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets($identity)], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
