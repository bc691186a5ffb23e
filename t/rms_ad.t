# Kerberos against a real Active Directory: rules by the SIDs of the ticket's
# PAC, and what is not a good ticket: the right answer, one line with the cause.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::AD;
use RMS::PAC;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $next = 0;

sub fresh { return client(addr(), nginx()->port, from => '127.203.0.' . ++$next) }
sub ask { my (%o) = @_; return http(client => fresh(), path => $page, %o) }

sub last_line {
    http(path => '/marker');
    my @lines = grep { !/"\/marker"/ } split /\n/, slurp(nginx()->prefix . '/access.log');
    return $RMS::Standin::JSON->decode($lines[-1]);
}

sub krb5 { return gss(mech => 'krb5', @_)->header }
sub made { return krb5(ccache => mkticket(@_)) }

ad();
standin(azure => {});
my ($dom, $other) = ($RMS::AD::SID, $RMS::AD::OTHER_SID);
my %sid = map { $_ => ad()->sid($_) } 'Exchange Servers', 'SharePoint Servers', 'Finance', 'Nested Outer', 'RMS Local',
    'alice', 'EXCH01$', 'crowd', 'G0001', 'G1000';
sub door { my ($name, $rule) = @_; return "location /$name/ { rms_auth negotiate; rms_allow admin $rule; empty_gif; }\n" }
my %doors = (user => $sid{alice}, group => $sid{Finance}, nested => $sid{'Nested Outer'}, local => $sid{'RMS Local'},
    primary => "$dom-513", machines => "$dom-515", first => $sid{G0001}, last => $sid{G1000}, none => "$dom-99999",
    guest => "$other-513", mallory => "$other-1105", made => 'S-1-5-21-9-8-7-1000');
my %conf = (allow => ["exchange sid=$sid{'Exchange Servers'}", "sharepoint sid=$sid{'SharePoint Servers'}",
        "user sid=$sid{Finance} sid=$dom-513"],
    locations => join('', map { door($_, "sid=$doors{$_}") } sort keys %doors) . door('named', 'account=mallory@OTHER.TEST'));
my %large = (%conf, http => "large_client_header_buffers 8 64k;\n");

# buffers of headers are looked at where groups count
my $warned = qr/\[warn\] rules by "sid=" in location "[^"]+", but tickets of accounts in many groups do not fit into header buffers of (\d+) bytes; write "large_client_header_buffers 8 64k;"/;
for my $case (['8k, the default', {%conf}, 8192], ['12k', { %conf, http => "large_client_header_buffers 4 12k;\n" }, 12288],
    ['16k', { %conf, http => "large_client_header_buffers 4 16k;\n" }, 0], ['64k', {%large}, 0], ['rules without SIDs', {}, 0])
{
    my ($what, $p, $size) = @$case;
    my (undef, $said) = nginx_t(conf(%$p));
    is($said =~ $warned ? $1 : 0, $size, "buffers: $what: " . ($size ? 'a warning' : 'none'));
}

nginx(%large);
my ($worker) = nginx()->workers;

# roles by group
for my $case (['EXCH01$', 'exchange'], ['SP01$', 'sharepoint'], ['alice', 'user'], ['crowd', 'user']) {
    my ($account, $role) = @$case;
    is(ask(account => $account)->status, 200, "$account comes in");
    my $line = last_line();
    is("$line->{rms_account} $line->{rms_auth} $line->{rms_role} $line->{rms_sid}",
        "$account\@RMS.TEST krb5 $role " . ad()->sid($account), "as $role, with its SID");
}
for my $case (['user', 'alice', 200], ['user', 'bob', 403], ['group', 'alice', 200], ['group', 'bob', 403], ['nested', 'alice', 200],
    ['nested', 'EXCH01$', 200], ['nested', 'SP01$', 403], ['local', 'EXCH01$', 200], ['local', 'SP01$', 403], ['primary', 'bob', 200],
    ['primary', 'EXCH01$', 403], ['machines', 'EXCH01$', 200], ['machines', 'bob', 403], ['first', 'crowd', 200], ['last', 'crowd', 200],
    ['last', 'alice', 403], ['none', 'alice', 403])
{
    my ($door, $account, $status) = @$case;
    is(ask(account => $account, path => "/$door/")->status, $status, "rule \"$door\": $account: $status");
}

