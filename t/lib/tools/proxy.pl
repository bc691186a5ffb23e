#!/usr/bin/perl
# A TCP relay that can be told to misbehave (RMS::Proxy).
#
#   proxy.pl ADDR:PORT TARGET CONTROL
#
# TARGET is ADDR:PORT or a path, CONTROL the path of a socket that takes one line
# a connection, "MODE [ARGUMENT]" or "count", and answers with one line when the
# mode is in effect.  One process, one select loop; what it holds back is bounded
# by not reading on.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my ($at, $target, $control_path) = @ARGV;
my $HELD_MAX = 4 * 1024 * 1024;
my %MODE = map { $_ => 1 } qw(pass cut blackhole delay garbage half refuse hang);

$SIG{PIPE} = 'IGNORE';

my ($mode, $argument) = ('pass', '');
my %count = (accepted => 0, sent => 0, received => 0);
my ($listener, @fill);

# fileno => { s => socket, peer => its other half, side => 'client' | 'server',
#             out => [[due, bytes, last]], held => n, eof => }
my %half;

my $control = IO::Socket::UNIX->new(Local => $control_path, Listen => 8)
    or die "$control_path: $!\n";
listen_again();
$| = 1;
print "ready\n";

while (1) {
    my @read = ($control, $listener && $mode ne 'hang' ? $listener : ());
    push @read, map { $_->{s} } grep { wants_more($_) } values %half;
    my $now = time;
    my @due = map { @{ $_->{out} } ? $_->{out}[0][0] : () } values %half;
    my ($next) = sort { $a <=> $b } @due;
    my @write = map { $_->{s} } grep { @{ $_->{out} } && $_->{out}[0][0] <= $now } values %half;
    my $wait = defined $next && $next > $now ? $next - $now : undef;
    my ($r, $w) = IO::Select->select(IO::Select->new(@read),
        @write ? IO::Select->new(@write) : undef, undef, $wait);
    flush_out($_) for map { $half{ fileno $_ } || () } @{ $w || [] };
    for my $s (@{ $r || [] }) {
        if ($s == $control) { command() }
        elsif ($listener && $s == $listener) { take() }
        elsif (defined fileno $s && $half{ fileno $s }) { move($half{ fileno $s }) }
    }
}

sub listen_again {
    return if $listener;
    $listener = IO::Socket::INET->new(LocalAddr => $at, Listen => 256, ReuseAddr => 1)
        or die "$at: $!\n";
    return;
}

# A half is read while there is room for what it says.  blackhole: read on and
# forget, as a network does that loses what is sent.
sub wants_more {
    my ($h) = @_;
    return !$h->{eof} && $h->{peer}{held} < $HELD_MAX;
}

sub take {
    my $c = $listener->accept or return;
    $count{accepted}++;
    return reset_socket($c) if $mode eq 'cut';
    my $s = $target =~ m{^/} ? IO::Socket::UNIX->new(Peer => $target)
        : IO::Socket::INET->new(PeerAddr => $target);
    return reset_socket($c) if !$s;
    my @h = map { { s => $_->[0], side => $_->[1], out => [], held => 0 } } [$c, 'client'], [$s, 'server'];
    ($h[0]{peer}, $h[1]{peer}) = ($h[1], $h[0]);
    for my $h (@h) {
        $h->{s}->blocking(0);
        setsockopt $h->{s}, IPPROTO_TCP, TCP_NODELAY, 1 if $h->{s}->isa('IO::Socket::INET');
        $half{ fileno $h->{s} } = $h;
    }
    return;
}

# move($half) - what one side says goes, or not, to the other.
sub move {
    my ($h) = @_;
    my $n = sysread $h->{s}, my $bytes, 65536;
    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    return drop($h) if !defined $n;
    if (!$n) {
        $h->{eof} = 1;
        return if $mode eq 'blackhole';
        push @{ $h->{peer}{out} }, [due($h), '', 1];
        return;
    }
    my $reply = $h->{side} eq 'server';
    $count{ $reply ? 'sent' : 'received' } += $n;
    return if $mode eq 'blackhole';
    my $last = 0;
    if ($reply && $mode eq 'garbage') {
        my $unit = length $argument ? pack 'H*', $argument : "\xff\x00!\r\n";
        $bytes = substr $unit x (1 + length($bytes) / length $unit), 0, length $bytes;
    } elsif ($reply && $mode eq 'half') {
        $bytes = substr $bytes, 0, length($bytes) / 2;
        $last = 1;
    }
    push @{ $h->{peer}{out} }, [due($h), $bytes, $last];
    $h->{peer}{held} += length $bytes;
    return;
}

sub due {
    my ($h) = @_;
    return time + ($mode eq 'delay' && $h->{side} eq 'server' ? $argument / 1000 : 0);
}

sub flush_out {
    my ($h) = @_;
    while (@{ $h->{out} } && $h->{out}[0][0] <= time) {
        my $first = $h->{out}[0];
        if (length $first->[1]) {
            my $n = syswrite $h->{s}, $first->[1];
            return if !defined $n && $!{EAGAIN};
            return drop($h) if !defined $n;
            substr $first->[1], 0, $n, '';
            $h->{held} -= $n;
            next if length $first->[1];
        }
        shift @{ $h->{out} };
        return drop($h) if $first->[2];
    }
    return;
}

# drop($half) - both sides close.
sub drop {
    my ($h, $reset) = @_;
    for my $each ($h, $h->{peer}) {
        delete $half{ fileno $each->{s} };
        $each->{out} = [];
        $reset ? reset_socket($each->{s}) : close $each->{s};
    }
    delete $h->{peer}{peer};
    delete $h->{peer};
    return;
}

sub reset_socket {
    my ($s) = @_;
    setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $s;
    return;
}

sub drop_all {
    my @all = values %half;
    for my $h (@all) {
        drop($h, 1) if $h->{peer};
    }
    return;
}

# full_queue() - nobody accepts, and the queue of the listening socket is full:
# who connects gets no answer at all.
sub full_queue {
    close $listener if $listener;
    $listener = IO::Socket::INET->new(LocalAddr => $at, Listen => 1, ReuseAddr => 1)
        or die "$at: $!\n";
    for (1 .. 4) {
        push @fill, IO::Socket::INET->new(PeerAddr => $at, Blocking => 0);
    }
    return;
}

sub command {
    my $c = $control->accept or return;
    my $line = <$c>;
    my ($word, $value) = split ' ', defined $line ? $line : '';
    if (defined $word && $word eq 'count') {
        my $open = grep { $_->{side} eq 'client' } values %half;
        print {$c} join(' ', map({"$_=$count{$_}"} sort keys %count), "open=$open"), "\n";
    } elsif (!defined $word || !$MODE{$word}) {
        print {$c} "unknown mode\n";
    } else {
        set_mode($word, defined $value ? $value : '');
        print {$c} "ok\n";
    }
    close $c;
    return;
}

sub set_mode {
    my ($word, $value) = @_;
    if ($mode eq 'hang' || $word eq 'hang' || $word eq 'refuse') {
        close $listener if $listener;
        close $_ for grep {defined} splice @fill;
        $listener = undef;
    }
    ($mode, $argument) = ($word, $value);
    drop_all() if $mode =~ /^(?:cut|refuse|hang)$/;
    full_queue() if $mode eq 'hang';
    listen_again() if $mode ne 'refuse';
    return;
}
