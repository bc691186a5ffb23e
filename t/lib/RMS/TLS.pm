package RMS::TLS;

# Connections over TLS whose sessions go on, and that can wait between requests:
# openssl s_client does TLS, since it lets us choose and keeps sessions.
#
#   my $c = tls($port, name => 'rms.rms.test', session => $file);
#   my $r = http(client => $c, path => '/');

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

use RMS::Client;
use RMS::Env;

our @EXPORT = qw(tls seen);

my $count = 0;

# tls($port, name => SNI, from => '127.x', session => file, args => [...]) - a
# connected RMS::Client; the file is taken up if it is there, and written.
sub tls {
    my ($port, %o) = @_;
    my $session = $o{session} || dir() . '/session.' . ++$count;
    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or croak "socketpair: $!";
    my @command = (qw(openssl s_client -quiet -connect), addr() . ":$port", ($o{from} ? ('-bind', "$o{from}:0") : ()),
        '-servername', $o{name}, '-sess_out', $session, (-e $session ? ('-sess_in', $session) : ()), @{ $o{args} || [] });
    my $pid = fork;
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<&', $theirs;
        open STDOUT, '>&', $theirs;
        open STDERR, '>', '/dev/null';
        CORE::close $ours;
        { no warnings 'exec'; exec { $command[0] } @command; }
        POSIX::_exit(127);
    }
    CORE::close $theirs;
    $ours->autoflush(1);
    return bless { s => $ours, in => '', timeout => $RMS::Env::DEADLINE, session => $session, name => $o{name} }, 'RMS::Client';
}

# seen($client) - the certificate the client got when the session began, PEM.
sub seen {
    my ($c) = @_;
    my $file = $c->{session};
    wait_for(sub { -s $file && (run(['openssl', 'sess_id', '-noout', '-in', $file]))[0] == 0 }, 'the session is kept');
    return (run(['openssl', qw(sess_id -cert -in), $file]))[1];
}

1;
