# The event lines: Microsoft's numbers, each in its exact form and level, as
# often as it should be, with values of callers as data.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

standin(azure => {}, azuretls => { tls => 1, base => 'https://tenant.rms.test/_wmcs' });
my ($port, $tls) = (free_port(), free_port());
my $cert = cert('rmsconnector.rms.test');
my @allow = ('exchange account=EXCH01$@RMS.TEST account=EXCH02$@RMS.TEST', 'sharepoint account=SP01$@RMS.TEST',
    'fci account=~FS\d+\$@RMS\.TEST');
my %conf = (backends => ['azure'], port => $port, allow => \@allow, log => 'notice',
    server => 'listen ' . addr() . ":$tls ssl; ssl_certificate $cert->{cert}; ssl_certificate_key $cert->{key};\n");
my $n = nginx(%conf);
my $read = 0;

# events($id...) - [level, id, text] of the new lines with these numbers (all
# without any); the end of a line, which is nginx's own, is cut
sub events {
    my (@ids) = @_;
    my $log = substr $n->error_log, $read;
    $read += length $log;
    my @found = map { m{^\S+ \S+ \[(\w+)\] \d+#\d+: (?:\*\d+ )?rms event=(\d+) (.*)$} ? [$1, $2, $3] : () } split /\n/, $log;
    for my $event (@found) {
        $event->[2] =~ s/(?: while [a-z ]+)?, client: 127\.0\.0\.1, server: .*//;
    }
    return grep { my $e = $_; !@ids || grep { $e->[1] == $_ } @ids } @found;
}

# said($what, \@expected, @events) - level, number and the exact text
sub said {
    my ($what, $expected, @events) = @_;
    my $good = @events == @$expected;
    for my $i (0 .. $#$expected) {
        my ($level, $id, $text) = @{ $expected->[$i] };
        my $e = $events[$i] or last;
        $good &&= $e->[0] eq $level && $e->[1] == $id && (ref $text ? $e->[2] =~ /^$text$/ : $e->[2] eq $text);
    }
    ok($good, $what) or diag explain \@events;
    return;
}

sub over_tls {
    my ($account) = @_;
    my $s = sample('07');
    return curl("https://rmsconnector.rms.test:$tls$s->{path}", account => $account, body => $s->{request},
        headers => [map {"$_->[0]: $_->[1]"} @{ $s->{headers} }]);
}

# 1000, 1004
my $file = $n->prefix . '/nginx.conf';
my $at = qr/\(\Q$file\E:\d+\)/;
my $list = qr/list loaded: rules=(\d+) hash=[0-9a-f]{8}/;
my @entries = (
    ['notice', 1004, qr/list entry: exchange account=EXCH01\$\@RMS\.TEST $at/],
    ['notice', 1004, qr/list entry: exchange account=EXCH02\$\@RMS\.TEST $at/],
    ['notice', 1004, qr/list entry: sharepoint account=SP01\$\@RMS\.TEST $at/],
    ['notice', 1004, qr/list entry: fci account=~FS\\d\+\\\$\@RMS\\\.TEST $at/],
);
said('1000 and 1004 at start', [['notice', 1000, qr/started: version=\d+\.\d+\.\d+ nginx=1\.\d+\.\d+/],
    ['notice', 1004, qr/list loaded: rules=4 hash=[0-9a-f]{8}/], @entries], events());

# 1002 and 2002, once
my $rule = qr/rule=\Q$file\E:\d+/;
my $service = 'service="HTTP/rmsconnector.rms.test@RMS.TEST"';
is(post_sample('07')->status, 200, 'EXCH01$ connects');
said('1002 and 2002', [
    ['notice', 1002, qr/first connection: account="EXCH01\$\@RMS\.TEST" role=exchange \Q$service\E $rule/],
    ['warn', 2002, 'account uses HTTP: account="EXCH01$@RMS.TEST"; configure its server with the https address'],
], events());
post_sample('07') for 1 .. 3;
said('not again', [], events());
post_sample('07', account => 'FS01$');
said('1002 and 2002 of another account', [['notice', 1002, qr/first connection: account="FS01\$\@RMS\.TEST" role=fci .*/],
    ['warn', 2002, qr/account uses HTTP: account="FS01\$\@RMS\.TEST"; .*/]], events());

# 1003, 2002 again
is(over_tls('EXCH01$')->status, 200, 'EXCH01$ comes over TLS');
said('event 1003', [['notice', 1003, 'account moved from HTTP to HTTPS: account="EXCH01$@RMS.TEST"']], events());
over_tls('EXCH01$');
said('once', [], events());
post_sample('07');
said('2002 again after a fall-back', [['warn', 2002, qr/account uses HTTP: account="EXCH01\$\@RMS\.TEST"; .*/]], events());
post_sample('07');
said('once', [], events());
is(over_tls('SP01$')->status, 200, 'SP01$ comes over TLS first');
said('1002 alone', [['notice', 1002, qr/first connection: account="SP01\$\@RMS\.TEST" role=sharepoint .*/]], events());

# reloads
ok($n->reload(conf(%conf)), 'a reload with the same list');
said('1004, but not 1000', [['notice', 1004, $list], @entries], events());
post_sample('07');
over_tls('SP01$');
said('accounts are known', [], events());
ok($n->reload(conf(%conf, allow => [@allow, 'user account=alice@RMS.TEST'])), 'a reload with another list');
said('event 1004', [['notice', 1004, $list], @entries, ['notice', 1004, qr/list entry: user account=alice\@RMS\.TEST $at/]], events());
post_sample('07');
over_tls('SP01$');
said('1002 again, and 2002', [['notice', 1002, qr/first connection: account="EXCH01\$.*/], ['warn', 2002, qr/.*EXCH01\$.*/],
    ['notice', 1002, qr/first connection: account="SP01\$.*/]], events());

# 2000
my %bad = (
    'an expired ticket' => [{ begin => -7200, life => 3600 }, qr/.*expired.*/i],
    'a ticket of the future' => [{ begin => 7200 }, qr/.*not yet valid.*/i],
    'a wrong key' => [{ wrong_key => 1 }, qr/.*(?:key|decrypt|integrity).*/i],
);
for my $what (sort keys %bad) {
    my ($ticket, $why) = @{ $bad{$what} };
    is(post_sample('07', account => undef, ccache => mkticket(%$ticket))->status, 401, "$what is refused");
    my @events = events();
    said("2000: $what", [['warn', 2000, qr/no usable principal: .+/]], @events);
    like($events[0][2], $why, '  with the reason');
}
my $token = negotiate('EXCH01$');
post_sample('07', account => undef, authorization => $token) for 1 .. 2;
said('2000: a token for the second time', [['warn', 2000, qr/token was used before and is refused: .+/]], events());
post_sample('07', account => undef);
said('no credentials at all is no event', [], events());

# 2001
post_sample('07', account => 'ROGUE01$');
said('2001: no role', [['warn', 2001, 'not authorised: account="ROGUE01$@RMS.TEST" reason=no_role rules=5; '
    . 'would be admitted by: rms_allow ROLE account=ROGUE01$@RMS.TEST;']], events());
post_sample('07', account => undef, ccache => mkticket(client => 'EXCH01$@FAR.TEST'));
said('2001: another realm', [['warn', 2001, 'not authorised: account="EXCH01$@FAR.TEST" reason=foreign_realm rules=5; '
    . 'would be admitted by: rms_allow ROLE account=EXCH01$@FAR.TEST;']], events());
over_tls('SP01$');
my $s = sample('08');
post_sample('08', account => 'SP01$');
my @events = events(2001);
said('2001: the operation', [['warn', 2001, qr/not authorised: account="SP01\$\@RMS\.TEST" role=sharepoint reason=operation endpoint=\/licensing\/license\.asmx operation=AcquirePreLicense $rule; would be admitted by: rms_grant sharepoint AcquirePreLicense;/]],
    @events);
post_sample('17');
@events = events();
said('2001: nobody may', [['warn', 2001, qr/not authorised: account="EXCH01\$\@RMS\.TEST" role=exchange reason=never operation=\S+; nobody may use it/]],
    @events);

# the line that 2001 prints admits
my %grant = ('08' => 'SP01$', '13' => 'FS01$', '02' => 'FS01$', '03' => 'alice');
my @grants;
for my $name (sort keys %grant) {
    is(post_sample($name, account => $grant{$name})->status, 500, "$name is not for $grant{$name}");
    push @grants, map { $_->[2] =~ /would be admitted by: (rms_grant .*;)$/ ? $1 : () } events(2001);
}
is(scalar @grants, scalar keys %grant, 'each time 2001 prints a line');
ok($n->reload(conf(%conf, allow => [@allow, 'user account=alice@RMS.TEST'], server => $conf{server} . join "\n", @grants)),
    'these lines load') or diag @grants;
wait_for(sub { !$n->leaving }, 'old workers gone');
for my $name (sort keys %grant) {
    is(post_sample($name, account => $grant{$name})->status, 200, "and admit $grant{$name}");
}
events();

# values of callers are data
my %hostile = (
    'EV"IL x@RMS.TEST' => [2001, qr/account="EV\\x22IL x\@RMS\.TEST"/],
    "EV\xc3\xa9\xff\@RMS.TEST" => [2001, qr/account="EV\\xc3\\xa9\\xff\@RMS\.TEST"/],
    'E' x 600 . '@RMS.TEST' => [2000, qr/account="E{253}\.\.\."/],
);
for my $client (sort keys %hostile) {
    post_sample('07', account => undef, ccache => mkticket(client => $client));
    @events = events();
    is(scalar @events, 1, 'one event for a hostile account') or diag explain \@events;
    like($events[0][2], $hostile{$client}[1], 'escaped and capped');
    is($events[0][1], $hostile{$client}[0], 'by its number');
    unlike($events[0][2], qr/[\x00-\x1f\x7f-\xff]/, 'in one line of ASCII');
}
post_sample('07', account => undef, ccache => mkticket(client => 'EV\nrms event=1000 forged@RMS.TEST'));
@events = events();
is_deeply([map { $_->[1] } @events], [2000], 'a line end in a principal: refused with 2000');
unlike($n->error_log, qr/^rms event/m, 'and no line begins with it');

# 3000 of a running relay
control(azure => { unauthorized => 1, times => 1 });
is(post_sample('07')->status, 502, 'the backend refuses');
said('3000: refused', [['error', 3000, 'backend "azure" refused our identity: status=401 endpoint=/licensing/license.asmx']], events());
control(azure => { body => '<html>no SOAP</html>', content_type => 'text/html', times => 1 });
is(post_sample('12')->status, 502, 'an answer that cannot be rewritten');
said('3000: not usable', [['error', 3000, qr/answer of backend "azure" not usable: not XML operation=GetServerInfo/]], events());
control(azure => {});

# 1001
ok($n->quit, 'the end');
said('event 1001', [['notice', 1001, 'stopped']], events());
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
is_deeply([violations()], [], 'the backend saw nothing odd');

# 2003 and 3000 at load
my ($status, $text) = nginx_t(conf(backends => ['azure'], allow => []));
is($status, 0, 'an empty list loads');
like($text, qr/^nginx: \[warn\] rms event=2003 list empty: the location of "rms_pass" in \S+:\d+ admits nobody; write "rms_allow exchange account=EXCH01\$\@REALM;"/m, 'with 2003');
$read = 0;
$n = nginx(backends => ['azure'], allow => [], log => 'notice');
said('2003 when it starts', [['warn', 2003, 'list empty: no "rms_allow" at all, nobody is admitted']],
    grep { $_->[2] !~ /location of/ } events(2003));
is(post_sample('07')->status, 500, 'nobody is admitted');
$n->stop;
($status, $text) = nginx_t(conf(backends => [{ name => 'azuretls', ssl_verify => 'off' }]));
like($text, qr/^nginx: \[warn\] rms event=3000 backend "azuretls": the certificate of the backend is not verified/m, '3000 for TLS nobody verifies');

done_testing();
