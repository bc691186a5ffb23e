package RMS::Samples;

# The signed messages of t/samples, and the promises they let a test check.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use RMS::Client;
use RMS::Env;
use RMS::Gss;
use RMS::Nginx;
use RMS::Standin;

our @EXPORT = qw(samples sample negatives http post_sample check_same
    check_relayed certificates no_secrets);

my ($manifest, %cache);

sub manifest {
    return $manifest ||= $RMS::Standin::JSON->decode(slurp(root() . '/t/samples/manifest.json'));
}

# samples() - names in the order of the manifest.
sub samples { return map { $_->{name} } @{ manifest()->{messages} } }

# sample($name) - { name, operation, path, headers => [[k, v]], request,
# response, relayed, status, ... }; a prefix such as "07b" is enough.  relayed
# is what the relay must answer: the response itself where nothing is rewritten.
sub sample {
    my ($name) = @_;
    return $cache{$name} if $cache{$name};
    my ($m) = grep { $_->{name} eq $name || $_->{name} =~ /^\Q$name\E-/ } @{ manifest()->{messages} };
    croak "no sample $name" unless $m;
    my %s = (%$m, headers => pairs($m->{headers}));
    for my $part (qw(request response relayed)) {
        $s{$part} = defined $m->{$part} ? slurp(root() . "/t/samples/$m->{$part}") : undef;
    }
    $s{relayed} = $s{response} unless defined $s{relayed};
    return $cache{$name} = \%s;
}

sub pairs {
    my ($hash) = @_;
    return [map { [$_, $hash->{$_}] } sort keys %$hash];
}

# negatives() - the ways round a publish denial: { name, method, path,
# headers => [[k, v]], body, why }.  Content-Type is added where it is missing.
sub negatives {
    return map {
        my %n = %$_;
        my %h = ('Content-Type' => 'text/xml; charset=utf-8', %{ $n{headers} });
        $n{headers} = pairs(\%h);
        $n{body} = defined $n{body} ? slurp(root() . "/t/samples/$n{body}") : '';
        \%n;
    } @{ manifest()->{negatives} };
}

# http(%o) - one request to the current nginx on a new connection (or on
# client => $c, or from => an address), answered by an RMS::Response.  All of
# build_request(), plus
# account => 'EXCH01$' with mech/service/ccache of gss(); authorization => $value;
# legs are continued until the acceptor is satisfied.
sub http {
    my (%o) = @_;
    my $c = $o{client} || client(addr(), $o{port} || nginx()->port, $o{from} ? (from => $o{from}) : ());
    my $gss;
    if (defined $o{account} || defined $o{ccache}) {
        $gss = gss(map { $_ => $o{$_} } grep { defined $o{$_} } qw(account ccache mech service));
    }
    my @headers = @{ $o{headers} || [] };
    my $auth = $gss ? $gss->header : $o{authorization};
    my $r;
    for my $leg (1 .. 5) {
        my @h = defined $auth ? (@headers, ['Authorization', $auth]) : @headers;
        $c->request(%o, headers => \@h);
        $r = $c->response or return undef;
        $r->{legs} = $leg;
        last unless $gss && $r->status == 401;
        my ($reply) = map { /^Negotiate (\S+)$/ ? $1 : () } $r->all('www-authenticate');
        last unless defined $reply;
        $auth = $gss->header(MIME::Base64::decode_base64($reply));
    }
    $r->{gss} = $gss;
    return $r;
}

# post_sample($name, account => 'EXCH01$', %override) - http() with the path,
# headers and body of a sample; add => [[k, v]] are further headers.
sub post_sample {
    my ($name, %o) = @_;
    my $s = sample($name);
    my @add = @{ delete $o{add} || [] };
    return http(method => 'POST', path => $s->{path}, body => $s->{request},
        headers => [@{ $s->{headers} }, @add], account => 'EXCH01$', %o);
}

sub check {
    my ($mode, $x, $y) = @_;
    my $base = dir() . "/check.$$";
    spew("$base.a", $x);
    spew("$base.b", $y);
    my ($status, $text) = run(['/usr/bin/python3', '-B', root() . '/t/samples/check.py',
        $mode, "$base.a", "$base.b"]);
    unlink "$base.a", "$base.b";
    print STDERR "# check.py $mode: $text" if $status;
    return $status == 0;
}

# check_same($a, $b) - every XrML in both is byte-identical, in order.
sub check_same { return check('--same', @_) }

# check_relayed($in, $out) - $out differs from $in only in unsigned addresses.
sub check_relayed { return check('--relayed', @_) }

# certificates($message) - how many XrML documents with good signatures it
# holds; -1 when one is bad.
sub certificates {
    my ($bytes) = @_;
    my $file = spew(dir() . "/check.$$.xml", $bytes);
    my ($status, $text) = run(['/usr/bin/python3', '-B', root() . '/t/samples/check.py', $file]);
    unlink $file;
    my ($n) = $text =~ /(\d+) XrML/;
    return $status == 0 && defined $n ? $n : -1;
}

# stock_lines_removed($log) - the debug log without the lines in which nginx
# itself prints header values (core: "http header:", proxy: "http proxy
# header:" which spans lines, script engine, HTTP/2, the headers of an answer); no
# module can change them.
sub stock_lines_removed {
    my ($log) = @_;
    my @entries = split /^(?=\d{4}\/\d\d\/\d\d )/m, $log;
    return join '', grep {
        !/\[debug\] .*?(?:http header: "|http proxy header:|http script (?:var|copy|capture): |http2 (?:http )?header: |http2 output header: |http upstream header: |\*\d+ HTTP\/1\.[01] \d{3} )/s
    } @entries;
}

# needles() - base64 runs of what must never be seen: tokens, licences, keys.
sub needles {
    my %needle = map { substr($_, 0, 200) => 'token' } @RMS::Gss::MADE;
    for my $token (@RMS::Gss::MADE) {
        $needle{ substr $token, length($token) / 2, 48 } = 'token' if length $token > 100;
    }
    for my $name (samples()) {
        my $s = sample($name);
        for my $text (grep {defined} @$s{qw(request response)}) {
            $needle{ substr $_, 0, 64 } = "licence or key of $name"
                for $text =~ m{>([A-Za-z0-9+/]{64,}={0,2})<}g;
        }
    }
    $needle{$_} = 'message text' for '<BODY type=', '<Certificate>', 'MachineCertificateChain>',
        'LicenseeIdentities';
    return \%needle;
}

# no_secrets(@more_secrets) - what the logs and temp paths of the current nginx
# hold of tokens, licences and keys: a list of findings, empty when clean.
sub no_secrets {
    my (@more) = @_;
    my $n = nginx();
    my $needle = needles();
    $needle->{$_} = 'secret of the test' for @more;
    my %text = ('error.log' => stock_lines_removed($n->error_log),
        'access.log' => slurp($n->prefix . '/access.log'));
    $text{$_} = slurp($_) for $n->temp_files;
    my @found = map {"temp file $_"} $n->temp_files;
    push @found, 'a body or answer went to a temp file'
        if $text{'error.log'} =~ /is buffered to a temporary file/;
    for my $where (sort keys %text) {
        for my $secret (sort keys %$needle) {
            push @found, "$where: $needle->{$secret}" if index($text{$where}, $secret) >= 0;
        }
    }
    return @found;
}

1;
