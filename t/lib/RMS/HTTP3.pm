package RMS::HTTP3;

# Clients of HTTP/3, for nginx that has it: curl, and one that can also
# misbehave (t/http3/client.py).
#
#   nginx(ssl => 1, port => $port, server => quic($port));
#   my $r = curl3(nginx()->url('/'), headers => ['Authorization: ' . negotiate('EXCH01$')]);
#   my ($first, $second) = streams($port, { path => '/' }, { path => '/' });

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use JSON::PP;

use RMS::Certs;
use RMS::Client;
use RMS::Env;
use RMS::Nginx;

our @EXPORT = qw(quic curl3 streams resumed);

my $resumed;

# quic($port) - the line that has a server listen for it.
sub quic { return 'listen ' . addr() . ":$_[0] quic;\n" }

# curl3($url, %o) - curl(), over HTTP/3 and nothing else.  Without account: the
# --negotiate of curl 8.14 looks for the certificate where QUIC has none.
sub curl3 {
    my ($url, %o) = @_;
    return curl($url, %o, args => ['--http3-only', @{ $o{args} || [] }]);
}

# streams([$port, session => file,] {...}, ...) - an RMS::Response for each
# request of client.py, all over one connection.
sub streams {
    my ($to, @requests) = @_;
    my ($port, %o) = ref $to ? @$to : $to;
    my $job = { addr => addr(), port => $port, name => $RMS::Nginx::HOST, ca => ca(), deadline => $RMS::Env::DEADLINE,
        requests => \@requests, %o };
    $_->{authority} ||= "$RMS::Nginx::HOST:$port" for @requests;
    my ($status, $said) = run(['/usr/bin/python3', '-B', root() . '/t/http3/client.py'], in => JSON::PP->new->ascii->encode($job));
    croak "client.py: $said" if $status;
    my $answer = JSON::PP->new->decode($said);
    $resumed = $answer->{resumed} ? 1 : 0;
    return map { bless { status => $_->{status}, version => 'HTTP/3', pairs => $_->{headers}, body => $_->{body} }, 'RMS::Response' }
        @{ $answer->{answers} };
}

# resumed() - whether the TLS session of the last streams() was an old one.
sub resumed { return $resumed }

1;
