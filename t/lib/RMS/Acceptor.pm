package RMS::Acceptor;

# A service that takes tokens, in a process of its own, so that it may wait for a
# domain that stands still: what GSSAPI says without nginx.

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use JSON::PP;
use MIME::Base64 qw(encode_base64 decode_base64);

use RMS::Client;
use RMS::Env;
use RMS::KDC;

our @EXPORT = qw(acceptor);

my $count;

# acceptor(env => {...}, binding => $bytes, keytab => $file) - it serves one
# connection after the other.
sub acceptor {
    my (%o) = @_;
    my $port = free_port();
    my $name = 'acceptor.' . ++$count;
    my $pid = spawn($name, ['/usr/bin/python3', '-B', root() . '/t/realm/accept.py',
        addr(), $port, defined $o{binding} && length $o{binding} ? unpack 'H*', $o{binding} : ()],
        env => { %{ kdc()->server_env }, KRB5_KTNAME => $o{keytab} || kdc()->keytab,
            KRB5RCACHENAME => 'none:', %{ $o{env} || {} } });
    wait_port(addr(), $port, $pid)->close;
    return bless { port => $port, out => dir() . "/$name.out" }, __PACKAGE__;
}

# begin() - a new context.
sub begin {
    my ($self) = @_;
    $self->{client}->close if $self->{client};
    return $self->{client} = client(addr(), $self->{port});
}

# give($token) - one token, nothing awaited.    answered($seconds) - whether an
# answer is there.    take() - the answer, decoded.
sub give {
    my ($self, $token) = @_;
    $self->{client}->write(encode_base64($token, '') . "\n");
    return;
}

sub answered {
    my ($self, $seconds) = @_;
    return scalar IO::Select->new($self->{client}{s})->can_read($seconds);
}

sub take {
    my ($self) = @_;
    my $line = $self->{client}->read_line;
    return { state => 'gone', error => slurp($self->{out}) } unless defined $line;
    my $answer = JSON::PP->new->decode($line);
    $answer->{token} = decode_base64($answer->{token} || '');
    $answer->{pac} = decode_base64($answer->{pac}) if defined $answer->{pac};
    return $answer;
}

# accept($initiator) - all legs with gss() or ntlm(); the last answer, {legs}.
sub accept {
    my ($self, $initiator) = @_;
    my ($answer, $reply);
    $self->begin;
    for my $leg (1 .. 4) {
        $self->give($initiator->token($reply));
        $answer = $self->take;
        $answer->{legs} = $leg;
        last if $answer->{state} ne 'continue';
        $reply = $answer->{token};
    }
    (delete $self->{client})->close;
    return $answer;
}

1;
