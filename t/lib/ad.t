# The harness itself: the Active Directory domain, its tickets, NTLM with a file
# and through winbind.  No nginx: an acceptor that only calls GSSAPI.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin";
use RMS::Test (plain => 1);

use RMS::AD;
use RMS::Acceptor;
use RMS::NTLM;
use RMS::PAC;

my $NTLM = '1.3.6.1.4.1.311.2.2.10';
my $BINDING = 'tls-server-end-point:' . 'x' x 32;

# The name that gss-ntlmssp displays has a NUL at its end, which counts.
sub name_of { my ($answer) = @_; return $answer->{name} =~ s/\0\z//r }

sub has_sids {
    my ($sids, $what, @names) = @_;
    my %there = map { $_ => 1 } @$sids;
    my @missing = grep { !$there{ ad()->sid($_) } } @names;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is("@missing", '', $what);
}

sub refused {
    my ($answer, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is($answer->{state}, 'failed', $what) || diag explain $answer;
}

sub accepted {
    my ($answer, $name, $what, $legs) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return diag(explain $answer) && fail($what) if $answer->{state} ne 'done';
    is($answer->{legs}, $legs, "$what: legs") if $legs;
    return is(name_of($answer), $name, $what);
}

# Kerberos

ad(winbind => 1);
my $trace = dir() . '/trace';
my $service = acceptor(env => { KRB5_TRACE => $trace });

my $alice = $service->accept(gss(account => 'alice'));
accepted($alice, 'alice@RMS.TEST', 'a user by keytab');
my $said = read_logon_info($alice->{pac});
is($said->{user}, ad()->sid('alice'), 'the PAC names the user');
has_sids($said->{sids}, 'groups, nested ones too', 'Finance', 'Nested Outer', 'Domain Users');

my $machine = $service->accept(gss(account => 'EXCH01$', mech => 'windows'));
accepted($machine, 'EXCH01$@RMS.TEST', 'a machine account');
has_sids(read_logon_info($machine->{pac})->{sids}, 'its groups, the domain-local one too',
    'Exchange Servers', 'Nested Outer', 'Domain Computers', 'RMS Local');

my $header = negotiate('crowd');
cmp_ok(length $header, '<', 16384, 'a user in 1,000 groups');
my $crowd = $service->accept(gss(account => 'crowd'));
cmp_ok(scalar @{ read_logon_info($crowd->{pac})->{sids} }, '>', 1000, 'all of them are there');

my ($cc) = ad()->kinit_password('bob');
accepted($service->accept(gss(ccache => $cc)), 'bob@RMS.TEST', 'a user by password');
my %words = (disabled => qr/revoked/, expired => qr/revoked/, locked => qr/revoked/,
    mustchange => qr/Password expired/, nobody => qr/not found/);
for my $account (sort keys %words) {
    my ($cache, $text) = ad()->kinit_password($account);
    ok(!$cache && $text =~ $words{$account}, "no ticket for: $account") or diag $text;
}
like((ad()->kinit_password('bob', 'wrong'))[1], qr/Password incorrect/, 'a wrong password');

my $mallory = $service->accept(gss(account => 'mallory@OTHER.TEST'));
accepted($mallory, 'mallory@OTHER.TEST', 'somebody of a trusted domain');
is(read_logon_info($mallory->{pac})->{domain}, 'OTHER', 'with the PAC of that domain');

my %made = (account => 'EVE$', domain => 'FAR', domain_sid => 'S-1-5-21-1-2-3', rid => 77,
    groups => [515, 600], extra => ['S-1-18-1', 'S-1-5-21-9-8-7-1000'], resources => [900]);
for my $bad (0, 1) {
    my $ticket = mkticket(client => 'EVE$@FAR.TEST', logon_info => logon_info(%made), bad_pac => $bad);
    my $eve = $service->accept(gss(ccache => $ticket, mech => 'krb5'));
    accepted($eve, 'EVE$@FAR.TEST', 'a made ticket');
    my $wrong = slurp($trace) =~ /PAC checksum verification failed/ ? 1 : 0;
    is($wrong, $bad, 'its PAC is signed as we said');
    next if $bad;
    is_deeply(read_logon_info($eve->{pac})->{sids}, ['S-1-5-21-1-2-3-77', 'S-1-5-21-1-2-3-515',
        'S-1-5-21-1-2-3-600', 'S-1-18-1', 'S-1-5-21-9-8-7-1000', 'S-1-5-21-1-2-3-900'],
        'what we put into a PAC is what Samba reads');
}

my $old = kdc()->kvno;
my $ticket = kdc()->kinit('SP01$');
$service->accept(gss(account => 'SP01$'));
kdc()->rotate;
cmp_ok(kdc()->kvno, '>', $old, 'a new password makes a new key version');
accepted($service->accept(gss(ccache => $ticket)), 'SP01$@RMS.TEST', 'an old ticket is still good');
kdc()->kinit('SP01$');
accepted($service->accept(gss(account => 'SP01$')), 'SP01$@RMS.TEST', 'a new one, too');

# NTLM, with a file and through winbind

# where this libkrb5 looks for the mechListMIC
my $mic_tag = $service->accept(gss(account => 'EXCH01$', mech => 'negoex'))->{state} eq 'done'
    ? "\xa3" : "\xa4";
sub second_choice { return ntlm(spnego => ['negoex', 'ntlm'], mic_tag => $mic_tag) }

my $file = acceptor(env => { LD_PRELOAD => '', SELFTEST_WINBINDD_SOCKET_DIR => '',
    NTLM_USER_FILE => ntlm_user_file(['RMS', 'EXCH01$', 'EXCH01$-pass']) });

for my $pair (['a file', $file], ['winbind', $service]) {
    my ($how, $at) = @$pair;
    my $ntlm = $at->accept(ntlm());
    accepted($ntlm, 'RMS\EXCH01$', "$how: NTLM", 2);
    is($ntlm->{mech}, $NTLM, "$how: by NTLM");
    is($ntlm->{pac}, undef, "$how: without a PAC");
    accepted($at->accept(ntlm(mic => 0)), 'RMS\EXCH01$', "$how: without MIC");
    accepted($at->accept(ntlm(spnego => ['ntlm'])), 'RMS\EXCH01$', "$how: in SPNEGO", 2);
    accepted($at->accept(ntlm(spnego => ['ntlm', 'krb5'])), 'RMS\EXCH01$', "$how: before Kerberos", 2);
    accepted($at->accept(second_choice()), 'RMS\EXCH01$', "$how: as the second choice", 3);
    refused($at->accept(ntlm(password => 'wrong')), "$how: wrong password");
    refused($at->accept(ntlm(account => 'nobody')), "$how: unknown account");
    refused($at->accept(ntlm(mic => 'wrong')), "$how: wrong MIC");
    refused($at->accept(ntlm(old => 1)), "$how: NTLMv1");
    refused($at->accept(ntlm(short => 1)), "$how: a first message that gss-ntlmssp does not take");
}

my $ntlm = $service->accept(ntlm());
has_sids($ntlm->{sids}, 'winbind: groups', 'EXCH01$', 'Exchange Servers', 'Nested Outer');
accepted($service->accept(ntlm(account => 'alice', domain => 'rms')), 'rms\alice',
    'winbind: the name is as the client wrote it');
refused($service->accept(ntlm(account => $_)), "winbind: $_")
    for qw(disabled expired locked mustchange);

ad()->change([disable => 'bob']);
refused($service->accept(ntlm(account => 'bob')), 'an account is disabled');
ad()->change([enable => 'bob'], [join => 'Finance', 'bob']);
$ntlm = $service->accept(ntlm(account => 'bob'));
accepted($ntlm, 'RMS\bob', 'and enabled');
has_sids($ntlm->{sids}, 'and joins a group', 'Finance');

for my $account ('bob', 'EXCH01$') {
    refused($service->accept(ntlm(account => $account, password => 'wrong')), "$account: wrong password")
        for 1 .. 10;
}
refused($service->accept(ntlm(account => 'bob')), 'ten wrong passwords lock a user');
accepted($service->accept(ntlm(account => 'EXCH01$')), 'RMS\EXCH01$', 'but not a machine');
ad()->change([unlock => 'bob']);
accepted($service->accept(ntlm(account => 'bob')), 'RMS\bob', 'a user is unlocked');

# channel bindings

my $bound = acceptor(binding => $BINDING);
for my $made (['Kerberos', sub { gss(@_) }], ['NTLM', sub { ntlm(@_) }],
    ['NTLM in SPNEGO', sub { ntlm(spnego => ['ntlm'], @_) }]) {
    my ($what, $client) = @$made;
    my $r = $bound->accept($client->(binding => $BINDING));
    is("$r->{state} " . ($r->{bound} ? 1 : 0), 'done 1', "$what: bound");
    refused($bound->accept($client->(binding => "$BINDING!")), "$what: wrongly bound");
    $r = $bound->accept($client->());
    is("$r->{state} " . ($r->{bound} ? 1 : 0), 'done 0', "$what: not bound");
}

my $pem = cert('rmsconnector.rms.test')->{cert};
my (undef, $sum) = run(['sh', '-c', 'openssl x509 -in "$0" -outform DER | sha256sum', $pem]);
is(unpack('H*', endpoint_binding($pem)), unpack('H*', 'tls-server-end-point:') . substr($sum, 0, 64),
    'the binding of a certificate');

# over HTTP, with a server that gives each connection to the acceptor

my $port = free_port();
my $http = spawn('http', [$^X, '-MIO::Socket::INET', '-e', <<'X', addr(), $port, $service->{port}]);
my ($addr, $port, $acceptor) = @ARGV;
my $listen = IO::Socket::INET->new(LocalAddr => $addr, LocalPort => $port, Listen => 5) or die;
while (my $client = $listen->accept) {
    my $to = IO::Socket::INET->new(PeerAddr => $addr, PeerPort => $acceptor) or die;
    my ($head, $legs) = ('', 0);
    while (defined(my $line = <$client>)) {
        $head .= $line;
        next if $line ne "\r\n";
        my ($size) = $head =~ /^Content-Length: (\d+)/m;
        read $client, my ($body), $size || 0;
        my ($scheme, $token) = $head =~ /^Authorization: (\S+) (\S+)/m;
        print {$to} "$token\n";
        my ($state, $out) = map { /"state": "(\w+)"/, /"token": "([^"]*)"/ } scalar <$to>;
        my $status = $state eq 'done' ? 200 : 401;
        my $challenge = length $out ? "WWW-Authenticate: $scheme $out\r\n" : '';
        $body = ++$legs . " $body";
        print {$client} "HTTP/1.1 $status X\r\n${challenge}Content-Length: ", length $body, "\r\n\r\n$body";
        $head = '';
    }
}
X
wait_port(addr(), $port, $http)->close;
for my $scheme ('NTLM', 'Negotiate') {
    my $r = ntlm_request(client(addr(), $port), ntlm(scheme => $scheme), method => 'POST',
        body => 'all of it', first => { body => '' });
    is($r->status . " $r->{legs} " . $r->body, '200 2 2 all of it', "$scheme: the body goes with the second");
}
my $n = second_choice();
my $r = ntlm_request(client(addr(), $port), $n, path => '/');
is($r->status . " $r->{legs}", '200 3', 'in SPNEGO');
ok($n->mutual($r), 'the acceptor proves that it has the key');
$n->{key} = 'x' x 16;
ok(!$n->mutual($r), 'and that is looked at');
$r = ntlm_request(client(addr(), $port), ntlm(password => 'wrong'), path => '/');
is($r->status . " $r->{legs}", '401 2', 'a wrong password ends it');

# a domain that stands still, or is gone

ad()->freeze('winbindd');
$service->begin;
my $client = ntlm();
$service->give($client->token);
ok(!$service->answered(0.3), 'winbindd stands still, and so does the acceptor');
accepted(acceptor()->accept(gss(account => 'EXCH01$')), 'EXCH01$@RMS.TEST', 'Kerberos goes on');
ad()->thaw('winbindd');
is($service->take->{state}, 'continue', 'winbindd goes on, and so does the acceptor');

my @pids = ad()->group('winbindd');
cmp_ok(scalar @pids, '>', 1, 'winbindd has children');
ad()->freeze('winbindd');
ad()->stop_winbind;
is(scalar(RMS::AD::running(@pids)), 0, 'none is left, though they stood still');
refused($service->accept(ntlm()), 'without winbindd, nobody comes in with NTLM');
ad()->start_winbind;
accepted($service->accept(ntlm()), 'RMS\EXCH01$', 'winbindd is back');

ad()->stop;
ok(!(ad()->kinit_password('alice'))[0], 'without a domain controller, no ticket');
ad()->serve;
ok((ad()->kinit_password('alice'))[0], 'it is back');

# what a test that dies leaves behind
my $orphans = dir() . '/orphans';
run([$^X, '-I', $FindBin::Bin, '-MRMS::AD', '-MRMS::Env', '-e', <<'X', $orphans]);
ad(winbind => 1);
spew($ARGV[0], join ' ', dir(), ad()->group('samba'), ad()->group('winbindd'));
ad()->freeze('winbindd');
die;
X
my ($folder, @left) = split ' ', slurp($orphans);
cmp_ok(scalar @left, '>=', 2, 'a test that dies');
is(scalar(RMS::AD::running(@left)), 0, 'leaves no process');
ok(!-e $folder, 'and no folder');

done_testing();
