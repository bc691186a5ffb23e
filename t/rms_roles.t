# What each role may do, end to end: the table of the design with a real message
# for every cell, the line that event 2001 prints for each denial, and where
# rules and grants come from.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

# cells of the table: name => [sample, path]; what a message's own path says
# when there is none
my $W = '/_wmcs';
my %call = (
    'ServerCertify' => ['03'],
    'Certify' => ['02'],
    'MobileCertify' => ['02', "$W/certification/MobileCertification.asmx"],
    'MobileDeviceCertify' => ['02', "$W/certification/MobileDeviceCertification.asmx"],
    'MacCertify' => ['02', "$W/certification/MacCertification.asmx"],
    'ext Certify' => ['02', "$W/certificationexternal/certification.asmx"],
    'ext AcquireLicense' => ['07', "$W/licensingexternal/license.asmx"],
    'ext AcquireIssuanceLicense' => ['06', "$W/licensingexternal/publish.asmx"],
    'ext GetClientLicensorCert' => ['05', "$W/licensingexternal/publish.asmx"],
    'ext FindServiceLocationsForUser' => ['01', "$W/licensingexternal/ServiceLocator.asmx"],
    'ext GetLicensorCertificate' => ['04', "$W/licensingexternal/server.asmx"],
    'Precertify' => ['13'],
    'AcquireLicense' => ['07'],
    'AcquirePreLicense' => ['08'],
    'GetClientLicensorCert' => ['05'],
    'AcquireIssuanceLicense' => ['06'],
    'EditIssuanceLicense' => ['11'],
    'AcquireTemplateInformation' => ['09'],
    'AcquireTemplates' => ['10'],
    'FindServiceLocationsForUser' => ['01'],
    'FindServiceLocations' => ['14'],
    'IsPrincipalMemberOf' => ['15'],
    'GetLicensorCertificate' => ['04'],
    'GetServerInfo' => ['12'],
);
my %never = (AcquireContentKey => ['16'], SubEnroll => ['17'], Activate => ['18']);

my @servers = qw(ServerCertify AcquireLicense GetClientLicensorCert AcquireIssuanceLicense
    EditIssuanceLicense AcquireTemplateInformation AcquireTemplates FindServiceLocationsForUser
    GetLicensorCertificate GetServerInfo);
my %may = (
    exchange => [@servers, qw(Precertify AcquirePreLicense)],
    sharepoint => [@servers],
    fci => [@servers],
    rms_server => [qw(Precertify FindServiceLocations IsPrincipalMemberOf GetLicensorCertificate GetServerInfo)],
    user => [qw(Certify AcquireLicense GetClientLicensorCert AcquireIssuanceLicense AcquireTemplateInformation
        AcquireTemplates FindServiceLocationsForUser GetLicensorCertificate GetServerInfo)],
    partner => [qw(AcquireLicense GetLicensorCertificate)],
    admin => [],
);
my %account = (exchange => 'EXCH01$', sharepoint => 'SP01$', fci => 'FS01$', rms_server => 'EXCH02$',
    user => 'alice', partner => 'bob', admin => 'ROGUE01$');
my $rules = [map {"$_ account=$account{$_}\@RMS.TEST"} sort keys %account];

# ask($cell, $account, %o) - status, and "fault" when it is the one of a denial
sub ask {
    my ($cell, $account, %o) = @_;
    my ($name, $path) = @{ $call{$cell} || $never{$cell} };
    my $r = post_sample($name, account => $account, ($path ? (path => $path) : ()), %o);
    return $r->status . ($r->body =~ /UnauthorizedAccessException/ ? ' fault' : '');
}

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub role_of {
    my ($account, %o) = @_;
    my $said = ask('GetServerInfo', $account, %o);
    return last_line()->{rms_role} . " $said";
}

# lines of the journal
sub calls { return slurp(standin()->{journal}) =~ tr/\n// }

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
    forget_journal();
}

standin(azure => {});

