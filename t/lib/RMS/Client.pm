package RMS::Client;

# A client that can also misbehave: raw HTTP/1.1 over a socket, and curl for
# what real clients do (Negotiate, TLS, HTTP/2).

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use RMS::Certs;
use RMS::Env;
use RMS::KDC;

our @EXPORT = qw(client build_request curl);

# client($addr, $port, timeout => s, from => '127.x') - a connected client,
# from that address.
sub client {
    my ($host, $port, %o) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port,
        Timeout => 10, $o{from} ? (LocalAddr => $o{from}) : ()) or croak "connect $host:$port: $!";
    $s->autoflush(1);
    return bless { s => $s, in => '', timeout => $RMS::Env::DEADLINE, %o }, __PACKAGE__;
}

# build_request(method =>, path =>, host =>, version =>, headers => [[k, v]],
# body =>, chunked => n) - the bytes of a request.  Content-Length is added
# unless it is among the headers (undef as its value leaves it out).
sub build_request {
    my (%o) = @_;
    my @headers = (['Host', $o{host} || 'rmsconnector.rms.test'], @{ $o{headers} || [] });
    my %given = map { lc $_->[0] => 1 } @{ $o{headers} || [] };
    shift @headers if $given{host};
    my $body = defined $o{body} ? $o{body} : '';
    if ($o{chunked}) {
        push @headers, ['Transfer-Encoding', 'chunked'];
        $body = chunked($body, $o{chunked});
    } elsif (!$given{'content-length'} && (length $body || ($o{method} || '') eq 'POST')) {
        push @headers, ['Content-Length', length $body];
    }
    my $head = join ' ', $o{method} || 'GET', $o{path} || '/', $o{version} || 'HTTP/1.1';
    for my $pair (@headers) {
        $head .= "\r\n$pair->[0]: $pair->[1]" if defined $pair->[1];
    }
    return "$head\r\n\r\n$body";
}

sub chunked {
    my ($body, $size) = @_;
    my $out = '';
    for (my $at = 0; $at < length $body; $at += $size) {
        my $part = substr $body, $at, $size;
        $out .= sprintf "%x\r\n%s\r\n", length $part, $part;
    }
    return $out . "0\r\n\r\n";
}

# write($bytes) - all of it; false when the peer is gone.
sub write {
    my ($self, $bytes) = @_;
    my $at = 0;
    my $end = time + $self->{timeout};
    while ($at < length $bytes) {
        return 0 unless IO::Select->new($self->{s})->can_write($end - time);
        my $n = syswrite $self->{s}, $bytes, length($bytes) - $at, $at;
        return 0 unless defined $n;
        $at += $n;
    }
    return 1;
}

# write_split($bytes, $size) - in pieces of $size, each its own packet.
sub write_split {
    my ($self, $bytes, $size) = @_;
    setsockopt $self->{s}, 6, 1, 1;
    for (my $at = 0; $at < length $bytes; $at += $size) {
        $self->write(substr $bytes, $at, $size) or return 0;
        nap() if $at / $size < 20;
    }
    return 1;
}

# request(%o) - build_request() and write().
sub request {
    my ($self, %o) = @_;
    $self->{head_only} = ($o{method} || '') eq 'HEAD';
    return $self->write(build_request(%o));
}

# half_close() - no more bytes from us.    close() - and none from them.
# reset() - RST.
sub half_close { shutdown $_[0]{s}, 1 }
sub close      { CORE::close $_[0]{s} }
sub reset {
    my ($self) = @_;
    setsockopt $self->{s}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    return CORE::close $self->{s};
}

sub fill {
    my ($self) = @_;
    my $end = $self->{timeout};
    IO::Select->new($self->{s})->can_read($end) or croak 'no answer in time';
    my $n = sysread $self->{s}, $self->{in}, 65536, length $self->{in};
    return $n;
}

sub read_line {
    my ($self) = @_;
    my $at;
    while (($at = index $self->{in}, "\n") < 0) {
        return undef unless $self->fill;
    }
    my $line = substr $self->{in}, 0, $at + 1, '';
    $line =~ s/\r?\n\z//;
    return $line;
}

sub read_bytes {
    my ($self, $n) = @_;
    while (length $self->{in} < $n) {
        last unless $self->fill;
    }
    return substr $self->{in}, 0, $n, '';
}

sub read_to_end {
    my ($self) = @_;
    1 while $self->fill;
    return substr $self->{in}, 0, length $self->{in}, '';
}

