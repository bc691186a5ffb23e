# Every login that fails: its status, its reason in the access log, one line in
# the error log that a tired operator can act on, and an end to the handshake
# (no client is asked again and again).

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64 decode_base64);
use RMS::Test;

my $HTTP = 'rmsconnector.rms.test';
my $page = '/_wmcs/certification/ServerCertification.asmx';

# elsewhere() - another address each time: what fails often at one waits
my $others = 0;
sub elsewhere { return sprintf '127.200.%d.%d', ++$others >> 8, $others & 255 }

sub negotiate_header { return 'Negotiate ' . encode_base64($_[0], '') }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

# fails($name, [headers], status, reason, $log) - one request that is refused;
# $log is what the error log says from now on.
sub fails {
    my ($name, $headers, $status, $reason, $log) = @_;
    my $at = length nginx()->error_log;
    my $r = http(path => $page, from => elsewhere(), headers => [map { ['Authorization', $_] } @$headers]);
    is($r->status, $status, "$name: $status");
    is(join(' | ', $r->all('www-authenticate')), $status == 401 ? 'Negotiate' : '',
        "$name: " . ($status == 401 ? 'one challenge' : 'no challenge'));
    unlike($r->body, qr/</, "$name: no page");
    is($r->body, '' . $r->body, "$name: whole") && is($r->header('content-length'), length $r->body,
        "$name: exact length");
    my $line = last_line();
    is("$line->{rms_verdict} $line->{rms_reason} " . ($line->{rms_account} || ''), "deny $reason ",
        "$name: $reason in the access log");
    my $said = substr nginx()->error_log, $at;
    like($said, $log, "$name: and in the error log");
    return $r;
}

standin(azure => {});
nginx(http => "large_client_header_buffers 4 128k;\n");
my ($worker) = wait_for(sub { (nginx()->workers)[0] }, 'worker');

my $refused = qr/\[info\].*rms refused: reason=/;
my $warned = qr/\[warn\].*rms refused: reason=/;

# headers that are no login
fails('no credentials', [], 401, 'no_credentials', qr/${refused}no_credentials status=401/);
fails('Basic', ['Basic ' . encode_base64('EXCH01$@RMS.TEST:pass', '')], 401, 'auth_scheme',
    qr/${warned}auth_scheme/);
fails('Bearer', ['Bearer eyJhbGciOiJub25lIn0.e30.'], 401, 'auth_scheme', qr/${warned}auth_scheme/);
fails('Digest', ['Digest username="EXCH01$", realm="RMS.TEST", nonce="x", uri="/", response="x"'],
    401, 'auth_scheme', qr/${warned}auth_scheme/);
fails('an unknown scheme', ["\x01\x02 x"], 401, 'auth_scheme', qr/${warned}auth_scheme/);
fails('an empty value', [''], 401, 'no_credentials', qr/${refused}no_credentials/);
fails('Negotiate alone', ['Negotiate'], 400, 'auth_malformed', qr/${warned}auth_malformed/);
# NTLM: 403, and no new challenge, which would only bring the same again
my $ntlm = "NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" . "\0" x 24;
for my $case (['NTLM', 'NTLM ' . encode_base64($ntlm, '')], ['raw under Negotiate', negotiate_header($ntlm)],
    ['inside SPNEGO', gss(mech => 'ntlm')->header],
    ['a type 3', 'NTLM ' . encode_base64("NTLMSSP\0\3\0\0\0" . "\0" x 80, '')])
{
    fails("NTLM, $case->[0]", [$case->[1]], 403, 'ntlm_not_allowed', qr/${warned}ntlm_not_allowed/);
}

# base64
my $good = negotiate('EXCH01$');
my ($text) = $good =~ /(\S+)$/;
for my $case (
    ['a character that is none', substr($text, 0, 40) . '*' . substr($text, 41)],
    ['white space inside', substr($text, 0, 40) . ' ' . substr($text, 40)],
    ['no padding', 'YII'], ['padding in the middle', "YII=$text"], ['URL alphabet', 'YII-YII_'],
    ['bits left over', 'YIJ='], ['only padding', '===='])
{
    fails("base64 with $case->[0]", ["Negotiate $case->[1]"], 400, 'auth_malformed',
        qr/${warned}auth_malformed/);
}
is(http(path => $page, authorization => $good)->status, 200, 'the token itself is good');

