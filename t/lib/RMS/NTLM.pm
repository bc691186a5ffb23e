package RMS::NTLM;

# An NTLM client by hand, [MS-NLMP]: NTLMv2 as Windows speaks it, and what goes
# wrong with it.  For the schemes NTLM and Negotiate, in SPNEGO or bare.
#
#   my $n = ntlm(account => 'EXCH01$');
#   my $r = ntlm_request(client(addr(), nginx()->port), $n, path => '/hello');

use strict;
use warnings;

use Carp qw(croak);
use Digest::MD4 qw(md4);
use Digest::MD5 qw(md5);
use Encode qw(encode);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64 decode_base64);

use RMS::Env;
use RMS::Gss;

our @EXPORT = qw(ntlm ntlm_request ntlm_user_file);

# [MS-NLMP] 2.2.2.5; as Windows sets them, without signing and sealing unless
# SPNEGO wants a MIC of its own
my %FLAG = (unicode => 0x1, oem => 0x2, target => 0x4, sign => 0x10, ntlm => 0x200,
    always_sign => 0x8000, extended => 0x80000, info => 0x800000, version => 0x2000000,
    strong => 0x20000000, key_exchange => 0x40000000, medium => 0x80000000);
my ($AV_END, $AV_FLAGS, $AV_TIME, $AV_TARGET, $AV_BINDINGS) = (0, 6, 7, 9, 10);
my $HAS_MIC = 0x2;
my $VERSION = pack 'CC v x3 C', 10, 0, 17763, 15;
my $MIC_AT = 72;

my %OID = (
    ntlm   => "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a",
    negoex => "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e",
    krb5   => "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
    spnego => "\x2b\x06\x01\x05\x05\x02",
);

# ntlm(account => 'EXCH01$', domain => 'RMS', password => its first one,
#   scheme => 'NTLM' | 'Negotiate'   default NTLM
#   spnego => [names of mechanisms]  within SPNEGO (then Negotiate), ntlm among
#             them; the first message goes along only when ntlm is the first
#   mic => 0          no message integrity code       mic => 'wrong'
#   binding => $bytes channel binding of the client; '' says "none", as Windows
#             does on plain HTTP; without it nothing is said
#   target => 'HTTP/rmsconnector.rms.test'
#   mic_tag => "\xa4" of the mechListMIC: krb5 1.21 looks for it there, where
#             RFC 4178 has [3]; the module helps, the library alone does not
#   short => 1        a first message without version, as curl sends it
#   old => 1          an answer of NTLMv1
#   workstation => 'EXCH01')
sub ntlm {
    my (%o) = @_;
    my $self = bless { account => 'EXCH01$', domain => 'RMS', mic => 1,
        mic_tag => "\xa3", workstation => 'CLIENT', target => 'HTTP/rmsconnector.rms.test', %o, legs => 0 }, __PACKAGE__;
    $self->{password} = "$self->{account}-pass" unless defined $self->{password};
    $self->{scheme} ||= $self->{spnego} ? 'Negotiate' : 'NTLM';
    return $self;
}

sub hmac_md5 {
    my ($data, $key) = @_;
    $key = md5($key) if length $key > 64;
    $key .= "\0" x (64 - length $key);
    return md5(($key ^ "\x5c" x 64) . md5(($key ^ "\x36" x 64) . $data));
}

# rc4($key) - a function that enciphers what it is given, in sequence.
sub rc4 {
    my ($key) = @_;
    my @key = unpack 'C*', $key;
    my @s = 0 .. 255;
    my ($i, $j) = (0, 0);
    for my $n (0 .. 255) {
        $j = ($j + $s[$n] + $key[$n % @key]) & 255;
        @s[$n, $j] = @s[$j, $n];
    }
    $j = 0;
    return sub {
        return join '', map {
            $i = ($i + 1) & 255;
            $j = ($j + $s[$i]) & 255;
            @s[$i, $j] = @s[$j, $i];
            chr($_ ^ $s[($s[$i] + $s[$j]) & 255]);
        } unpack 'C*', shift;
    };
}

sub utf16 { return encode('UTF-16LE', $_[0]) }

sub random {
    my ($n) = @_;
    open my $fh, '<:raw', '/dev/urandom' or croak "/dev/urandom: $!";
    read $fh, my ($bytes), $n;
    return $bytes;
}

# the messages

sub flags {
    my ($self, $version) = @_;
    my @on = qw(unicode oem target ntlm always_sign extended strong medium);
    push @on, qw(sign key_exchange) if $self->{spnego};
    push @on, 'version' if $version;
    my $flags = 0;
    $flags |= $FLAG{$_} for @on;
    return $flags;
}

sub negotiate_message {
    my ($self) = @_;
    return $self->{sent} = "NTLMSSP\0" . pack('VV', 1, $self->flags(!$self->{short}))
        . "\0" x 16 . ($self->{short} ? '' : $VERSION);
}

