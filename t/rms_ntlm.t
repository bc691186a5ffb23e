# NTLM: who comes in, by which framing and under which scheme, and who does not;
# what is offered where, and what the log says of each refusal.

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use RMS::Test;
use RMS::NTLM;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');
my %post = (method => 'POST', path => $s->{path}, headers => $s->{headers}, body => $s->{request});
my $bad = qr/\[warn\].*event=2000 no usable principal: /;
my $both = 'Negotiate | NTLM';
my $next = 0;

# each from an address of its own: failures of one would make its answers wait
sub fresh { return client(addr(), nginx()->port, from => '127.200.' . int(++$next / 250) . '.' . (1 + $next % 250)) }

sub challenges { return join ' | ', $_[0]->all('www-authenticate') }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub ask { my ($ntlm, %o) = @_; return ntlm_request(fresh(), $ntlm, path => $page, %o) }

sub header_of { return join ' ', $_[1] || 'NTLM', encode_base64($_[0], '') }

sub send_token {
    my ($c, $value, %o) = @_;
    return http(client => $c, path => $page, authorization => $value, %o);
}

# admitted($name, $account, $legs, %ntlm)
sub admitted {
    my ($name, $account, $legs, %o) = @_;
    my $ntlm = ntlm(%o);
    my $r = ntlm_request(fresh(), $ntlm, %post);
    is($r->status . " $r->{legs}", "200 $legs", "$name: $legs legs") || diag nginx()->error_log;
    ok($r->body eq $s->{relayed}, "$name: the licence comes back");
    my $line = last_line();
    is("$line->{rms_account} $line->{rms_auth} $line->{rms_role}", $account, "$name: $account");
    return ($r, $ntlm);
}

# refused($name, $log, $r)
sub refused {
    my ($name, $log, $r, $status, $reason) = @_;
    $status ||= 401;
    $reason ||= 'auth_failed';
    is($r->status . ' ' . challenges($r), "$status " . ($status == 401 ? $both : ''), "$name: $status");
    my $line = last_line();
    is(join(' ', map { defined $_ ? $_ : '' } @$line{qw(rms_reason rms_account rms_role)}), "$reason  ",
        "$name: $reason, and nobody");
    my ($said) = grep { /\[warn\]/ && !/\/marker/ } reverse split /\n/, nginx()->error_log;
    like($said, $log, "$name: the line says why");
    return;
}

standin(azure => {});
my @users = (['RMS', 'EXCH01$', 'EXCH01$-pass'], ['RMS', 'alice', 'alice-pass'], ['FAR', 'eve', 'eve-pass'],
    ['OTHER', 'EXCH01$', 'EXCH01$-pass'], ['RMS', 'ROGUE01$', 'ROGUE01$-pass'], ['RMS', "J\xc3\xb6rg", 'umlaut']);
my $file = ntlm_user_file(@users);
my %conf = (auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST OTHER=OTHER.TEST', server => "rms_ntlm_user_file $file;\n",
    allow => ['exchange account=EXCH01$@RMS.TEST', 'user account=alice@RMS.TEST', 'user "account=Jörg@RMS.TEST"',
        'sharepoint account=EXCH01$@OTHER.TEST'],
    locations => "location /kerberos/ { rms_auth negotiate; empty_gif; }\n");
nginx(%conf, log => 'debug');
my ($worker) = nginx()->workers;
like(nginx()->{said} || '', qr/^(?!.*\[emerg\])/s, 'nginx -t');

# what is offered
my $r = http(path => $page);
is($r->status . ' ' . challenges($r), "401 $both", 'Negotiate and NTLM, in this order');
$r = http(path => '/kerberos/');
is($r->status . ' ' . challenges($r), '401 Negotiate', 'where there is no NTLM, none is offered');
$r = http(path => $page, version => 'HTTP/1.0');
is($r->status . ' ' . challenges($r), '401 Negotiate', 'D45: nor to HTTP/1.0');

# every framing
my $known = 'EXCH01$@RMS.TEST ntlm exchange';
admitted('NTLM', $known, 2);
admitted('NTLM under Negotiate', $known, 2, scheme => 'Negotiate');
admitted('NTLM without a MIC', $known, 2, mic => 0);
admitted('NTLM alone in SPNEGO', $known, 2, spnego => ['ntlm']);
my ($done, $proof) = admitted('NTLM in SPNEGO, the second choice', $known, 3, spnego => ['negoex', 'ntlm']);
ok($proof->mutual($done), 'and the answer signs the list of mechanisms');
admitted('NTLM in SPNEGO under NTLM', $known, 2, spnego => ['ntlm'], scheme => 'NTLM');
admitted('a user', 'alice@RMS.TEST ntlm user', 2, account => 'alice');
admitted('another domain of the table', 'EXCH01$@OTHER.TEST ntlm sharepoint', 2, domain => 'OTHER');
admitted('a client that says "no channel binding", as on plain HTTP', $known, 2, binding => '');