# the table
nginx(allow => $rules);
my (@grants, %wanted);
for my $role (sort keys %may) {
    my %allowed = map { $_ => 1 } @{ $may{$role} };
    for my $cell (sort keys %call) {
        my $at = length nginx()->error_log;
        my $before = calls();
        my $said = ask($cell, $account{$role});
        my $reached = calls() - $before;
        if ($allowed{$cell}) {
            is("$said $reached", '200 1', "$role may $cell");
            next;
        }
        is("$said $reached", '500 fault 0', "$role may not $cell");
        my ($line) = substr(nginx()->error_log, $at) =~ /event=2001 not authorised: (.*)/;
        like($line, qr/account="\Q$account{$role}\E\@RMS\.TEST" role=$role reason=operation .*rule=\S+nginx\.conf:\d+/,
            "$role, $cell: event 2001 names account, role and rule");
        my ($grant) = $line =~ /would be admitted by: (rms_grant $role [\w ]+;)/;
        push @grants, [$role, $cell, $grant] if ok($grant, "$role, $cell: and what would admit it")
            && $role ne 'admin';
    }
    for my $cell (sort keys %never) {
        is(ask($cell, $account{$role}), '500 fault', "$role may not $cell");
    }
    like(nginx()->error_log, qr/role=$role reason=never operation=SubEnroll; nobody may use it/,
        "$role: event 2001 says that nobody may");
}
is(scalar(() = journal()), scalar(map {@$_} values %may), 'the backend got what the table admits, once each');
is_deeply([no_secrets()], [], 'table: no secrets');
finished('table');

# Each line that event 2001 printed admits its call: one server a line.
my $port = free_port();
my $proxy = RMS::Nginx::backend_block(RMS::Nginx::backend('azure'));
my $handover = RMS::Nginx::proxy_lines(RMS::Nginx::backend('azure'));
my $n = 0;
my $listen = addr() . ":$port";
my $text = join '', map { $n++; <<"X" } @grants;
server {
listen $listen;
server_name g$n.rms.test;
rms_keytab @{[kdc()->keytab]};
@{[map {"rms_allow $_;\n"} @$rules]}
$_->[2]
location / { rms_auth negotiate; rms_pass azure; }
location \@azure { $handover }
}
X
nginx(port => $port, allow => $rules, more_servers => $text, log => 'warn', main => "worker_rlimit_nofile 4096;\n");
my %others = map { $_->[1] => 1 } @grants;
$n = 0;
for my $g (@grants) {
    my ($role, $cell, $line) = @$g;
    $n++;
    is(ask($cell, $account{$role}, host => "g$n.rms.test"), '200', "$role, $cell: \"$line\" admits it");
}
$n = 0;
my $more = 0;
for my $g (@grants) {
    my ($role, $cell, $line) = @$g;
    $n++;
    my @denied = grep { $_->[0] eq $role && $_->[2] ne $line } @grants;
    my $other = $denied[ $n % @denied ];
    $other = $denied[ ($n + 1) % @denied ] if "$line " =~ / \Q@{[ $other->[2] =~ m{(\w+);} ]}\E[ ;]/;
    my $said = ask($other->[1], $account{$role}, host => "g$n.rms.test");
    $more++ if $said ne '500 fault' && $line !~ /External/;
    diag "$role: \"$line\" admits $other->[1] too" if $said ne '500 fault' && $line !~ /External/;
}
is($more, 0, 'and none of them another one');
is_deeply([violations()], [], 'grants: the backend saw nothing odd');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'grants: nothing alarming in the log');
forget_journal();

# revoked, and granted again: the last line counts
nginx(allow => $rules, server => "rms_revoke exchange AcquireLicense ServerCertify;\n"
    . "rms_grant user Precertify;\nrms_revoke user Precertify;\nrms_revoke fci GetServerInfo;\nrms_grant fci GetServerInfo;\n");
is(ask('AcquireLicense', 'EXCH01$'), '500 fault', 'revoked');
is(ask('ServerCertify', 'EXCH01$'), '500 fault', 'both of a line');
is(ask('AcquirePreLicense', 'EXCH01$'), '200', 'and nothing else');
is(ask('AcquireLicense', 'SP01$'), '200', 'of no other role');
is(ask('Precertify', 'alice'), '500 fault', 'granted and revoked');
is(ask('GetServerInfo', 'FS01$'), '200', 'revoked and granted');
like(nginx()->error_log, qr/event=2001 .*role=exchange reason=operation.*operation=AcquireLicense.*rms_grant exchange AcquireLicense;/,
    'event 2001 says what would bring it back');
like(nginx()->{said} . nginx()->error_log, qr/rms_revoke exchange AcquireLicense/, 'adjustments are logged at start');
finished('revoke');

