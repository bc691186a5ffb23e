# Realms: an account is its name and its realm, compared byte for byte.  A
# trusted realm's tickets are real, and still nobody comes in from there whom no
# rule names with that realm.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub call {
    my ($account, %o) = @_;
    my $r = post_sample('07', account => $account, %o);
    my $line = last_line();
    return join ' ', $r->status, map { $_ || '-' } @$line{qw(rms_account rms_role rms_reason)};
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
    forget_journal();
}

kdc(foreign => 1);
standin(azure => {});

# any: of our own realm only
nginx(allow => ['user any']);
is(call('bob'), '200 bob@RMS.TEST user -', 'any admits an account of our realm');
is(call('mallory@OTHER.TEST'), '500 mallory@OTHER.TEST none foreign_realm', 'and none of another');
is(call('EXCH01$@OTHER.TEST'), '500 EXCH01$@OTHER.TEST none foreign_realm', 'whatever its name');
like(nginx()->error_log,
    qr/event=2001 not authorised: account="mallory\@OTHER\.TEST" reason=foreign_realm.*rms_allow ROLE account=mallory\@OTHER\.TEST;/,
    'event 2001 says what would admit it');
is(scalar journal(), 1, 'one call reached the backend');
finished('any');

# the same name in another realm is another account
nginx(conf());
is(call('EXCH01$'), '200 EXCH01$@RMS.TEST exchange -', 'EXCH01$ of our realm');
is(call('EXCH01$@OTHER.TEST'), '500 EXCH01$@OTHER.TEST none foreign_realm', 'D3: is not EXCH01$ of another realm');
is(call('mallory@OTHER.TEST'), '500 mallory@OTHER.TEST none foreign_realm', 'without a rule nobody');
finished('same name');

nginx(allow => ['exchange account=EXCH01$@OTHER.TEST', 'fci account=EXCH01$@RMS.TEST']);
is(call('EXCH01$@OTHER.TEST'), '200 EXCH01$@OTHER.TEST exchange -', 'a rule names the foreign one');
is(call('EXCH01$'), '200 EXCH01$@RMS.TEST fci -', 'another rule ours');
is(call('mallory@OTHER.TEST'), '500 mallory@OTHER.TEST none foreign_realm', 'and nobody else');
finished('named');

nginx(allow => ['exchange account=~EXCH\d+\$@OTHER\.TEST', 'user any']);
is(call('EXCH01$@OTHER.TEST'), '200 EXCH01$@OTHER.TEST exchange -', 'a pattern names the foreign one');
is(call('mallory@OTHER.TEST'), '500 mallory@OTHER.TEST none foreign_realm', 'and nobody else');
is(call('EXCH01$'), '200 EXCH01$@RMS.TEST user -', 'ours is not matched by it');
finished('pattern');

# letters count: Kerberos names are case-sensitive, and so are we
nginx(allow => ['exchange account=exch01$@RMS.TEST account=EXCH01$@rms.test account=EXCH01@RMS.TEST',
    'fci account=EXCH01$@RMS.TESTING account=XEXCH01$@RMS.TEST', 'user account=~XCH01\$@RMS\.TES']);
is(call('EXCH01$'), '500 EXCH01$@RMS.TEST none no_role', 'D3: a rule that only looks like the account admits nobody');
finished('spelling');

# a realm three trusts away, and names that try to look like another's
nginx(allow => ['exchange account=EXCH01$@RMS.TEST', 'user any', 'fci account=~.*@FAR\.TEST']);
sub made {
    my ($client) = @_;
    return call(undef, ccache => mkticket(client => $client), mech => 'krb5');
}
is(made('EXCH01$@RMS.TEST'), '200 EXCH01$@RMS.TEST exchange -', 'a made ticket');
is(made('EVE$@FAR.TEST'), '200 EVE$@FAR.TEST fci -', 'a far realm that a rule names');
is(made('EVE$@FARTHER.TEST'), '500 EVE$@FARTHER.TEST none foreign_realm', 'one that none names');
is(made('eve@rms.test'), '500 eve@rms.test none foreign_realm', 'our realm in small letters is another');
for my $realm ('RMS.TESTING', 'RMS.TES', 'RMS.TEST.EVIL.TEST', 'EVIL.RMS.TEST', 'XRMS.TEST', 'RMS', 'R') {
    is(made("EXCH01\$\@$realm"), "500 EXCH01\$\@$realm none foreign_realm", "D3: EXCH01\$ of $realm, which only looks like our realm, is foreign");
}

my $page = '/_wmcs/GetRmsoUri.aspx';
is(http(path => $page, ccache => mkticket(client => 'EVE$@FARTHER.TEST'), mech => 'krb5')->status,
    403, 'a foreign realm that no rule names learns nothing of the tenant either');

my %odd = (
    'a line feed' => 'EXCH01$\n@RMS.TEST', 'a tab' => 'EXCH01$\t@RMS.TEST', 'a backspace' => 'x\b@RMS.TEST',
    'a NUL' => 'EXCH01$\0@RMS.TEST', 'a control character' => "EXCH\x01\$\@RMS.TEST",
    'an escape sequence' => "\x1b[2Jx\@RMS.TEST", 'DEL' => "x\x7f\@RMS.TEST", 'a carriage return' => "x\ry\@RMS.TEST",
    'a line feed in the realm' => 'EXCH01$@RMS.TEST\nX',
);
for my $name (sort keys %odd) {
    my $at = length nginx()->error_log;
    my $said = made($odd{$name});
    like($said, qr/^401 - (?:-|none) auth_failed$/, "a principal with $name");
    like(substr(nginx()->error_log, $at), qr/event=2000 no usable principal: an account name we refuse: account=".*" service=/,
        "$name: event 2000 says so");
}
for my $odd ('EXCH01$\@RMS.TEST@FARTHER.TEST', 'a\/b@RMS.TEST', 'a b@RMS.TEST', 'EXCH01$\\\\@RMS.TEST') {
    my $said = made($odd);
    unlike($said, qr/exchange/, "$odd is not EXCH01\$: $said");
    unlike($said, qr/^200 .*FARTHER/, "$odd keeps its realm");
}
unlike(nginx()->error_log, qr/[^\x09\x0a\x20-\x7e]/, 'nothing but text in the log');
unlike(slurp(nginx()->prefix . '/access.log'), qr/[^\x09\x0a\x20-\x7e]/, 'nor in the access log');
is(scalar(grep { !/^\d{4}\/\d\d\/\d\d / } split /\n/, nginx()->error_log), 0, 'no line was begun by a caller');
finished('odd names');

done_testing();
