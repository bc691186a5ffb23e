package RMS::Env;

# The ground every test stands on: a private folder, a private loopback
# address, free ports, and processes that are always ended.
#
# The folder is 0755 and keytabs are 0640 with the group of nginx workers, so
# that workers run as "nobody" when the tests run as root, as in production.

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Socket qw(pack_sockaddr_in inet_aton PF_INET SOCK_STREAM);
use Time::HiRes qw(time);

our @EXPORT = qw(addr dir root slurp spew free_port spawn stop_process alive
    run wait_for wait_port worker_user worker_group share_with_worker nap);

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');
our $DEADLINE = $ENV{TEST_RMS_DEADLINE} || 20;

# how long nginx may take to finish its requests before it is told to end: only
# a worker that leaves gracefully is looked at for leaks (t/asan/leak)
our $GRACE = $ENV{TEST_RMS_GRACE} || 0;

my $owner = $$;
my ($dir, $addr, $next_port, %taken, %process, $kept_silently);

$SIG{PIPE} = 'IGNORE';
for my $sig (qw(INT TERM HUP)) {
    $SIG{$sig} = sub { exit 130 };
}

# root() - the project's folder.
sub root { $ROOT }

# dir() - the private folder, made on first use.
sub dir {
    return $dir if defined $dir;
    $dir = tempdir('rms-test.' . 'X' x 8, TMPDIR => 1);
    chmod 0755, $dir;
    return $dir;
}

# addr() - an address of 127.0.0.0/8 that only this process uses.
sub addr {
    $addr ||= sprintf '127.%d.%d.%d', 64 + ($owner >> 16 & 63),
        $owner >> 8 & 255, 1 + ($owner & 255) % 254;
    return $addr;
}

# free_port() - a port below the ephemeral range that can be bound now; never
# the same one twice.
sub free_port {
    $next_port ||= 20000 + $owner * 13 % 8000;
    for (1 .. 4000) {
        my $port = $next_port++;
        $next_port = 20000 if $next_port > 31999;
        next if $taken{$port}++;
        socket my $s, PF_INET, SOCK_STREAM, 0 or croak "socket: $!";
        return $port if bind $s, pack_sockaddr_in($port, inet_aton(addr()));
    }
    croak 'no free port';
}

# slurp($file) - the bytes of a file, '' when there is none.
sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# spew($file, $bytes) - replaces a file in one step; returns its name.
sub spew {
    my ($file, $bytes) = @_;
    open my $fh, '>:raw', "$file.new" or croak "$file: $!";
    print {$fh} $bytes;
    close $fh or croak "$file: $!";
    rename "$file.new", $file or croak "$file: $!";
    return $file;
}

# nap() - one turn of a polling loop.
sub nap { select undef, undef, undef, 0.01 }

# wait_for(sub { ... }, $what, $seconds) - polls until true, returns the value;
# dies at the deadline.
sub wait_for {
    my ($check, $what, $seconds) = @_;
    my $end = time + ($seconds || $DEADLINE);
    while (1) {
        my $value = $check->();
        return $value if $value;
        croak 'timed out: ' . ($what || 'wait_for') if time > $end;
        nap();
    }
}

# wait_port($addr, $port, $pid) - until something accepts there.
sub wait_port {
    my ($host, $port, $pid) = @_;
    return wait_for(sub {
        croak "process $pid ended before it listened" if $pid && !alive($pid);
        return IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port);
    }, "port $host:$port");
}

# spawn($name, \@command, env => {}, out => $file) - starts a process in its
# own process group and remembers it; returns its pid.
sub spawn {
    my ($name, $command, %o) = @_;
    my $out = $o{out} || dir() . "/$name.out";
    my $pid = fork;
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        setpgrp 0, 0;
        $ENV{$_} = $o{env}{$_} for keys %{ $o{env} || {} };
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $out or POSIX::_exit(127);
        open STDERR, '>&', \*STDOUT;
        { no warnings 'exec'; exec { $command->[0] } @$command; }
        POSIX::_exit(127);
    }
    $process{$pid} = $name;
    return $pid;
}

# alive($pid) - whether a spawned process still runs (reaps it if not).
sub alive {
    my ($pid) = @_;
    return 0 unless $process{$pid};
    return 1 if waitpid($pid, WNOHANG) == 0;
    delete $process{$pid};
    return 0;
}

# stop_process($pid, $signal, $seconds) - ends a process: the signal (default
# TERM), and KILL for its group at the deadline.  True when KILL was not needed.
sub stop_process {
    my ($pid, $signal, $seconds) = @_;
    return 1 unless alive($pid);
    if ($GRACE && !$signal && $process{$pid} =~ /^nginx/) {
        kill 'QUIT', $pid;
        return 1 if eval { wait_for(sub { !alive($pid) }, "end of $pid", $GRACE) };
    }
    kill $signal || 'TERM', $pid;
    return 1 if eval { wait_for(sub { !alive($pid) }, "end of $pid", $seconds || 10) };
    kill 'KILL', -$pid, $pid;
    eval { wait_for(sub { !alive($pid) }, "end of $pid", 5) };
    return 0;
}

# run(\@command, env => {}, in => $bytes) - (exit status, stdout and stderr).
sub run {
    my ($command, %o) = @_;
    my $in = '/dev/null';
    if (defined $o{in}) {
        $in = dir() . "/run.in.$$";
        spew($in, $o{in});
    }
    my $pid = open my $fh, '-|';
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        $ENV{$_} = $o{env}{$_} for keys %{ $o{env} || {} };
        open STDIN, '<', $in;
        open STDERR, '>&', \*STDOUT;
        { no warnings 'exec'; exec { $command->[0] } @$command; }
        print "$command->[0]: $!\n";
        STDOUT->flush;
        POSIX::_exit(127);
    }
    local $/;
    my $text = <$fh>;
    { local $!; local $?; close $fh; $o{status} = $?; }
    unlink $in if defined $o{in};
    return ($o{status} >> 8 || $o{status} & 127, defined $text ? $text : '');
}

# worker_user(), worker_group() - whom nginx workers run as under root.
sub worker_user  { 'nobody' }
sub worker_group { getgrnam('nogroup') ? 'nogroup' : 'nobody' }

# share_with_worker(@files) - readable for nginx workers, for nobody else.
sub share_with_worker {
    my $gid = getgrnam worker_group();
    for my $file (@_) {
        chown -1, $gid, $file if $> == 0 && defined $gid;
        chmod 0640, $file;
    }
    return;
}

# release() - forgets every process and keeps the folder: both outlive this
# program.  Returns the pids.
sub release {
    my @pids = keys %process;
    %process = ();
    $ENV{KEEP} = 1;
    $kept_silently = 1;
    return @pids;
}

# cleanup() - ends everything; also called at END, after die and after signals.
sub cleanup {
    for my $pid (sort { $b <=> $a } keys %process) {
        stop_process($pid);
    }
    if (defined $dir && !$ENV{KEEP}) {
        remove_tree($dir, { safe => 0 });
    } elsif (defined $dir && !$kept_silently) {
        print STDERR "# kept: $dir\n";
    }
    undef $dir;
    return;
}

END {
    if ($$ == $owner) {
        local $?;
        local $SIG{INT} = local $SIG{TERM} = 'IGNORE';
        cleanup();
    }
}

1;