# tokens that are none
srand 1;
my $noise = join '', map { chr int rand 256 } 1 .. 600;
for my $case (['noise', $noise], ['one byte', "\x60"], ['zeros', "\0" x 100], ['text', 'GET / HTTP/1.1'],
    ['40 kB of noise', $noise x 68], ['an endless length', "\x60\x84\xff\xff\xff\xff" . $noise],
    ['an indefinite length', "\x60\x80" . $noise], ['nesting', join '', map { tlv("\xa0", "\xa0\x7f") } 1 .. 40])
{
    fails("a token of $case->[0]", [negotiate_header($case->[1])], 401, 'auth_malformed',
        qr/${warned}auth_malformed/);
}
fails('a token over 64 kB', [negotiate_header($noise x 120)], 400, 'auth_malformed',
    qr/${warned}auth_malformed/);
my $r = http(path => $page, authorization => negotiate_header($noise x 400));
is($r->status, 400, 'a header over the buffers is nginx\'s to refuse');

# every way to cut a token, and broken bits: never in, never an error of ours
for my $mech (qw(spnego krb5 windows)) {
    my $token = decode_base64((negotiate('EXCH01$', mech => $mech) =~ /(\S+)$/)[0]);
    my ($c, $asked, %seen) = (undef, 0);

    # 15 on a connection
    my $ask = sub {
        $c = client(addr(), nginx()->port, from => elsewhere()) if $asked++ % 15 == 0;
        return http(client => $c, path => $page, authorization => negotiate_header($_[0]))->status;
    };
    for my $n (1 .. 90, map { $_ * 17 } 6 .. (length($token) - 1) / 17) {
        $seen{ $ask->(substr $token, 0, $n) }++;
    }
    is(join(' ', sort keys %seen), '401', "D16: $mech: a token cut anywhere is refused");
    %seen = ();
    for my $at (map { $_ * 7 } 0 .. 40) {
        my $broken = $token;
        vec($broken, $at * 8 + $at % 8, 1) ^= 1;
        my $status = $ask->($broken);
        $seen{ $status =~ /^5/ ? $status : 'fine' }++;
    }
    is(join(' ', sort keys %seen), 'fine', "$mech: a bit flipped anywhere");
    %seen = ();
    for my $at (1 .. 60) {
        my $broken = $token;
        vec($broken, (length($token) - $at * 2) * 8, 1) ^= 1;
        $seen{ $ask->($broken) }++;
    }
    is(join(' ', sort keys %seen), '401', "$mech: a bit flipped in what is encrypted");
}
fails('a token with a tail', [negotiate_header(decode_base64($text) . "\0")], 401, 'auth_malformed',
    qr/${warned}auth_malformed/);

# tickets: the line names what the operator needs
my $kvno = kdc()->kvno;
my $ticket = qr/ticket for "HTTP\/$HTTP" realm "RMS\.TEST" etype=aes256-cts-hmac-sha1-96 kvno=/;
my $bad = qr/\[warn\].*event=2000 no usable principal: /;

sub made {
    my (%o) = @_;
    my ($host) = ($o{service} || '') =~ /^(host)/;
    return gss(ccache => mkticket(@_), mech => 'krb5', service => ($host || 'HTTP') . "\@$HTTP")->header;
}

