package RMS::Proxy;

# A network between a node and Redis (or anything that speaks TCP) which a test
# can spoil, at run time:
#
#   my $wire = proxy($redis->at);            # "ADDR:PORT" or a path
#   nginx(http => $redis->conf(server => $wire->at));
#   $wire->mode('blackhole');
#   ...
#   $wire->mode('pass');
#
# Modes, in effect when mode() returns:
#   pass          what comes goes
#   cut           every connection is reset, new ones right after accept
#   refuse        every connection is reset, nobody listens any more
#   hang          every connection is reset, who connects gets no answer
#   blackhole     connections stay and are accepted, no byte goes through, and
#                 what was sent meanwhile never arrives
#   delay MS      answers come so much later
#   garbage [HEX] answers have their length, and other bytes
#   half          the next answer ends in its middle, and so does its connection
#
# The process is t/lib/tools/proxy.pl; it ends with the test.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use IO::Socket::UNIX;

use RMS::Env;

our @EXPORT = qw(proxy);

my $count = 0;

# proxy($target, addr => a, port => n) - starts one in mode "pass".
sub proxy {
    my ($target, %o) = @_;
    my $self = bless { target => $target, addr => $o{addr} || addr(),
        port => $o{port} || free_port(), name => 'proxy.' . ++$count }, __PACKAGE__;
    $self->{control} = dir() . "/$self->{name}.sock";
    $self->{pid} = spawn($self->{name}, [$^X, root() . '/t/lib/tools/proxy.pl', $self->at,
        $target, $self->{control}]);
    my $out = dir() . "/$self->{name}.out";
    wait_for(sub {
        croak 'proxy: ' . slurp($out) unless alive($self->{pid});
        return slurp($out) =~ /^ready$/m;
    }, $self->{name});
    return $self;
}

# at() - "ADDR:PORT" to connect to.    port()
sub at   { return "$_[0]{addr}:$_[0]{port}" }
sub port { return $_[0]{port} }

sub ask {
    my ($self, $line) = @_;
    my $s = IO::Socket::UNIX->new(Peer => $self->{control}) or croak "$self->{control}: $!";
    print {$s} "$line\n";
    my $answer = <$s>;
    croak "$self->{name}: no answer" unless defined $answer;
    chomp $answer;
    return $answer;
}

# mode($mode, $argument) - from now on.
sub mode {
    my ($self, @words) = @_;
    my $answer = $self->ask("@words");
    croak "$self->{name} @words: $answer" if $answer ne 'ok';
    return;
}

# seen() - { accepted, open, received, sent }: connections, bytes of clients, bytes
# of answers.
sub seen {
    my ($self) = @_;
    return { map { split /=/ } split / /, $self->ask('count') };
}

# stop() - ends it: connections are closed, nobody listens.
sub stop { return stop_process($_[0]{pid}) }

1;
