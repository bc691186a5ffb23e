# Bodies over HTTP/2, where a length is not needed, arrive whole under the same
# limits.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use Digest::SHA ();

my $MB = 1024 * 1024;
my $body = sample('07')->{request};
standin(azure => {});
my $n = nginx(backends => ['azure'], ssl => 1, http2 => 1);

# padded($name, $size) - a message of exactly that many bytes
sub padded {
    my ($name, $size) = @_;
    my $body = sample($name)->{request};
    my $pad = ' ' x ($size - length $body);
    $body =~ s/(<\/\w+:Envelope>)\s*\z/$pad$1/;
    return $body . ' ' x ($size - length $body);
}

# whole($what, $response, $body) - 200, and the backend got that body
sub whole {
    my ($what, $r, $body) = @_;
    my ($j) = (journal())[-1];
    ok($r && $r->status == 200 && $j->{length} == length $body && $j->{sha256} eq Digest::SHA::sha256_hex($body)
        && !$j->{violation}, $what) or diag $r ? $r->status : 'no answer', ' ', $j->{violation} || '';
    return;
}

my @h2 = (args => ['--http2'], method => 'POST');
my $h2 = sub {
    my ($name, $message) = @_;
    my $m = sample($name);
    return curl($n->url($m->{path}), @h2, body => $message, headers => ['Content-Length:', 'Authorization: ' . negotiate('EXCH01$'),
        'Expect:', map {"$_->[0]: $_->[1]"} @{ $m->{headers} }]);
};
my $r = $h2->('07', $body);
is($r->{version}, 'HTTP/2', 'HTTP/2');
whole('without a length', $r, $body);
my $full = padded('07', 16 * $MB);
whole('16 MiB without a length', $h2->('07', $full), $full);
is($h2->('07', "$full ")->status, 413, 'one more is too large');
is($h2->('12', padded('12', $MB) . ' ')->status, 413, 'as is 1 MiB and one elsewhere');
whole('and the connection of others is not hurt', $h2->('07', $body), $body);

is_deeply([violations()], [], 'the backend saw nothing odd');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
is_deeply([$n->temp_files], [], 'no temporary file');

done_testing();
