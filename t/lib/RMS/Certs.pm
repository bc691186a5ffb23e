package RMS::Certs;

# A private CA and server certificates, made once per test in its folder.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use RMS::Env;

our @EXPORT = qw(ca cert);

my ($ca, %made);

sub openssl {
    my ($status, $text) = run(['openssl', @_]);
    croak "openssl @_: $text" if $status;
    return;
}

# ca() - path of the CA certificate.
sub ca {
    return $ca if $ca;
    my $d = dir();
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes
        -days 30 -subj), '/CN=Test CA', '-addext',
        'keyUsage=critical,keyCertSign,cRLSign',
        '-keyout', "$d/ca.key", '-out', "$d/ca.pem");
    return $ca = "$d/ca.pem";
}

# cert($name, @other_names) - { cert => file, key => file } signed by ca().
sub cert {
    my ($name, @others) = @_;
    return $made{$name} if $made{$name};
    my $d = dir();
    ca();
    my $san = join ',', map {"DNS:$_"} $name, @others;
    spew("$d/$name.ext", "subjectAltName=$san\nextendedKeyUsage=serverAuth\n");
    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj),
        "/CN=$name", '-keyout', "$d/$name.key", '-out', "$d/$name.csr");
    openssl(qw(x509 -req -days 30 -in), "$d/$name.csr", '-CA', $ca,
        '-CAkey', "$d/ca.key", '-CAcreateserial', '-extfile', "$d/$name.ext",
        '-out', "$d/$name.pem");
    return $made{$name} = { cert => "$d/$name.pem", key => "$d/$name.key" };
}

1;