# response() - the next answer as an RMS::Response, undef at the end of stream.
# 100 Continue is skipped unless continue => 1.
sub response {
    my ($self, %o) = @_;
    my $first = $self->read_line;
    return undef unless defined $first && length $first;
    my ($version, $status, $reason) = $first =~ m{^(HTTP/\S+) (\d{3}) ?(.*)$}
        or croak "not HTTP: $first";
    my @pairs;
    while (1) {
        my $line = $self->read_line;
        croak 'headers cut short' unless defined $line;
        last if $line eq '';
        push @pairs, [split /:\s*/, $line, 2];
    }
    my $r = bless { version => $version, status => $status, reason => $reason,
        pairs => \@pairs, body => '', complete => 1 }, 'RMS::Response';
    return $o{continue} ? $r : $self->response if $status == 100;
    $self->read_body($r) unless $self->{head_only} || $status =~ /^(204|304)$/;
    $self->{head_only} = 0;
    return $r;
}

sub read_body {
    my ($self, $r) = @_;
    my $length = $r->header('content-length');
    if (($r->header('transfer-encoding') || '') =~ /chunked/i) {
        while (1) {
            my $size = $self->read_line;
            return $r->{complete} = 0 unless defined $size && $size =~ /^([0-9a-f]+)/i;
            my $n = hex $1;
            last if !$n && defined $self->read_line;
            $r->{body} .= substr $self->read_bytes($n + 2), 0, $n;
            push @{ $r->{chunks} }, $n;
        }
    } elsif (defined $length) {
        $r->{body} = $self->read_bytes($length);
        $r->{complete} = length $r->{body} == $length;
    } else {
        $r->{body} = $self->read_to_end;
        $r->{to_end} = 1;
    }
    return;
}

# at_end() - true when the peer has closed and nothing is left to read.
sub at_end {
    my ($self) = @_;
    return 0 if length $self->{in};
    return !$self->fill;
}

# curl($url, account => 'EXCH01$', addr =>, from =>, args => [...],
# headers => [...], body =>, method =>) - what a real client gets; an RMS::Response with
# {exit}, {stderr} and {legs}, the number of answers seen.
my $curls = 0;

sub curl {
    my ($url, %o) = @_;
    my $base = sprintf '%s/curl.%d.%d', dir(), $$, ++$curls;
    my ($scheme, $host, $port) = $url =~ m{^(https?)://([^/:]+)(?::(\d+))?};
    $port ||= $scheme eq 'https' ? 443 : 80;
    my @args = ('curl', '-q', '-sS', '-m', $RMS::Env::DEADLINE, '-D', "$base.h",
        '-o', "$base.b", '--noproxy', '*', '--path-as-is',
        '--resolve', "$host:$port:" . ($o{addr} || addr()));
    push @args, '--interface', $o{from} if $o{from};
    push @args, '--cacert', ca() if $scheme eq 'https';
    push @args, '--negotiate', '-u', ':' if defined $o{account} || defined $o{ccache};
    push @args, '-X', $o{method} if $o{method} && !defined $o{body};
    push @args, map { ('-H', $_) } @{ $o{headers} || [] };
    push @args, '--data-binary', '@' . spew("$base.in", $o{body}) if defined $o{body};
    my $env = kdc()->env($o{account});
    $env->{KRB5CCNAME} = $o{ccache} if defined $o{ccache};
    my ($exit, $text) = run([@args, @{ $o{args} || [] }, $url], env => $env);
    my $r = RMS::Response->parse(slurp("$base.h"), slurp("$base.b"));
    unlink map {"$base.$_"} qw(h b in);
    @$r{qw(exit stderr)} = ($exit, $text);
    return $r;
}


package RMS::Response;

# {status} {reason} {version} {pairs} {body} {complete} {chunks}

# parse($heads, $body) - from curl's files; the last block of headers counts.
sub parse {
    my ($class, $heads, $body) = @_;
    my @blocks = grep { length && !m{^HTTP/\S+ 100} } split /\r?\n\r?\n/, $heads;
    my $self = bless { status => 0, pairs => [], body => $body,
        legs => scalar @blocks }, $class;
    return $self unless @blocks;
    my ($first, @lines) = split /\r?\n/, $blocks[-1];
    @$self{qw(version status reason)} = $first =~ m{^(HTTP/\S+) (\d{3}) ?(.*)$};
    $self->{pairs} = [map { [split /:\s*/, $_, 2] } @lines];
    return $self;
}

# all($name) - every value of a header.    header($name) - the first one.
sub all {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{pairs} };
}

sub header {
    my ($self, $name) = @_;
    return ($self->all($name))[0];
}

sub status { $_[0]{status} }
sub body   { $_[0]{body} }

1;
