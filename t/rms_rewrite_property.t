# Random damage passes through unchanged or is refused, and never moves an
# address of its own: the property of protocol.md 10.  TEST_RMS_SEED=n repeats
# a run, TEST_RMS_ROUNDS=n makes it longer.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;
use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(encode_base64);

my $seed = $ENV{TEST_RMS_SEED} || 20250304;
my $rounds = $ENV{TEST_RMS_ROUNDS} || 120;
note "seed $seed, $rounds rounds";
srand $seed;

standin(azure => { allow => [qw(xml doctype envelope body-child signature unsigned)] });
my $n = nginx(auth => 'off', allow => ['user any'], server => 'rms_grant user FindServiceLocations;');
my $c = client(addr(), $n->port);

# ask($name, \%behaviour, %o) - one call on a kept connection; a connection
# that was closed is opened again.
sub ask {
    my ($name, $how, %o) = @_;
    control(azure => $how);
    my $r = post_sample($name, account => undef, client => $c, %o);
    $c = client(addr(), $n->port)
        if !$r || !$r->{complete} || lc($r->header('connection') // '') eq 'close';
    return $r;
}

# transport() - how a backend may cut an answer into pieces.
sub transport {
    my $size = 1 + int rand(rand() < 0.2 ? 40 : 3000);
    return rand() < 0.3 ? {} : rand() < 0.5 ? { chunk => $size } : { write => $size };
}

# damage($text, $keep) - one or two random bytes changed, none where $keep->($at).
sub damage {
    my ($text, $keep) = @_;
    for (1 .. 1 + int rand 2) {
        my $at;
        do { $at = int rand length $text } while $keep->($at);
        substr($text, $at, 1) = rand() < 0.5 ? chr(ord(substr $text, $at, 1) ^ 1 << int rand 8) : chr int rand 256;
    }
    return $text;
}

# the places of a sample: [from, to, new value]
sub places {
    my ($name) = @_;
    my $s = sample($name);
    my ($in, $out) = ($s->{response}, $s->{relayed});
    my @place;
    my $pattern = $name eq '12' ? qr/(?<=\sUrl=")[^"]+/ : qr/(?<=<URL>)[^<]+/;
    my @new = $out =~ /$pattern/g;
    push @place, [$-[0], $+[0], shift @new] while $in =~ /$pattern/g;
    die $name if @new || !@place;
    return @place;
}

# allowed($text, @places) - every output that is right for this input: each
# place as it was or rewritten, all else as it was.
sub allowed {
    my ($text, @places) = @_;
    my ($at, $pattern) = (0, '');
    for (@places) {
        my ($from, $to, $new) = @$_;
        $pattern .= quotemeta(substr $text, $at, $from - $at)
            . '(?:' . quotemeta($new) . '|' . quotemeta(substr $text, $from, $to - $from) . ')';
        $at = $to;
    }
    return $pattern . quotemeta substr $text, $at;
}

# rewritten answers
for my $name (qw(01 12 14)) {
    my @places = places($name);
    my ($passed, $refused, @wrong) = (0, 0);
    for my $round (1 .. $rounds) {
        my $text = damage(sample($name)->{response}, sub {
            my ($at) = @_;
            return scalar grep { $at >= $_->[0] && $at < $_->[1] } @places;
        });
        my $r = ask($name, { %{ transport() }, body_b64 => encode_base64($text, '') });
        if ($r->status == 502) {
            $refused++;
        } elsif ($r->status == 200 && $r->{complete} && $r->header('content-length') == length $r->body
            && $r->body =~ /\A(?:@{[allowed($text, @places)]})\z/s)
        {
            $passed++;
        } else {
            push @wrong, $round;
            spew(dir() . "/wrong.$name.$round.in", $text);
            spew(dir() . "/wrong.$name.$round.out", $r->body);
        }
    }
    is_deeply(\@wrong, [], "$name: damaged answers pass but for their places, or are refused")
        or diag "seed $seed; KEEP=1 keeps " . dir();
    cmp_ok($passed, '>', 0, "$name: some were passed ($passed)");
    cmp_ok($refused, '>', 0, "$name: some were refused ($refused)");
}

# streamed answers: nothing is refused
my @wrong;
for my $round (1 .. $rounds / 2) {
    my $name = (qw(02 04 07 09 10))[int rand 5];
    my $text = damage(sample($name)->{response}, sub {0});
    my $r = ask($name, { %{ transport() }, body_b64 => encode_base64($text, '') });
    push @wrong, "$round $name" if $r->status != 200 || $r->body ne $text || !$r->{complete};
}
is_deeply(\@wrong, [], 'damaged answers of other operations pass as they are');

# requests: to the backend as they are, or not at all
control(azure => {});
my ($passed, $refused) = (0, 0);
@wrong = ();
for my $round (1 .. $rounds) {
    my $name = (qw(02 04 05 06 07 09 10))[int rand 7];
    my $text = damage(sample($name)->{request}, sub { $round % 2 && $_[0] > 600 });
    forget_journal();
    my $r = ask($name, {}, body => $text, rand() < 0.5 ? (chunked => 1 + int rand 5000) : ());
    my @seen = journal();
    if (!@seen && $r->status =~ /^(400|415)$/) {
        $refused++;
    } elsif (@seen == 1 && $seen[0]{sha256} eq sha256_hex($text) && $seen[0]{path} eq sample($name)->{path}
        && $seen[0]{operation} eq sample($name)->{operation})
    {
        $passed++;
    } else {
        push @wrong, "$round $name " . $r->status;
    }
}
is_deeply(\@wrong, [], 'damaged requests reach the backend as they are, or not at all') or diag "seed $seed";
cmp_ok($passed, '>', 0, "some were passed ($passed)");
cmp_ok($refused, '>', 0, "some were refused ($refused)");

# undamaged, in pieces of any size: signatures verify
for my $name (qw(01 02 04 07 07d 10 12 14)) {
    my $r = ask($name, transport());
    is($r->status, 200, "$name: answered");
    ok($r->body eq sample($name)->{relayed}, "$name: the bytes");
    cmp_ok(certificates($r->body), '>=', 0, "$name: the signatures verify");
    ok(check_relayed(sample($name)->{response}, $r->body), "$name: every licence is the same");
}

is($n->error_log =~ /\[alert\]|\[emerg\]|\[crit\]|exited on signal/, '', 'the worker lives and is not alarmed');

done_testing();
