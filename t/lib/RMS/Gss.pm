package RMS::Gss;

# Tokens for the Authorization header, made by hand with GSSAPI
# (libgssapi-perl): SPNEGO, raw Kerberos, and the list Windows servers send.

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA qw(sha256);
use Exporter qw(import);
use GSSAPI;
use MIME::Base64 qw(encode_base64 decode_base64);

use RMS::Env;
use RMS::KDC;

our @EXPORT = qw(gss negotiate tlv endpoint_binding);

# every token made, so that no_secrets() can look for it
our @MADE;

my %OID = (
    ms_krb5 => "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02",
    krb5    => "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
    negoex  => "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e",
    ntlm    => "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a",
    spnego  => "\x2b\x06\x01\x05\x05\x02",
);
my %MECH_LIST = (
    windows => [qw(ms_krb5 krb5 negoex ntlm)],
    negoex  => [qw(negoex krb5)],
    ntlm    => [qw(ntlm)],
);

# gss(account => 'EXCH01$' | ccache => 'FILE:...', service => 'HTTP@host',
#     mech => 'spnego' | 'krb5' | 'windows' | 'negoex') - an initiator.
#   windows: MS-KRB5, KRB5, NEGOEX, NTLM with an optimistic AP-REQ (one leg)
#   negoex:  NEGOEX first: the acceptor asks for Kerberos and for a MIC of the
#            list, since the choice was not the client's (RFC 4178 5): three
#            legs, or two with one_way => 1, where the context stands at once
# binding => $bytes: the client's channel binding, see endpoint_binding()
sub gss {
    my (%o) = @_;
    my $self = bless {
        service => 'HTTP@rmsconnector.rms.test', mech => 'spnego', %o, legs => 0,
    }, __PACKAGE__;
    $self->{ccache} ||= kdc()->ccache($o{account} || 'EXCH01$');
    $self->{list} = $MECH_LIST{ $self->{mech} };
    $self->{context} = GSSAPI::Context->new;
    return $self;
}

# tlv($tag, $value) - DER.
sub tlv {
    my ($tag, $value) = @_;
    my $n = length $value;
    my $size = $n < 128 ? chr $n : $n < 256 ? "\x81" . chr $n : "\x82" . pack 'n', $n;
    return $tag . $size . $value;
}

sub bindings {
    my ($self) = @_;
    return GSS_C_NO_CHANNEL_BINDINGS unless defined $self->{binding};
    my $b = GSSAPI::Binding->new;
    $b->set_initiator(0, '');       # no addresses: the hash covers their type
    $b->set_acceptor(0, '');
    $b->set_appl_data($self->{binding});
    return $b;
}

# endpoint_binding($certificate_file) - what RFC 5929 binds to, of a SHA-256 one.
sub endpoint_binding {
    my ($file) = @_;
    my ($pem) = slurp($file) =~ /-BEGIN CERTIFICATE-+\n(.*?)-/s or croak "$file: no certificate";
    return 'tls-server-end-point:' . sha256(decode_base64($pem));
}

sub init {
    my ($self, $in) = @_;
    my ($name, $oid, $out);
    local $ENV{KRB5_CONFIG} = kdc()->env->{KRB5_CONFIG};
    local $ENV{KRB5CCNAME} = $self->{ccache};
    my $dotted = $self->{mech} eq 'spnego' ? '{ 1 3 6 1 5 5 2 }' : '{ 1 2 840 113554 1 2 2 }';
    my $status = GSSAPI::Name->import($name, $self->{service},
        GSSAPI::OID::gss_nt_hostbased_service());
    $status = GSSAPI::OID->from_str($oid, $dotted) if $status;
    croak "gss: $self->{service}" unless $status;
    my $flags = GSS_C_REPLAY_FLAG | ($self->{one_way} ? 0 : GSS_C_MUTUAL_FLAG);
    $status = $self->{context}->init(GSS_C_NO_CREDENTIAL, $name, $oid,
        $flags, 0, $self->bindings, $in, undef, $out, undef, undef);
    if (GSSAPI::Status::GSS_ERROR($status->major)) {
        croak 'gss: ' . join ' ', $status->generic_message, $status->specific_message;
    }
    $self->{done} = $status->major == GSS_S_COMPLETE;
    return defined $out ? $out : '';
}

sub mech_list {
    my ($self) = @_;
    return tlv("\x30", join '', map { tlv("\x06", $OID{$_}) } @{ $self->{list} });
}

# wrap($token) - NegTokenInit with this initiator's mechanism list.
sub wrap {
    my ($self, $token) = @_;
    return tlv("\x60", tlv("\x06", $OID{spnego})
        . tlv("\xa0", tlv("\x30", tlv("\xa0", $self->mech_list)
            . tlv("\xa2", tlv("\x04", $token)))));
}

# later($token) - NegTokenResp with a token, and with the MIC of the list once
# the context stands.
sub later {
    my ($self, $token) = @_;
    my ($parts, $mic) = ('');
    $parts .= tlv("\xa2", tlv("\x04", $token)) if length $token;
    if ($self->{done}) {
        $self->{context}->get_mic(0, $self->mech_list, $mic) or croak 'gss: no MIC';
        $parts .= tlv("\xa3", tlv("\x04", $mic));
    }
    return tlv("\xa1", tlv("\x30", $parts));
}

# inner($reply) - the Kerberos token in the acceptor's reply.
sub inner {
    my ($reply) = @_;
    my $at = index $reply, "\x60";
    return $reply if $at < 0;
    my $size = ord substr $reply, $at + 1, 1;
    my $n = $size & 127;
    return substr $reply, $at, 2 + $size if $size < 128;
    $size = unpack 'N', substr "\0" x 4 . substr($reply, $at + 2, $n), -4;
    return substr $reply, $at, 2 + $n + $size;
}

# token($reply) - the next token to send ('' when nothing is left to send);
# $reply is the acceptor's last token, decoded.
sub token {
    my ($self, $reply) = @_;
    my $leg = ++$self->{legs};
    my $out;
    if (!$self->{list}) {
        $out = $self->init($leg == 1 ? '' : $reply);
    } elsif ($leg == 1) {
        $self->{first} = $self->{mech} eq 'ntlm' ? "NTLMSSP\0\1\0\0\0" : $self->init('');
        $out = $self->wrap($self->{mech} eq 'negoex' ? 'NEGOEXTS-not-for-us' : $self->{first});
    } elsif ($leg == 2 && $self->{mech} eq 'negoex') {
        $out = $self->later($self->{first});
    } elsif ($self->{done}) {
        $out = '';
    } else {
        $out = $self->init(inner($reply));
        $out = $self->later('') if $self->{mech} eq 'negoex';
    }
    push @MADE, encode_base64($out, '') if length $out;
    return $out;
}

# header($reply) - the next Authorization value; scheme Negotiate.
sub header {
    my ($self, $reply) = @_;
    return 'Negotiate ' . encode_base64($self->token($reply), '');
}

# mutual($response) - whether the answer (of negoex: an earlier leg) proves that
# the acceptor had the key.
sub mutual {
    my ($self, $response) = @_;
    my ($token) = map { /^Negotiate (\S+)$/ ? decode_base64($1) : () }
        $response->all('www-authenticate');
    return $self->{mech} eq 'negoex' && $self->{done} ? 1 : 0 unless defined $token;
    eval { $self->token($token); 1 } or return 0;
    return $self->{done} ? 1 : 0;
}

# negotiate($account, %o) - one Authorization value for one request.
sub negotiate {
    my ($account, %o) = @_;
    return gss(account => $account, %o)->header;
}

1;
