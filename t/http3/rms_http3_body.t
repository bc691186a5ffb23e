# Bodies over HTTP/3: whole, under the same limits as elsewhere, in memory that
# is given back, and reckoned with the frames they come in.

use FindBin;
use lib "$FindBin::Bin/../lib";
use RMS::Test;
use RMS::HTTP3;

use Digest::SHA qw(sha256_hex);

my $MB = 1024 * 1024;
my $port = free_port();
standin(azure => {});
my $n = nginx(port => $port, ssl => 1, pass => 'azure', server => quic($port), http => "rms_body_memory 24m;\n");
my $s = sample('07');

# padded($name, $size) - a message of exactly that many bytes
sub padded {
    my ($name, $size) = @_;
    my $body = sample($name)->{request};
    my $pad = ' ' x ($size - length $body);
    $body =~ s/(<\/\w+:Envelope>)\s*\z/$pad$1/;
    return $body . ' ' x ($size - length $body);
}

# by_curl($name, $body, @headers) - a message in that body
sub by_curl {
    my ($name, $body, @headers) = @_;
    my $m = sample($name);
    return curl3($n->url($m->{path}), method => 'POST', body => $body,
        headers => ['Authorization: ' . negotiate('EXCH01$'), 'Expect:', @headers, map {"$_->[0]: $_->[1]"} @{ $m->{headers} }]);
}

# by_frames(%o) - sample 07 with a length, in the frames of streams()
sub by_frames {
    my (%o) = @_;
    return (streams($port, { method => 'POST', path => $s->{path}, body => $s->{request}, length => length $s->{request},
        headers => [@{ $s->{headers} }, [Authorization => negotiate('EXCH01$')]], %o }))[0];
}

# said() - how often the module, not nginx, found a body of sample 07 too large
sub said {
    my $count = () = $n->error_log =~ /rms denied: reason=body_too_large account="EXCH01\$\@RMS.TEST" \S+ \S+ operation=AcquireLicense/g;
    return $count;
}

# whole($what, $response, $body) - 200, and the backend got that body
sub whole {
    my ($what, $r, $body) = @_;
    my ($j) = (journal())[-1];
    ok($r->status == 200 && $j->{length} == length $body && $j->{sha256} eq sha256_hex($body) && !$j->{violation}, $what)
        or diag $r->status, ' ', $j->{violation} || '';
    return;
}

# all by real clients
my $full = padded('07', 16 * $MB);
my @no_length = ('Content-Length:');
my $r = by_curl('07', $s->{request});
is($r->{version}, 'HTTP/3', 'HTTP/3');
whole('a message', $r, $s->{request});
whole('16 MiB', by_curl('07', $full), $full);
whole('without a length', by_curl('07', $s->{request}, @no_length), $s->{request});
whole('16 MiB without a length', by_curl('07', $full, @no_length), $full);

# not by curl: it may see that it shall stop before it sees the answer
my $info = sample('12');
for my $case (['16 MiB and one, by the length', $s, body => 100, length => 16 * $MB + 1],
    ['1 MiB and one elsewhere, by the length', $info, body => 100, length => $MB + 1],
    ['1 MiB and one elsewhere, when it has come', $info, body => $MB + 1, length => undef])
{
    my ($what, $m, %o) = @$case;
    is(by_frames(path => $m->{path}, headers => [@{ $m->{headers} }, [Authorization => negotiate('EXCH01$')]], %o)->status, 413, $what);
    whole("$what: others are served", by_curl('07', $s->{request}), $s->{request});
}

# frames
whole('in many small frames', by_frames(size => 100), $s->{request});
whole('after some that nobody knows', by_frames(unknown => 100), $s->{request});
my $before = said();
is(by_frames(unknown => 40_000)->status, 413, 'after many: the memory for them was never taken');
is(by_frames(size => 1)->status, 413, 'nor for frames that are three times the body');
is(said() - $before, 2, 'and the log says that this is why');
whole('and others are served', by_frames(), $s->{request});

# a body that ends before its end: each takes all the memory there is
forget_journal();
for my $time (1 .. 3) {
    is(by_frames(body => $MB / 4, length => 16 * $MB, cut => 1)->status, 0, "a client that goes away half-way, $time");
    wait_for(sub { by_frames()->status == 200 }, 'the memory is given back');
    is(by_frames(body => 1000, length => 2000)->status, 400, "a body that is shorter than it says, $time");
    whole("and others are served, $time", by_frames(), $s->{request});
}
is(scalar(grep { $_->{length} != length $s->{request} } journal()), 0, 'no part of one reached the backend');

unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([$n->temp_files], [], 'no temporary file');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