# the answer to each leg is under the scheme that was used, alone
for my $scheme ('NTLM', 'Negotiate', 'nTlM') {
    my $c = fresh();
    my $n = ntlm(scheme => $scheme);
    $r = send_token($c, $n->header);
    my $said = $scheme eq 'Negotiate' ? $scheme : 'NTLM';
    like(challenges($r), qr/^$said TlRMTVNTUAAC\S+$/, "$scheme: one challenge, under $said");
    is(last_line()->{rms_reason}, 'auth_continue', "$scheme: the log says so");
    $r = send_token($c, $n->header($n->challenge_in($r)));
    is($r->status . ' ' . challenges($r), '200 ', "$scheme: no token with the last answer");
}

# the same account by Kerberos is the same account
is(http(path => $page, account => 'EXCH01$')->status, 200, 'Kerberos beside it');
is(last_line()->{rms_account} . ' ' . last_line()->{rms_auth}, 'EXCH01$@RMS.TEST krb5', 'as the same account');
$r = ntlm_request(fresh(), ntlm(account => 'ROGUE01$'), %post);
is($r->status . ' ' . last_line()->{rms_reason}, '500 no_role', 'who has no role is known, and not let in');
is(challenges($r), '', 'D46: and not asked for another login');

# who does not come in
refused('a wrong password', qr/${bad}wrong password, or an unknown account; .*domain="RMS" user="EXCH01\$"/,
    ask(ntlm(password => 'wrong')));
refused('an unknown account', qr/${bad}wrong password, or an unknown account; .*user="nobody"/, ask(ntlm(account => 'nobody')));
refused('a wrong MIC', qr/${bad}.*user="EXCH01\$"/, ask(ntlm(mic => 'wrong')));
refused('NTLMv1', qr/${bad}.*NTLMv1/, ask(ntlm(old => 1)));
refused('a domain that is not in the table', qr/${bad}an unknown domain; if it is one of yours, write "rms_domain FAR=its\.realm;" domain="FAR" user="eve"/,
    ask(ntlm(account => 'eve', domain => 'FAR')));
refused('a domain that cannot be written', qr/${bad}an unknown domain domain=/, ask(ntlm(account => 'eve', domain => 'F;"{ R')));
refused('no domain', qr/${bad}an NTLM login without a domain/, ask(ntlm(domain => '')));
refused('user@suffix', qr/${bad}/, ask(ntlm(account => 'alice@RMS.TEST', domain => '')));
refused('an anonymous login', qr/${bad}.*(?:anonymous|without a name|nobody)/i, ask(ntlm(account => '', domain => '', password => '')));
refused('a name with a control character', qr/${bad}an account name we refuse/, ask(ntlm(account => "EXCH01\$\n")));
refused('a name with a zero in it', qr/${bad}an account name we refuse/, ask(ntlm(account => "EXCH01\$\0x")));
refused('a first message without version', qr/${bad}NTLM NEGOTIATE_MESSAGE without the Version field/, ask(ntlm(short => 1)));

# tokens out of order
my $n = ntlm();
my $c = fresh();
my $type1 = $n->header;
my $type3 = $n->header($n->challenge_in(send_token($c, $type1)));
refused('a type 3 without a type 1', qr/${bad}no NTLM handshake was begun here/, send_token(fresh(), $type3));
is(send_token($c, $type3)->status, 200, 'where its type 1 was, it comes in');
refused('the type 3 again', qr/${bad}no NTLM handshake was begun here/, send_token($c, $type3));

$c = fresh();
$n = ntlm();
send_token($c, ntlm()->header) for 1 .. 2;
$r = send_token($c, $n->header);
is(send_token($c, $n->header($n->challenge_in($r)))->status, 200, 'after three type 1 the last one counts');

$c = fresh();
my ($old, $new) = (ntlm(), ntlm());
my $answer = $old->header($old->challenge_in(send_token($c, $old->header)));
send_token($c, $new->header);
refused('an answer to the challenge before the last', qr/${bad}/, send_token($c, $answer));

$c = fresh();
$n = ntlm();
$r = send_token($c, $n->header);
$n->{spnego} = ['ntlm'];
$n->{scheme} = 'NTLM';
refused('another framing on the way', qr/${bad}/, send_token($c, header_of(tlv("\xa1", tlv("\x30", tlv("\xa2",
    tlv("\x04", do { $n->read_challenge($n->challenge_in($r)); $n->authenticate_message })))))));

$c = fresh();
$r = send_token($c, ntlm()->header);
$answer = ($r->all('www-authenticate'))[0];
refused('our own challenge', qr/${bad}/, send_token($c, $answer));

