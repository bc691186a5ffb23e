# D46: real clients, and how often each of them asks.  Whatever goes wrong, none
# asks for ever: the requests in the access log are counted.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::NTLM;

my $HOST = 'rmsconnector.rms.test';
my $s = sample('07');
my $body = spew(dir() . '/body', $s->{request});
my @headers = map {"$_->[0]: $_->[1]"} @{ $s->{headers} };

# Python's NTLM takes MD4 from OpenSSL, which keeps it in its legacy provider.
my $legacy = spew(dir() . '/openssl.cnf', <<'X');
openssl_conf = main
[main]
providers = providers
[providers]
default = on
legacy = on
[on]
activate = 1
X

my $python = spew(dir() . '/client.py', <<'X');
import sys, warnings
warnings.simplefilter('ignore')
import requests
kind, source, url, user, password, body, times = sys.argv[1:8]
headers = dict(h.split(': ', 1) for h in sys.argv[8:])

class From(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, source_address=(source, 0), **more)

if kind == 'ntlm':
    from requests_ntlm import HttpNtlmAuth
    auth = HttpNtlmAuth(user, password)
else:
    from requests_kerberos import HTTPKerberosAuth, REQUIRED, OPTIONAL
    auth = HTTPKerberosAuth(mutual_authentication=OPTIONAL if kind == 'optional' else REQUIRED,
        hostname_override='rmsconnector.rms.test', force_preemptive=kind == 'preemptive')
s = requests.Session()
s.trust_env = False
s.mount('http://', From())
for i in range(int(times)):
    try:
        print(s.post(url, data=open(body, 'rb').read(), headers=headers, auth=auth, timeout=20).status_code)
    except Exception as e:
        print(type(e).__name__)
X