# without a PAC that verifies, no rule by SID applies
my %pac = (account => 'EXCH01$', domain => 'RMS', domain_sid => $dom, rid => 1104, groups => [513, 515], extra => ['S-1-5-21-9-8-7-1000']);
is(post_sample('07')->status, 200, 'a licence by a group');
is(ask(path => '/made/', authorization => made(logon_info => logon_info(%pac)))->status, 200, 'a PAC that we made');
for my $case (['a ticket without a PAC', made()], ['a PAC whose signature is wrong', made(logon_info => logon_info(%pac), bad_pac => 1)]) {
    my ($what, $value) = @$case;
    my $at = length nginx()->error_log;
    is(ask(path => '/made/', authorization => $value)->status, 403, "$what: refused");
    my ($line) = grep {/event=2001/} split /\n/, substr nginx()->error_log, $at;
    like($line, qr/account="EXCH01\$\@RMS\.TEST".*PAC/i, 'and event 2001 says that it is the PAC');
}

# another domain that ours trusts
for my $case (['guest', 200], ['mallory', 200], ['named', 200], ['primary', 403], ['none', 403]) {
    my ($door, $status) = @$case;
    is(ask(account => 'mallory@OTHER.TEST', path => "/$door/")->status, $status, "a foreign account, rule \"$door\": $status");
}
is(post_sample('07', account => 'mallory@OTHER.TEST')->status, 500, 'a foreign account that no rule names');

# tickets that are no good: 401, and the cause
my $bad = qr/\[warn\].*event=2000 no usable principal: /;
my $kvno = kdc()->kvno;
for my $case (
    ['expired', made(begin => -7200, life => 3600), qr/${bad}ticket expired/],
    ['not yet valid (skew)', made(begin => 7200), qr/${bad}ticket not yet valid/],
    ['a wrong key', made(wrong_key => 1), qr/${bad}integrity check failed/],
    ['a kvno that is not there', made(wrong_key => 1, kvno => 77), qr/${bad}kvno 77 is not in the keytab, which has $kvno\b/],
    ['a service that is not ours', krb5(account => 'EXCH01$', service => 'host@rmsconnector.rms.test'), qr/${bad}wrong service, not HTTP/])
{
    my ($what, $value, $log) = @$case;
    my $at = length nginx()->error_log;
    is(ask(authorization => $value)->status, 401, "$what: 401");
    like(substr(nginx()->error_log, $at), $log, 'and the cause');
}

# who may not log in gets no ticket: the domain says why, and here is nothing to see
for my $case (['disabled', qr/revoked/], ['expired', qr/revoked|expired/], ['locked', qr/revoked/], ['mustchange', qr/[Pp]assword/]) {
    my ($account, $why) = @$case;
    my ($cache, $said) = ad()->kinit_password($account);
    is($cache, undef, "$account: the domain gives no ticket");
    like($said, $why, "$account: and says why");
    my $at = length nginx()->error_log;
    is(curl(nginx()->url($page), ccache => kdc()->env->{KRB5CCNAME}, from => '127.203.0.' . ++$next)->status, 401, "$account: 401");
    is(last_line()->{rms_reason}, 'no_credentials', "$account: as anybody who sends nothing");
    my @said = grep { !m{ uri="/marker"} } split /\n/, substr nginx()->error_log, $at;
    is_deeply([grep {/\[(?:warn|error)\]|$account/} @said], [], "$account: no line tells of it");
}

# and who got one before keeps it to its end
my $kept = kdc()->kinit('bob');
is(ask(ccache => $kept)->status, 200, 'an account with a ticket');
ad()->change([disable => 'bob']);
is((ad()->kinit_password('bob'))[0], undef, 'disabled, it gets no other');
is(ask(ccache => $kept)->status, 200, 'disabled, it comes in with the one it has');
ad()->change([enable => 'bob']);

# new keys; without the old ones: t/rms_auth_keytab.t
my $old = kdc()->kinit('EXCH01$');
is(ask(ccache => $old)->status, 200, 'a ticket');
kdc()->rotate;
is(ask(ccache => $old)->status, 200, 'after new keys the old ticket is good while the keytab has its key');
kdc()->kinit('EXCH01$');
is(ask(account => 'EXCH01$')->status, 200, 'and so is a new one');

# without a domain controller
kdc()->kinit($_) for 'EXCH01$', 'alice';
is(ask(account => $_)->status, 200, "$_ logs in") for 'EXCH01$', 'alice';
ad()->stop;
is(ask(account => $_)->status, 200, "D29: the domain controller is gone, $_ has a ticket and comes in") for 'EXCH01$', 'alice';

is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