# tokens that are none
my $noise = join '', map { chr($_ * 89 % 256) } 1 .. 500;
for my $case (['noise', $noise], ['one byte', 'N'], ['a signature alone', "NTLMSSP\0"], ['type 0', "NTLMSSP\0" . pack('V', 0) . "\0" x 60],
    ['type 4', "NTLMSSP\0" . pack('V', 4) . "\0" x 60], ['a type 3 of zeros', "NTLMSSP\0" . pack('V', 3) . "\0" x 100],
    ['a Kerberos token', do { my ($t) = negotiate('EXCH01$') =~ /(\S+)$/; MIME::Base64::decode_base64($t) }])
{
    refused("under NTLM: $case->[0]", qr/${bad}/, send_token(fresh(), header_of($case->[1])));
}
refused('NTLM alone', qr/rms refused: reason=auth_malformed/, send_token(fresh(), 'NTLM'), 400, 'auth_malformed');
refused('NTLM and no base64', qr/rms refused: reason=auth_malformed/, send_token(fresh(), 'NTLM *'), 400, 'auth_malformed');
for my $leg (1, 2) {
    my %seen;
    for my $part (1 .. 20) {
        my $c = fresh();
        my $n = ntlm();
        my $token = $n->token;
        $token = $n->token($n->challenge_in(send_token($c, header_of($token)))) if $leg == 2;
        $seen{ send_token($c, header_of(substr $token, 0, length($token) * $part / 21))->status }++;
    }
    is(join(' ', sort keys %seen), '401', "leg $leg cut anywhere: never in, and no error of ours");
}
my %seen;
for my $at (0 .. 63) {
    my $c = fresh();
    my $n = ntlm();
    my $reply = $n->challenge_in(send_token($c, $n->header));
    my $token = $n->token($reply);
    vec($token, 12 * 8 + $at * 8, 1) ^= 1 if $at < 52;
    vec($token, 88 * 8 + ($at - 52) * 64 * 8 / 2, 1) ^= 1 if $at >= 52;
    $seen{ send_token($c, header_of($token))->status }++;
}
is(join(' ', sort keys %seen), '401', 'a flipped bit of a type 3 that is signed');

# where NTLM is not allowed: 403, and no challenge that would bring it again
for my $case (['NTLM', ntlm()->header], ['NTLM under Negotiate', ntlm(scheme => 'Negotiate')->header],
    ['NTLM in SPNEGO', ntlm(spnego => ['ntlm'])->header])
{
    refused("D10, D46: without ntlm, $case->[0]", qr/rms refused: reason=ntlm_not_allowed status=403/,
        send_token(fresh(), $case->[1], path => '/kerberos/'), 403, 'ntlm_not_allowed');
    refused("D45: HTTP/1.0, $case->[0]", qr/rms refused: reason=ntlm_not_allowed status=403/,
        send_token(fresh(), $case->[1], version => 'HTTP/1.0'), 403, 'ntlm_not_allowed');
}
$c = fresh();
$n = ntlm();
$answer = $n->header($n->challenge_in(send_token($c, $n->header)));
refused('D10: a login that began where NTLM is allowed', qr/ntlm_not_allowed/,
    send_token($c, $answer, path => '/kerberos/'), 403, 'ntlm_not_allowed');

# clients that are asked once more and not for ever
my $before = () = slurp(nginx()->prefix . '/access.log') =~ /^/mg;
my $curl = curl(nginx()->url($page), args => ['--ntlm', '-u', 'RMS\\alice:alice-pass'], from => '127.201.0.1');
is($curl->status, 401, 'curl, whose first message is too short: 401');
$curl = curl(nginx()->url($page), args => ['--anyauth', '-u', 'RMS\\alice:alice-pass'], from => '127.201.0.2');
is($curl->status, 401, 'curl --anyauth');
http(path => '/marker');
my $after = () = slurp(nginx()->prefix . '/access.log') =~ /^/mg;
cmp_ok($after - $before, '<=', 6, 'D46: and it gives up');

is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');
is(scalar(() = nginx()->error_log =~ /token was used before/g), 0, 'D33: no login was taken for a replay');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets(map { $_->[2] } @users)], [], 'D48: no message and no password in a log at level debug');
is_deeply([violations()], [], 'the backend saw nothing odd');

# HTTP/2 has no connection that could be somebody's
nginx(%conf, ssl => 1, http2 => 1);
my $url = nginx()->url($page);
my @h2 = (args => ['--http2']);
$r = curl($url, @h2);
is("$r->{version} " . $r->status . ' ' . challenges($r), 'HTTP/2 401 Negotiate', 'D45: HTTP/2: NTLM is not offered');
for my $scheme ('NTLM', 'Negotiate') {
    $r = curl($url, @h2, headers => ['Authorization: ' . ntlm(scheme => $scheme)->header]);
    is("$r->{version} " . $r->status . ' ' . challenges($r), 'HTTP/2 403 ', "D45: HTTP/2: $scheme is refused");
    is(last_line_of_log(), 'ntlm_not_allowed', 'and the log says why');
}
$r = curl($url, @h2, headers => ['Authorization: ' . ntlm(spnego => ['ntlm'])->header]);
is($r->status, 403, 'D45: HTTP/2: in SPNEGO too');
$r = curl($url, args => ['--http1.1']);
is(challenges($r), $both, 'HTTP/1.1 on the same port: it is');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'HTTP/2: nothing alarming in the log');

sub last_line_of_log { return (nginx()->access_log(1))[-1]{rms_reason} }

done_testing();