sub read_challenge {
    my ($self, $message) = @_;
    croak 'not a challenge' unless $message =~ /^NTLMSSP\0\x02\0\0\0/;
    my ($n, $at) = unpack 'x40 v x2 V', $message;
    my $info = substr $message, $at, $n;
    my @pairs;
    while (length $info >= 4) {
        my ($id, $size) = unpack 'vv', $info;
        last if $id == $AV_END;
        push @pairs, [$id, substr $info, 4, $size];
        $info = substr $info, 4 + $size;
    }
    @$self{qw(challenge flags nonce pairs)} = ($message, unpack('x20 V', $message),
        substr($message, 24, 8), \@pairs);
    return;
}

# pairs() - what the client adds to what the server said of itself.
sub pairs {
    my ($self) = @_;
    my @pairs = grep { $_->[0] != $AV_FLAGS } @{ $self->{pairs} };
    push @pairs, [$AV_FLAGS, pack 'V', $HAS_MIC] if $self->{mic};
    if (defined $self->{binding}) {
        my $hash = "\0" x 16;
        $hash = md5("\0" x 16 . pack('V', length $self->{binding}) . $self->{binding})
            if length $self->{binding};
        push @pairs, [$AV_BINDINGS, $hash];
    }
    push @pairs, [$AV_TARGET, utf16($self->{target})] if length $self->{target};
    return join('', map { pack('vv', $_->[0], length $_->[1]) . $_->[1] } @pairs) . pack 'vv', $AV_END, 0;
}

sub now {
    my ($self) = @_;
    my ($server) = map { $_->[1] } grep { $_->[0] == $AV_TIME } @{ $self->{pairs} };
    return $server || pack 'Q<', (time + 11_644_473_600) * 10_000_000;
}

# answer() - (NT response, session key) of NTLMv2, [MS-NLMP] 3.3.2.
sub answer {
    my ($self) = @_;
    my $owf = hmac_md5(utf16(uc($self->{account}) . $self->{domain}), md4(utf16($self->{password})));
    my $blob = "\1\1" . "\0" x 6 . $self->now . random(8) . "\0" x 4 . $self->pairs . "\0" x 4;
    my $proof = hmac_md5($self->{nonce} . $blob, $owf);
    return ($proof . $blob, hmac_md5($proof, $owf));
}

# session_key($key) - (what goes over the wire, the key of the session).
sub session_key {
    my ($self, $key) = @_;
    return ('', $key) unless $self->{flags} & $FLAG{key_exchange};
    my $own = random(16);
    return (rc4($key)->($own), $own);
}

sub authenticate_message {
    my ($self) = @_;
    my ($nt, $base) = $self->{old} ? (random(24), random(16)) : $self->answer;
    my ($wire, $key) = $self->session_key($base);
    my @fields = ($self->{old} ? random(24) : "\0" x 24, $nt, utf16($self->{domain}),
        utf16($self->{account}), utf16($self->{workstation}), $wire);
    my $at = $MIC_AT + 16;
    my $head = '';
    for my $field (@fields) {
        $head .= pack 'vvV', length $field, length $field, $at;
        $at += length $field;
    }
    my $message = "NTLMSSP\0" . pack('V', 3) . $head . pack('V', $self->{flags} & $self->flags(1))
        . $VERSION . "\0" x 16 . join '', @fields;
    $self->{key} = $key;
    if ($self->{mic}) {
        my $mic = hmac_md5($self->{sent} . $self->{challenge} . $message, $key);
        $mic = ~$mic if $self->{mic} eq 'wrong';
        substr $message, $MIC_AT, 16, $mic;
    }
    return $message;
}

# SPNEGO

# signature($text, $way) - of [MS-NLMP] 3.4.4.2, the first one; $way is
# 'client-to-server' or 'server-to-client'.
sub signature {
    my ($self, $text, $way) = @_;
    my $sign = md5("$self->{key}session key to $way signing key magic constant\0");
    my $sum = substr hmac_md5(pack('V', 0) . $text, $sign), 0, 8;
    if ($self->{flags} & $FLAG{key_exchange}) {
        my $seal = md5("$self->{key}session key to $way sealing key magic constant\0");
        $sum = rc4($seal)->($sum);
    }
    return pack('V', 1) . $sum . pack 'V', 0;
}

sub mech_list {
    my ($self) = @_;
    return tlv("\x30", join '', map { tlv("\x06", $OID{$_}) } @{ $self->{spnego} });
}

sub first_of_spnego {
    my ($self) = @_;
    my $parts = tlv("\xa0", $self->mech_list);
    $parts .= tlv("\xa2", tlv("\x04", $self->negotiate_message)) if $self->{spnego}[0] eq 'ntlm';
    return tlv("\x60", tlv("\x06", $OID{spnego}) . tlv("\xa0", tlv("\x30", $parts)));
}