is(http(path => $page, authorization => made())->status, 200, 'a made ticket is as good as any');
for my $case (
    ['an expired ticket', made(begin => -7200, life => 3600),
        qr/${bad}ticket expired: it ended .*$ticket$kvno\b/],
    ['a ticket not yet valid', made(begin => 7200),
        qr/${bad}ticket not yet valid: it starts .*$ticket$kvno\b/],
    ['a wrong key', made(wrong_key => 1),
        qr/${bad}integrity check failed: the KDC used another key than the keytab's.*kvno $kvno there.*$ticket$kvno\b/],
    ['a kvno the keytab has not', made(wrong_key => 1, kvno => 77),
        qr/${bad}kvno 77 is not in the keytab, which has $kvno\b.*${ticket}77\b/],
    ['a ticket of a realm that nobody trusts',
        gss(ccache => mkticket(client => 'EXCH01$@EVIL.TEST', service => 'HTTP/rmsconnector.evil.test@EVIL.TEST', wrong_key => 1),
            mech => 'krb5', service => 'HTTP@rmsconnector.evil.test')->header,
        qr/${bad}wrong service: no key for it in the keytab.*ticket for "HTTP\/rmsconnector\.evil\.test" realm "EVIL\.TEST"/],
    ['an account without a name', made(client => 'WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS'),
        qr/${bad}an anonymous ticket/],
    ['another service of the keytab', made(service => "host/$HTTP\@RMS.TEST"),
        qr/${bad}wrong service, not HTTP\/: account=".*" service="host\/$HTTP\@RMS\.TEST"/])
{
    fails($case->[0], [$case->[1]], 401, 'auth_failed', $case->[2]);
}

# a client whose clock is wrong: an hour, by the offset its cache keeps
for my $offset (-3600, 3600) {
    my $cache = mkticket(begin => -7200, life => 36000);
    (my $file = $cache) =~ s/^FILE://;
    my $bytes = slurp($file);
    my ($version, $length) = unpack 'n n', $bytes;
    is($version, 0x504, 'a cache of version 4');
    spew($file, pack('n n n n N N', 0x504, 12, 1, 8, $offset & 0xffffffff, 0) . substr $bytes, 4 + $length);
    my $value = gss(ccache => $cache, mech => 'krb5')->header;
    my $how = $offset < 0 ? 'behind' : 'ahead';
    fails("a clock an hour $how", [$value], 401, 'auth_failed',
        qr/${bad}clock skew: the client's clock is 3(?:59|60)\d s $how.*EXCH01\$/);
}

# accounts nobody listed are known, and not let in
$r = post_sample('07', account => 'ROGUE01$');
is($r->status, 500, 'an account without a rule');
is(last_line()->{rms_reason}, 'no_role', 'for its reason');
like(nginx()->error_log, qr/event=2001 not authorised: account="ROGUE01\$\@RMS\.TEST" reason=no_role.*rms_allow ROLE account=ROGUE01\$\@RMS\.TEST;/,
    'event 2001 says what would admit it');

# clients give up
sub trips {
    my ($code) = @_;

    # a marker's own line may be written after its answer has come
    my $asked = sub { last_line(); scalar grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log') };
    my $before = $asked->();
    $code->();
    return $asked->() - $before;
}

my $wrong = mkticket(wrong_key => 1);
my $url = nginx()->url($page);
my $curl = '';
is(trips(sub { $curl = curl($url, ccache => kdc()->env->{KRB5CCNAME})->status }), 1, 'curl without a ticket: one trip');
is($curl, 401, 'and 401');
cmp_ok(trips(sub { $curl = curl($url, ccache => $wrong)->status }), '<=', 2, 'curl with a bad ticket: at most two');
is($curl, 401, 'and 401');
cmp_ok(trips(sub { $curl = curl($url, ccache => $wrong, args => ['--anyauth'])->status }), '<=', 3,
    'curl --anyauth: at most three');
cmp_ok(trips(sub { $curl = curl($url, args => ['--ntlm', '-u', 'x:y'])->status }), '<=', 2, 'curl --ntlm: at most two');
is($curl, 403, 'and 403');

my $py = spew(dir() . '/ask.py', <<'X');
import sys, requests
from requests_kerberos import HTTPKerberosAuth, REQUIRED
s = requests.Session()
s.trust_env = False
auth = HTTPKerberosAuth(mutual_authentication=REQUIRED, hostname_override="rmsconnector.rms.test")
print(s.get(sys.argv[1], auth=auth, timeout=15).status_code)
X
my $at = 'http://' . addr() . ':' . nginx()->port . $page;
for my $case (['no ticket', kdc()->env->{KRB5CCNAME}], ['a bad ticket', $wrong]) {
    my ($status, $said);
    cmp_ok(trips(sub {
        ($status, $said) = run(['/usr/bin/python3', '-B', $py, $at],
            env => { %{ kdc()->env }, KRB5CCNAME => $case->[1] });
    }), '<=', 3, "requests-kerberos with $case->[0]: at most three trips");
    like($said, qr/^401$/m, 'and 401');
}

is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
unlike(nginx()->error_log, qr/[^\x09\x0a\x20-\x7e]/, 'nothing but text in the log');
is_deeply([no_secrets(encode_base64('EXCH01$@RMS.TEST:pass', ''))], [], 'no secrets');
is_deeply([journal()], [], 'the backend was never asked');

# Two headers are refused by nginx itself, which prints both at level info.
nginx(log => 'notice');
for my $second (negotiate('SP01$'), 'Basic eDp5') {
    my $r = http(path => $page, headers => [['Authorization', negotiate('EXCH01$')], ['Authorization', $second]]);
    is($r->status, 400, 'two headers: 400');
}
is((grep { defined $_->{rms_account} && length $_->{rms_account} } nginx()->access_log(2)), 0,
    'two headers: nobody is logged in');
is_deeply([no_secrets()], [], 'two headers: no secrets at level notice');

done_testing();
