#!/usr/bin/perl
# http.pl MINUTES [SEED [FIRST]] - fuzzes a running nginx over HTTP/1 and
# HTTP/2, on ports with Kerberos, without it, with strict inspection, and with
# TLS, while the stand-in misbehaves at random.
#
# The nginx is TEST_NGINX_BINARY, or $BUILD/asan/nginx: a build with sanitizers
# and the module linked in.  Connection number n of a seed is always the same
# but for tokens; FIRST goes straight to one.  A finding is a sanitizer's
# report, a process that died, an alert in error.log, a rule of the stand-in
# that was broken, a connection that nothing ends, a good request that gets no
# good answer, and a worker that does not leave.  Its last connections go to
# $BUILD/fuzz/crashes/http.SEED.N; the run goes on, and fails at its end.

use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use Time::HiRes qw(time);

BEGIN {
    my ($build, $bin) = ($ENV{BUILD} || 'build', $ENV{TEST_NGINX_BINARY});
    $bin ||= "$build/asan/nginx";
    die "no nginx with sanitizers: run make test-asan, or set TEST_NGINX_BINARY\n" unless -x $bin;
    require Cwd;
    $ENV{TEST_NGINX_BINARY} = Cwd::abs_path($bin);
    $ENV{TEST_RMS_STATIC} //= 1;
}

use IO::Socket::SSL;
use RMS::Certs;
use RMS::Test plain => 1;
use Mutate;

my $ROUND = 1000;           # connections between two looks at the whole
my $LEAVE = 30;             # seconds within which nginx ends what hangs

my ($minutes, $seed, $first) = @ARGV;
die "usage: http.pl MINUTES [SEED [FIRST]]\n" unless $minutes && $minutes =~ /^[\d.]+$/;
$seed  ||= 1;
$first ||= 0;
my $folder = ($ENV{BUILD} || 'build') . '/fuzz/crashes';
my $reports = dir() . '/reports';
mkdir $reports;
chmod 0777, $reports;

# a worker writes its report as another user
umask 0;
$ENV{ASAN_OPTIONS}  = join ':', "log_path=$reports/asan", 'detect_leaks=1:leak_check_at_exit=0:handle_abort=1', $ENV{ASAN_OPTIONS} // ();
$ENV{UBSAN_OPTIONS} = join ':', "log_path=$reports/ubsan", 'print_stacktrace=1', $ENV{UBSAN_OPTIONS} // ();
$ENV{LSAN_OPTIONS}  = "print_suppressions=0:suppressions=$FindBin::Bin/../asan/lsan.supp";
$ENV{LEAK_CHECK_LOG} = spew(dir() . '/leaks', '');      # t/asan/leak: a byte for each worker
chmod 0666, $ENV{LEAK_CHECK_LOG};

# what a request changed by us may well be at the backend: the relay reads no
# further than the first element of the Body unless it is told to be strict
my %content = (allow => [qw(signature unsigned xml)]);
my %port = map { $_ => free_port() } qw(open strict h2 h2_open tls);

standin(azure => \%content, adrms => \%content);

# server($name, $lines) - a copy of the first server with other means.
sub server {
    my ($text, $name, %change) = @_;
    my ($block) = $text =~ /^(server \{\n.*?^\})\n\}\n\z/ms or die 'no server in the configuration';
    $block =~ s/listen \S+?(?= http2|;)/'listen ' . addr() . ":$port{$name}"/e;
    $block =~ s/;/ http2;/ if $name =~ /^h2/;
    if ($name eq 'tls') {
        my $c = cert($RMS::Nginx::HOST);
        $block =~ s/;/ ssl http2; ssl_certificate $c->{cert}; ssl_certificate_key $c->{key};/;
    }
    $block =~ s/\Q$_\E/$change{$_}/ or die "no $_" for keys %change;
    return "$block\n";
}

sub configuration {
    my @anonymous = ('rms_auth negotiate;' => 'rms_auth off;', 'rms_server any' => 'exchange any');
    my $text = conf(workers => 2, backends => [{ name => 'azure' }, { name => 'adrms', read_only => 'on' }],
        pass => 'azure adrms', allow => ['exchange account=EXCH01$@RMS.TEST', 'sharepoint account=SP01$@RMS.TEST',
            'fci account=FS01$@RMS.TEST', 'user account=~[a-z]+@RMS\.TEST', 'rms_server any'],
        http => join "\n", 'client_header_timeout 2s;', 'client_body_timeout 2s;', 'send_timeout 3s;',
            'keepalive_timeout 2s;', 'proxy_read_timeout 3s;', 'proxy_connect_timeout 3s;', 'lingering_close off;', 'rms_zone rms 64m;', '');
    my $more = server($text, 'open', @anonymous)
        . server($text, 'strict', 'rms_auth negotiate;' => 'rms_auth off; rms_inspect strict;', 'rms_server any' => 'exchange any')
        . server($text, 'h2') . server($text, 'h2_open', @anonymous)
        . server($text, 'tls');
    $text =~ s/\}\n\z/$more}\n/;
    return $text;
}