# read_der($bytes) - ({tag => value} of the elements one after another).
sub read_der {
    my ($bytes) = @_;
    my %found;
    while (length $bytes > 1) {
        my ($tag, $n) = unpack 'CC', $bytes;
        my $at = 2;
        if ($n > 127) {
            my $size = $n & 127;
            $n = unpack 'N', substr "\0" x 4 . substr($bytes, 2, $size), -4;
            $at += $size;
        }
        $found{$tag} = substr $bytes, $at, $n;
        $bytes = substr $bytes, $at + $n;
    }
    return \%found;
}

# read_reply($bytes) - {token}, {mic} and {state} of a NegTokenResp.
sub read_reply {
    my ($bytes) = @_;
    my $inner = read_der($bytes)->{0xa1};
    return {} unless defined $inner;
    my $parts = read_der(read_der($inner)->{0x30});
    my ($state, $token, $mic) = map { defined $parts->{$_} ? $parts->{$_} : '' } 0xa0, 0xa2, 0xa3;
    return { state => unpack('x2 C', $state), token => read_der($token)->{0x04},
        mic => read_der($mic)->{0x04} };
}

sub later_of_spnego {
    my ($self, $reply) = @_;
    my $r = read_reply($reply);
    if (!$self->{sent}) {
        return tlv("\xa1", tlv("\x30", tlv("\xa2", tlv("\x04", $self->negotiate_message))));
    }
    $self->read_challenge($r->{token});
    my $parts = tlv("\xa2", tlv("\x04", $self->authenticate_message));
    $parts .= tlv($self->{mic_tag},
        tlv("\x04", $self->signature($self->mech_list, 'client-to-server')));
    return tlv("\xa1", tlv("\x30", $parts));
}

# what is sent

# token($reply) - the next token; $reply is the acceptor's last one, decoded.
sub token {
    my ($self, $reply) = @_;
    my $leg = ++$self->{legs};
    my $out;
    if ($self->{spnego}) {
        $out = $leg == 1 ? $self->first_of_spnego : $self->later_of_spnego($reply);
    } elsif ($leg == 1) {
        $out = $self->negotiate_message;
    } else {
        $self->read_challenge($reply);
        $out = $self->authenticate_message;
    }
    push @RMS::Gss::MADE, encode_base64($out, '');
    return $out;
}

# header($reply) - the next Authorization value.
sub header {
    my ($self, $reply) = @_;
    return "$self->{scheme} " . encode_base64($self->token($reply), '');
}

# challenge_in($response) - the token for us in an answer, undef without one.
sub challenge_in {
    my ($self, $response) = @_;
    my ($token) = map { /^\Q$self->{scheme}\E (\S+)$/i ? $1 : () } $response->all('www-authenticate');
    return defined $token ? decode_base64($token) : undef;
}

# mutual($response) - whether the acceptor proved, in SPNEGO, that it has the key.
sub mutual {
    my ($self, $response) = @_;
    my $token = $self->challenge_in($response);
    return 0 unless defined $token && $self->{key};
    my $mic = read_reply($token)->{mic};
    return defined $mic && $mic eq $self->signature($self->mech_list, 'server-to-client') ? 1 : 0;
}

# ntlm_request($client, $ntlm, %request) - the request of build_request(), as
# often as NTLM wants it, on one connection; the last answer, with {legs}.
# first => {...} replaces parts of the first: Windows sends it without a body.
sub ntlm_request {
    my ($client, $ntlm, %o) = @_;
    my %first = %{ delete $o{first} || {} };
    my ($r, $reply);
    for my $leg (1 .. 4) {
        my %request = $leg == 1 ? (%o, %first) : %o;
        $client->request(%request, headers => [@{ $request{headers} || [] },
            ['Authorization', $ntlm->header($reply)]]) or croak 'the connection is gone';
        $r = $client->response or croak 'no answer';
        $r->{legs} = $leg;
        return $r if $r->status != 401;
        $reply = $ntlm->challenge_in($r);
        return $r if !defined $reply || $ntlm->{key} || !length $reply;
    }
    return $r;
}

# ntlm_user_file(['RMS', 'EXCH01$', password], ...) - a file for NTLM_USER_FILE,
# with which gss-ntlmssp knows accounts without a domain; its name.  For nginx:
#   nginx(main => 'env NTLM_USER_FILE=' . ntlm_user_file(...) . ";\n");
sub ntlm_user_file {
    my (@users) = @_;
    my $file = spew(dir() . '/ntlm.users', join '', map { join(':', @$_) . "\n" } @users);
    share_with_worker($file);
    return $file;
}

1;