# what a denied caller gets
my %deny = (
    fault => [500, qr/^text\/xml/, qr/System\.UnauthorizedAccessException/],
    401 => [401, qr/^text\/plain/, qr/^401 (?:operation|no_role), request/],
    403 => [403, qr/^text\/plain/, qr/^403 (?:operation|no_role), request/],
);
for my $how (sort keys %deny) {
    my ($status, $type, $body) = @{ $deny{$how} };
    nginx(allow => $rules, server => "rms_deny $how;\n");
    my $c = client(addr(), nginx()->port);
    for my $who (['SP01$', '08', 'an operation'], ['EXCH02$', '05', 'a publication']) {
        my $r = post_sample($who->[1], account => $who->[0], client => $c);
        is($r->status, $status, "rms_deny $how, $who->[2]: $status");
        like($r->header('content-type'), $type, "rms_deny $how, $who->[2]: its type");
        like($r->body, $body, "rms_deny $how, $who->[2]: its text");
        is($r->header('content-length'), length $r->body, "rms_deny $how, $who->[2]: exact length");
    }
    is(http(path => "$W/licensing/license.asmx", account => 'SP01$', client => $c)->status, 200,
        "rms_deny $how: the connection is kept");
    nginx(allow => ['exchange account=EXCH01$@RMS.TEST'], server => "rms_deny $how;\n");
    my $r = post_sample('07', account => 'ROGUE01$');
    is($r->status, $status, "rms_deny $how, nobody's account: $status");
    like($r->body, $body, "rms_deny $how, nobody's account: its text");
    finished("rms_deny $how");
}
nginx(allow => $rules);
my $r = post_sample('05b', account => 'EXCH02$');
is($r->status, 500, 'SOAP 1.2: a fault');
like($r->header('content-type'), qr/^application\/soap\+xml/, 'in its own type');
like($r->body, qr{http://www\.w3\.org/2003/05/soap-envelope.*UnauthorizedAccessException}s, 'and version');

# which rule counts: of accounts and patterns the first line, then any
nginx(allow => ['user any', 'exchange account=EXCH01$@RMS.TEST', 'fci account=~EXCH.*', 'sharepoint account=~EXCH0[12].*',
    'sharepoint account=~FS01\$@RMS\.TEST']);
is(role_of('EXCH01$'), 'exchange 200', 'an account before the patterns below it');
is(role_of('EXCH02$'), 'fci 200', 'the first pattern of two');
is(role_of('FS01$'), 'sharepoint 200', 'a pattern before any');
is(role_of('bob'), 'user 200', 'any for the rest');
finished('precedence');

# where rules come from: the nearest level that has any
nginx(allow => [], http => "rms_allow user any;\nrms_grant user Precertify;\nrms_deny 403;\n");
is(role_of('EXCH01$'), 'user 200', 'from http');
is(ask('Precertify', 'EXCH01$'), '200', 'grants too');
is(ask('AcquirePreLicense', 'EXCH01$'), '403', 'and rms_deny');
nginx(allow => ['fci account=EXCH01$@RMS.TEST'], http => "rms_allow user any;\nrms_grant fci Precertify;\nrms_deny 403;\n",
    server => "rms_deny 401;\n");
is(role_of('EXCH01$'), 'fci 200', 'from the server');
is(role_of('bob'), 'none 401', 'and from nowhere else');
is(ask('Precertify', 'EXCH01$'), '200', 'grants of http go on where the server has none');
nginx(allow => ['fci account=EXCH01$@RMS.TEST'], server => "rms_grant fci Precertify;\n",
    location => "rms_allow sharepoint account=EXCH01\$\@RMS.TEST;\nrms_grant sharepoint FindServiceLocations;\nrms_deny 403;\n");
is(role_of('EXCH01$'), 'sharepoint 200', 'from the location');
is(ask('FindServiceLocations', 'EXCH01$'), '200', 'with its grants');
is(ask('Precertify', 'EXCH01$'), '403', 'and its rms_deny');
is(role_of('bob'), 'none 403', 'and nobody of the server');
finished('levels');

# a list without a single rule admits nobody, and says so at the start
nginx(allow => []);
like(nginx()->{said} . nginx()->error_log, qr/event=2003 list empty/, 'event 2003: an empty list');
is(ask('AcquireLicense', 'EXCH01$'), '500 fault', 'admits nobody');
finished('empty');

done_testing();