# LWP drops a connection that answers while it sends a body: for NTLM, which
# needs the connection, it asks for a page.
my $lwp = spew(dir() . '/client.pl', <<'X');
use strict;
use warnings;
use Authen::NTLM;
use LWP::UserAgent;
use LWP::Protocol::http;
my ($kind, $source, $addr, $url, $user, $password, $body, $times, @headers) = @ARGV;
@LWP::Protocol::http::EXTRA_SOCK_OPTS = (PeerAddr => $addr, LocalAddr => $source);
open my $fh, '<:raw', $body or die;
my $content = do { local $/; <$fh> };
my $ua = LWP::UserAgent->new(keep_alive => 1, timeout => 20);
my ($netloc) = $url =~ m{^http://([^/]+)};
$ua->credentials($netloc, '', $user, $password) if length $user;
ntlmv2(1) if $kind eq 'ntlmv2';
for (1 .. $times) {
    my $r = $kind eq 'kerberos' ? $ua->post($url, (map { split /: /, $_, 2 } @headers), Content => $content) : $ua->get($url);
    print $r->code, "\n";
}
X

# asked(sub { ... }) - the statuses of the requests that were made meanwhile
my $seen = 0;
sub asked {
    my ($do) = @_;
    my $said = $do->();
    http(path => '/marker');
    my @lines = nginx()->access_log($seen + 1);
    @lines = @lines[$seen .. $#lines];
    $seen += @lines;
    return ($said, join ' ', map { $_->{status} } grep { $_->{request_uri} ne '/marker' } @lines);
}

# external(\%caller, @command) - what a program says, in one line
sub external {
    my ($caller, @command) = @_;
    my $none = kdc()->env->{KRB5CCNAME};
    my ($status, $said) = run([@command], env => { %{ kdc()->env }, OPENSSL_CONF => $legacy,
        KRB5CCNAME => $caller->{ccache} || $none, NTLM_USER_FILE => $caller->{file} || '' });
    return $said =~ s/\n/ /gr =~ s/ \z//r;
}

my $next = 0;
sub from { return '127.203.0.' . ++$next }

sub url { my ($host, $path) = @_; return "http://$host:" . nginx()->port . ($path || $s->{path}) }

my $page = '/_wmcs/certification/ServerCertification.asmx';

sub by_curl {
    my ($caller, @args) = @_;
    return external($caller, 'curl', '-q', '-s', '-m', 20, '-o', '/dev/null', '-w', '%{http_code}\n', '--noproxy', '*',
        '--interface', from(), '--resolve', "$HOST:" . nginx()->port . ':' . addr(), '-u', $caller->{user} ? "$caller->{user}:$caller->{password}" : ':',
        @args, '--data-binary', "\@$body", (map { ('-H', $_) } @headers), url($HOST));
}

sub by_python {
    my ($caller, $kind, $times) = @_;
    return external($caller, '/usr/bin/python3', '-B', $python, $kind, from(), url(addr()), $caller->{user} || '',
        $caller->{password} || '', $body, $times || 1, @headers, "Host: $HOST");
}

sub by_lwp {
    my ($caller, $kind, $times) = @_;
    return external($caller, $^X, $lwp, $kind, from(), addr() . ':' . nginx()->port, url($HOST, $kind eq 'kerberos' ? undef : $page),
        $caller->{user} || '', $caller->{password} || '', $body, $times || 1, @headers);
}

my %kerberos = (good => { ccache => kdc()->ccache('EXCH01$') }, wrong => { ccache => mkticket(wrong_key => 1) },
    rogue => { ccache => kdc()->ccache('ROGUE01$') });

sub ntlm_caller {
    my ($account, $password) = @_;
    return { user => "RMS\\$account", password => $password,
        file => spew(dir() . "/client.$account.$password", "RMS:$account:$password\n") };
}
my %ntlm = (good => ntlm_caller('EXCH01$', 'EXCH01$-pass'), wrong => ntlm_caller('EXCH01$', 'no'),
    rogue => ntlm_caller('ROGUE01$', 'ROGUE01$-pass'));

# Each line: what the client says, and what it was told, request by request.
# Two requests over one connection: the second one finds the session.
my %CLIENT = (
    'curl --negotiate' => sub { by_curl($_[0], '--negotiate') },
    'curl --anyauth' => sub { by_curl($_[0], '--anyauth') },
    'requests-kerberos' => sub { by_python($_[0], 'kerberos', 2) },
    'requests-kerberos, preemptive' => sub { by_python($_[0], 'preemptive', 2) },
    'LWP::Authen::Negotiate' => sub { by_lwp($_[0], 'kerberos', $_[1] eq 'good' ? 2 : 1) },
);
my %KERBEROS = (
    'curl --negotiate' => { good => '200 | 200', wrong => '401 | 401', rogue => '500 | 500' },
    'curl --anyauth' => { good => '200 | 401 200', wrong => '401 | 401 401', rogue => '500 | 401 500' },
    'requests-kerberos' => { good => '200 200 | 401 200 200', wrong => '401 401 | 401 401 401 401 401 401',
        rogue => '500 500 | 401 500 500' },
    'requests-kerberos, preemptive' => { good => '200 200 | 200 200', wrong => '401 401 | 401 401 401 401 401 401',
        rogue => '500 500 | 500 500' },
    # it tries as often as it would follow redirects, whatever it is told
    'LWP::Authen::Negotiate' => { good => '200 200 | 401 200 200', wrong => '401 | 401 401 401 401 401 401 401 401',
        rogue => '500 | 401 500' },
);

# NTLM of clients that are not Windows: what Debian 12 has
my %NTLM_CLIENT = (
    'curl --negotiate with gss-ntlmssp' => sub { by_curl({ %{ $_[0] }, user => undef }, '--negotiate') },
    'curl --ntlm' => sub { by_curl($_[0], '--ntlm') },
    'requests-ntlm' => sub { by_python($_[0], 'ntlm') },
    'LWP::Authen::Ntlm' => sub { by_lwp($_[0], 'ntlm', 1) },
    'LWP::Authen::Ntlm, NTLMv2' => sub { by_lwp($_[0], 'ntlmv2', 1) },
);
my $no_version = qr/NTLM NEGOTIATE_MESSAGE without the Version field/;
my %NTLM = (
    'curl --negotiate with gss-ntlmssp' => { good => '200 | 401 200', wrong => '401 | 401 401', rogue => '500 | 401 500' },
    'curl --ntlm' => { good => '401 | 401 401', why => $no_version },
    'requests-ntlm' => { good => 'StopIteration | 401 401', why => qr/NTLM client without Unicode/ },
    'LWP::Authen::Ntlm' => { good => '401 | 401 401 401 401 401 401 401', why => qr/NTLMv1, only NTLMv2 is accepted/ },
    'LWP::Authen::Ntlm, NTLMv2' => { good => '401 | 401 401 401 401', why => $no_version },
);
# since 1.2 it speaks Unicode (Debian 13)
my (undef, $requests_ntlm) = run(['/usr/bin/python3', '-c', 'from importlib.metadata import version; print(version("requests-ntlm"))']);
if ($requests_ntlm !~ /^1\.[01]\b/) {
    $NTLM{'requests-ntlm'} = { good => '200 | 401 401 200', wrong => '401 | 401 401 401', rogue => '500 | 401 401 500' };
}
my %NO_NTLM = ('curl --negotiate with gss-ntlmssp' => '403 | 403', 'curl --ntlm' => '403 | 403',
    'requests-ntlm' => 'KeyError | 401 403', 'LWP::Authen::Ntlm' => '401 | 401', 'LWP::Authen::Ntlm, NTLMv2' => '401 | 401');
my %WHO = (good => 'logs in', wrong => 'wrong key or password', rogue => 'no role');

sub counted {
    my ($name, $run, $expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(join(' | ', asked($run)), $expected, $name);
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
    nginx()->stop;
    $seen = 0;
}

my $users = 'rms_ntlm_user_file ' . ntlm_user_file(map { ['RMS', $_, "$_-pass"] } 'EXCH01$', 'ROGUE01$') . ";\n";
standin(azure => {});
nginx(auth => 'negotiate ntlm', server => "rms_session connection;\n$users", domain => 'RMS=RMS.TEST');
for my $name (sort keys %KERBEROS) {
    for my $who (sort keys %WHO) {
        counted("$name: $WHO{$who}", sub { $CLIENT{$name}->($kerberos{$who}, $who) }, $KERBEROS{$name}{$who});
    }
}
for my $name (sort keys %NTLM) {
    my $before = length nginx()->error_log;
    for my $who (grep { $NTLM{$name}{$_} } sort keys %WHO) {
        counted("$name: $WHO{$who}", sub { $NTLM_CLIENT{$name}->($ntlm{$who}) }, $NTLM{$name}{$who});
    }
    like(substr(nginx()->error_log, $before), $NTLM{$name}{why}, "$name: the log says why") if $NTLM{$name}{why};
}
finished('negotiate ntlm');

# where NTLM is not allowed
nginx(server => "rms_session connection;\n");
for my $name (sort keys %NO_NTLM) {
    counted("$name: not allowed", sub { $NTLM_CLIENT{$name}->($ntlm{good}) }, $NO_NTLM{$name});
}
finished('negotiate');

# A client that logs in with each request, over one connection: no leg of an
# earlier handshake counts.
nginx(auth => 'negotiate ntlm', server => $users, domain => 'RMS=RMS.TEST');
my $c = client(addr(), nginx()->port, from => from());
for my $n (1 .. 5) {
    is(ntlm_request($c, ntlm(), path => $page)->status, 200, "NTLM, login $n of a connection");
    is(http(client => $c, path => $page, authorization => ntlm()->header)->status, 401, 'and one that is not finished')
        if $n > 2;
    is(http(client => $c, path => $page, account => 'EXCH01$', mech => 'negoex')->status, 200, 'Kerberos of several legs');
}
finished('logins of a connection');

done_testing();
