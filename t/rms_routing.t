# The licensor of the publishing licence chooses the backend: T32, T33.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

my @ALLOW = ('exchange account=EXCH01$@RMS.TEST', 'user account=alice@RMS.TEST');
my $north = RMS::Standin::northquay();
standin(azure => { allow => ['signature'] }, adrms => { allow => ['signature'] });
my ($own) = sample('07')->{request} =~ /Microsoft Rights Label.*?<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{([^}]+)/s;
isnt($own, $north, 'the samples hold licences of two clusters');
my ($label) = sample('07e')->{request} =~ m{<IssuanceLicense><Certificate>(<XrML.*?</XrML>)}s;

# moved($name) - a sample whose publishing licence is of the other cluster.
sub moved {
    my ($name) = @_;
    my $text = sample($name)->{request};
    $text =~ s{(<(?:Signed)?IssuanceLicense[^>]*>(?:<Certificate>)?)<XrML.*?</XrML>}{$1$label}s
        or $text =~ s/(<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{)[^}]+/$1$north/s or die $name;
    return $text;
}

# to($what, $backend, $name, %o) - where the request goes.
sub to {
    my ($what, $backend, $name, %o) = @_;
    forget_journal();
    my $r = post_sample($name, %o);
    my @seen = journal();
    is_deeply([map {"$_->{listener} $_->{path} $_->{sha256}"} @seen],
        ["$backend " . (sample($name)->{path} =~ s/License/license/r) . ' '
            . Digest::SHA::sha256_hex($o{body} // sample($name)->{request})], $what);
    return $r;
}

my $e = sample('07e')->{request};
sub other {
    my ($pattern, $new) = @_;
    (my $text = $e) =~ s/$pattern/$new/s or die "no $pattern";
    return $text;
}
my $unknown = '11111111-2222-4333-8444-555555555555';
my $pl = qr/(<IssuanceLicense><Certificate>.*?<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">)\{[^}]+\}/s;
my $decoy = "<ISSUEDPRINCIPALS><PRINCIPAL><OBJECT type=\"MS-DRM-Server\"><ID type=\"MS-GUID\">{$north}</ID></OBJECT></PRINCIPAL></ISSUEDPRINCIPALS>";

for my $order ('azure adrms', 'adrms azure') {
    my ($default) = split / /, $order;
    my $azure = $default eq 'azure' ? 'azure' : 'adrms';
    # with azure second it has a licensor of its own, in another spelling
    my $n = nginx(allow => \@ALLOW, pass => $order, backends => [
        { name => 'azure', licensor => $default eq 'azure' ? undef : "'{\U$own\E}'" }, 'adrms']);

    # T32
    passes("$order: 07 to A", to("$order: 07 goes to A", 'azure', '07'), sample('07'));
    passes("$order: 07e to B", to("$order: 07e goes to B", 'adrms', '07e'), sample('07e'),
        status => 200, body => sample('07')->{response});
    to("$order: $_ goes to A", 'azure', $_) for qw(07b 07c 07d 08 06 11);
    to("$order: 19, a third cluster, goes to the first", $default, '19');
    to("$order: $_ of the other cluster goes to B", 'adrms', $_, body => moved($_)) for qw(07b 07c 08 06 11);
    to("$order: 06 of the other cluster, for a user", 'adrms', '06', body => moved('06'), account => 'alice');
    to("$order: an unknown licensor goes to the first", $default, '07e', body => other($pl, "$1\{$unknown}")) if $e =~ $pl;
    to("$order: $_ has no licensor and goes to the first", $default, $_) for qw(03 05 09 10 12 13 01 04);

    # the spelling of the GUID
    to("$order: capitals", 'adrms', '07e', body => other($pl, "$1\{\U$north\E}")) if $e =~ $pl;
    to("$order: no braces", 'adrms', '07e', body => other($pl, "$1$north")) if $e =~ $pl;
    to("$order: blanks around", 'adrms', '07e', body => other($pl, "$1 \{$north}\n")) if $e =~ $pl;
    to("$order: character references", 'adrms', '07e', body => other($pl, "$1&#123;$north&#x7D;")) if $e =~ $pl;
    to("$order: not a GUID", $default, '07e', body => other($pl, "$1\{$north")) if $e =~ $pl;

    # the order of the client, other prefixes, empty items
    my ($licensees) = $e =~ m{(<LicenseeCerts>.*?</LicenseeCerts>)}s;
    my $turned = other(qr{\Q$licensees\E}, '');
    $turned =~ s{(?=</AcquireLicenseParams>)}{$licensees};
    to("$order: the licence before the licensees", 'adrms', '07e', body => $turned);
    my $prefixed = $e;
    $prefixed =~ s{(</?)(AcquireLicense|RequestParams|AcquireLicenseParams|LicenseeCerts|IssuanceLicense|Certificate|ApplicationData)\b}{$1l:$2}g;
    $prefixed =~ s{<l:AcquireLicense xmlns=}{<l:AcquireLicense xmlns:l=};
    to("$order: prefixes", 'adrms', '07e', body => $prefixed);
    to("$order: a nil certificate first", 'adrms', '07e',
        body => other(qr{<IssuanceLicense>}, '<IssuanceLicense><Certificate xsi:nil="true"/>'));
    to("$order: an item without a licence first", 'adrms', '07e',
        body => other(qr{<AcquireLicenseParams>}, '<AcquireLicenseParams><LicenseeCerts/></AcquireLicenseParams><AcquireLicenseParams>'));

    # a GUID in another place is no licensor
    my $mine = sample('07')->{request};
    for my $where ('<AcquireLicenseParams>', '<LicenseeCerts>') {
        for my $wrap ("<!--$decoy-->", "<![CDATA[$decoy]]>", $decoy, "<x xmlns=\"urn:x\"><IssuanceLicense><Certificate><XrML><BODY>$decoy</BODY></XrML></Certificate></IssuanceLicense></x>") {
            (my $text = $mine) =~ s/\Q$where\E/$where$wrap/;
            my $shown = substr $wrap, 0, 20;
            to("$order: a GUID in $where$shown... is none", 'azure', '07', body => $text);
        }
    }

    # the first 256 KiB
    my $near = other(qr{(?=<IssuanceLicense>)}, '<x>' . 'x' x 200_000 . '</x>');
    my $far = other(qr{(?=<IssuanceLicense>)}, '<x>' . 'x' x 300_000 . '</x>');
    forget_journal();
    refused("$order: one comment of 200 KiB before the licence is more than anybody reads",
        post_sample('07e', body => other(qr{(?=<IssuanceLicense>)}, '<!--' . 'x' x 200_000 . '-->')), 400);
    to("$order: a licensor within 256 KiB", 'adrms', '07e', body => $near);
    to("$order: a licensor beyond 256 KiB goes to the first", $default, '07e', body => $far);
    to("$order: so it does in pieces", $default, '07e', body => $far, chunked => 4000);
    to("$order: in pieces of seven bytes", 'adrms', '07e', chunked => 7);

    my @log = grep { ($_->{rms_operation} // '') eq 'AcquireLicense' } $n->access_log;
    my ($line) = grep { $_->{rms_licensor} eq $north } @log;
    is($line->{rms_backend}, 'adrms', "$order: the access log names licensor and backend");
    nothing_odd();
    logs_clean();
}

# T33: the wrong cluster says so, and that is an answer
my $n = nginx(allow => \@ALLOW, pass => 'azure', backends => ['azure']);
passes('T33: the fault of the wrong cluster passes', post_sample('07e'), sample('07e'));
passes('T33: and the cluster is asked on', post_sample('07'), sample('07'));
logs_clean();

done_testing();