my $conf = configuration();
my $n = nginx($conf);
my (@last, @parked, %seen, @findings);
my %count = map { $_ => 0 } qw(connections requests answers h2 tls rounds);
my ($logged, $journalled) = (0, 0);

# finding($what, $detail) - says it, keeps the last connections.
sub finding {
    my ($what, $detail) = @_;
    my $where = "$folder/http.$seed.$count{connections}";
    push @findings, "$what (connection " . ($last[-1] ? $last[-1]{number} : '-') . ')';
    print STDERR "finding: $what\n$detail\n";
    system 'mkdir', '-p', $where;
    spew("$where/$_->{number}.$_->{kind}", $_->{text}) for @last;
    spew("$where/what", "$what\n$detail\n" . join '', map {"==> $_\n" . slurp($_)} glob "$reports/*");
    unlink glob "$reports/*";
    return;
}

# look() - what has come to light since the last time.
sub look {
    my $log = $n->prefix . '/error.log';
    if (-s $log > $logged) {
        open my $fh, '<:raw', $log or die "$log: $!";
        seek $fh, $logged, 0;
        my @bad = grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:/ } <$fh>;
        $logged = tell $fh;
        finding('alarm in error.log', join '', @bad[0 .. ($#bad > 19 ? 19 : $#bad)]) if @bad;
    }
    my @reports = grep {-s} glob "$reports/*";
    finding('report of a sanitizer', join "\n", map { substr slurp($_), 0, 3000 } @reports) if @reports;
    if (!alive($n->{pid})) {
        finding('nginx is gone', substr $n->error_log, -2000);
        $n = nginx($conf);
        $logged = 0;
    }
    my @broken = broken_rules();
    finding('the backend saw a broken rule', join "\n", @broken) if @broken;
    return;
}

# broken_rules() - what is cut off because we left, or reset, is no news.
sub broken_rules {
    my $file = standin()->{journal};
    open my $fh, '<:raw', $file or die "$file: $!";
    seek $fh, $journalled, 0;
    my @broken;
    while (my $line = <$fh>) {
        last unless $line =~ /\n\z/;
        $journalled += length $line;
        next if $line =~ /"violation": null/;
        my $j = $RMS::Standin::JSON->decode($line);
        next if $j->{violation} =~ /^(?:incomplete-head|incomplete-body|not-read)$/;
        push @broken, "$j->{listener} $j->{method} $j->{path} $j->{violation}: $j->{detail}";
    }
    return @broken;
}

# drain($socket, $idle) - reads until the end (true) or until nothing came for
# so long (false); counts answers.
sub drain {
    my ($c, $idle) = @_;
    my $select = IO::Select->new($c->{s});
    while ($select->can_read($idle)) {
        # what is to be read from TLS may be no data: a ticket
        $c->{s}->blocking(0);
        my $got = sysread $c->{s}, my $bytes, 65536;
        next if !defined $got && $!{EAGAIN};
        return 1 unless $got;
        if ($c->{kind} eq 'h1') {
            $count{answers} += () = $bytes =~ m{HTTP/1\.[01] \d\d\d}g;
            $seen{$1}++ while $bytes =~ m{HTTP/1\.[01] (\d\d\d)}g;
        } else {
            # frames of HEADERS, as long as they are not cut by our reading
            $count{answers} += () = $bytes =~ /\0..\x01[\x04\x05]\0\0\0[^\0]/sg;
        }
        $idle = .02;
    }
    return 0;
}

# one($number) - one connection, made from the seed and its number alone.
sub one {
    my ($number) = @_;
    srand $seed * 1_000_003 + $number;
    my $kind = chance(.3) ? 'h2' : 'h1';
    my $name = any($kind eq 'h2' ? qw(h2 h2 h2_open h2_open tls) : qw(main main open open strict tls));
    my $c = $kind eq 'h2' ? h2_connection() : connection();
    @$c{qw(kind number)} = ($kind, $number);
    push @last, $c;
    shift @last if @last > 20;
    control(any(qw(azure azure adrms)) => answer()) if chance(.3);

    my $client = eval { client(addr(), $port{$name} || $n->port) };
    return look() unless $client;
    $c->{s} = $client->{s};
    setsockopt $c->{s}, 6, 1, 1;
    $count{connections}++;
    $count{h2}++ if $kind eq 'h2';
    if ($name eq 'tls') {
        # now and then the two protocols are not the ones that follow
        my @alpn = chance(.9) ? ($kind eq 'h2' ? 'h2' : 'http/1.1') : any(['h2', 'http/1.1'], ['http/1.1'], ['x'], []);
        @alpn = @{ $alpn[0] } if ref $alpn[0];
        IO::Socket::SSL->start_SSL($c->{s}, SSL_verify_mode => SSL_VERIFY_NONE, Timeout => $LEAVE,
            SSL_hostname => $RMS::Nginx::HOST, @alpn ? (SSL_alpn_protocols => \@alpn) : ()) or return look();
        $count{tls}++;
    }
    for my $part (@{ $c->{parts} }) {
        $client->write($part) or last;
        nap() if chance(.2) && @{ $c->{parts} } > 1;
    }
    delete $c->{parts};
    if    ($c->{abort} eq 'reset') { $client->reset }
    elsif ($c->{abort} eq 'close') { $client->close }
    else {
        $client->half_close if $c->{abort} eq 'half';
        push @parked, { s => $c->{s}, kind => $kind, number => $number, since => time, text => $c->{text} } if !drain($c, .15) && $number % 10 == 0;
    }
    delete $c->{s};
    return;
}

# all_end() - nginx ends each connection that we left open.
sub all_end {
    for my $c (@parked) {
        my $end = time + $LEAVE;
        my $over = 0;
        $over = drain($c, $end - time) until $over || time > $end;
        push @last, $c;
        finding('a connection that nothing ends', "number $c->{number}") unless $over;
        pop @last;
    }
    @parked = ();
    return;
}

# good_still_good() - a message passes unchanged on every kind of port.
sub good_still_good {
    control($_ => {}) for qw(azure adrms);
    for my $port ($n->port, $port{open}, $port{strict}) {
        for my $name (qw(07 12)) {
            my $r = eval { post_sample($name, port => $port, $port == $n->port ? () : (account => undef)) };
            my $status = $r ? $r->status : 0;
            next if $r && $status == 200 && $r->body eq sample($name)->{relayed};
            finding('a good request without its good answer', "sample $name, port $port, status $status $@");
        }
    }
    return;
}

# round() - the whole looked at, and now and then a reload.
sub round {
    all_end();
    good_still_good();
    look();
    $count{rounds}++;
    my %old = map { $_ => 1 } $n->workers;
    if ($count{rounds} % 3 == 0) {
        my $left = eval { $n->reload && wait_for(sub { !grep { $old{$_} } $n->workers }, 'old workers', $LEAVE) };
        finding('workers that do not leave', $@) unless $left;
    }
    look();
    truncate standin()->{journal}, 0;
    $journalled = 0;
    return;
}

my $end = time + 60 * $minutes;
my $start = time;
my $number = $first;
good_still_good();
while (time < $end && @findings < 20) {
    one($number++);
    look() if $number % 20 == 0;
    round() if $number % $ROUND == 0;
    last if $first && $number >= $first + 20;
}
round();
finding('nginx does not quit', substr $n->error_log, -2000) unless $n->quit;
$logged = 0 if !-e $n->prefix . '/error.log';
look_at_end();

# look_at_end() - the log once more: what nginx says when it leaves counts too.
sub look_at_end {
    my @bad = grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:/ } split /^/, substr $n->error_log, $logged;
    finding('alarm in error.log', join '', @bad) if @bad;
    my @reports = grep {-s} glob "$reports/*";
    finding('report of a sanitizer', join "\n", map { slurp($_) } @reports) if @reports;
    return;
}

my %reason;
$reason{ $_->{rms_reason} || 'none' }++ for $n->access_log;
printf "seed %d, connections %d..%d in %d s: %d sent (%d HTTP/2, %d TLS), %d answers (%s), %d rounds, %d workers looked at for leaks\n", $seed, $first, $number - 1,
    time - $start, @count{qw(connections h2 tls answers)}, join(' ', map {"$_:$seen{$_}"} sort keys %seen), $count{rounds}, -s $ENV{LEAK_CHECK_LOG};
print 'reasons: ', join(' ', map {"$_:$reason{$_}"} sort { $reason{$b} <=> $reason{$a} } keys %reason), "\n";
print "findings: ", scalar(@findings), "\n", map {"  $_\n"} @findings;
exit(@findings ? 1 : 0);
