# rms_acl_file: rules of a file take effect within seconds of a change, for
# sessions too, and event 1004 tells what changed.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Rules;

my ($EXCH, $EXCH2, $SP, $FS) = map {"account=$_\$\@RMS.TEST"} qw(EXCH01 EXCH02 SP01 FS01);
my ($BOB, $ALICE) = map {"account=$_\@RMS.TEST"} qw(bob alice);
my $in = asks();

standin(azure => {});
rules('a', '# Exchange', "exchange\t$EXCH   $EXCH2", '', "fci $FS # a file server");
rules('b', "sharepoint $SP");
rules('c', "exchange account=~EXCH.*\@RMS\\.TEST", "user account=~.*\@RMS\\.TEST");

my %conf = (port => free_port(), log => 'notice', allow => ["rms_server $SP"],
    http => 'limit_req_zone $rms_account zone=held:1m rate=30r/m;',
    server => 'rms_acl_file ' . acl('a') . ";\n",
    backends => [{ name => 'azure', proxy_extra => 'limit_req zone=held burst=9;' }],
    locations => <<"X");
location /inherits/ { $in }
location /own/ { $in rms_allow user $ALICE; }
location /other/ { $in rms_allow fci $FS; rms_acl_file ${\acl('b')}; }
location /none/ { $in rms_acl_file off; }
location /session/ { $in rms_session connection; }
location /cookie/ { $in rms_session cookie; }
location /patterns/ { $in rms_acl_file ${\acl('c')}; }
X
my $n = nginx(conf(%conf));

# which rules apply where
is(role('/inherits', 'EXCH01$'), '200 exchange', 'a rule of the file');
is(role('/inherits', 'EXCH02$'), '200 exchange', 'a second one of its line');
is(role('/inherits', 'SP01$'), '200 rms_server', 'and rules of rms_allow in front of it');
is(role('/inherits', 'alice'), '403 none', 'nobody else');
is(role('/own', 'FS01$'), '200 fci', 'a location with rules of its own inherits the file');
is(role('/own', 'alice'), '200 user', 'behind its own rules');
is(role('/own', 'SP01$'), '403 none', 'which take the place of those above');
is(role('/other', 'SP01$') . role('/other', 'EXCH01$'), '200 sharepoint403 none', 'a location with a file of its own has that one');
is(role('/none', 'EXCH01$') . role('/none', 'SP01$'), '403 none200 rms_server', 'off: without the file');
is(role('/patterns', 'EXCH01$'), '200 exchange', 'the first pattern counts');
like($n->error_log, qr{event=1002 first connection: account="FS01\$\@RMS\.TEST" role=fci service="\S+" rule=\Q${\acl('a')}\E:4}, 'a rule is known by file and line');
is(post_sample('07')->status, 200, 'a call by a rule of the file');
like(($n->access_log)[-1]{rms_list_age}, qr/^[0-2]$/, '$rms_list_age: a second or two');

# sessions remember who, never what it may do
my %session;
for my $kind (qw(session cookie)) {
    my $c = client(addr(), $n->port);
    my $r = http(client => $c, path => "/$kind/x", account => 'EXCH02$');
    my ($cookie) = ($r->header('set-cookie') || '') =~ /^([^;]+)/;
    $session{$kind} = sub { http(client => $c, path => "/$kind/x", headers => [$cookie ? ['Cookie', $cookie] : ()])->header('x-role') };
    is($session{$kind}->(), 'exchange', "$kind: known without a token");
}

# a call that is held before its backend
my $m = sample('07');
my $delayed = told(qr/delaying request/);
my $held = client(addr(), $n->port);
$held->request(method => 'POST', path => $m->{path}, body => $m->{request}, headers => [@{ $m->{headers} }, [Authorization => negotiate('EXCH01$')]]);
wait_for(sub { told(qr/delaying request/) > $delayed }, 'the second call is held');

# the change
ok(changed('a', "sharepoint $EXCH2", "user $BOB"), 'a change is read within seconds');
is(role('/inherits', 'EXCH02$'), '200 sharepoint', 'a new role');
is(role('/inherits', 'bob'), '200 user', 'a new account');
is(role('/inherits', 'EXCH01$') . role('/inherits', 'FS01$'), '403 none403 none', 'those that are gone');
is(role('/inherits', 'SP01$'), '200 rms_server', 'the rule in front stays');
is(role('/own', 'bob') . role('/own', 'alice'), '200 user200 user', 'in every list that has the file, beside its own rules');
is($session{$_}->(), 'sharepoint', "$_: the new role with the next request") for qw(session cookie);
is(post_sample('07')->status, 500, 'a call whose rule is gone');
is($held->response->status, 200, 'a call that was let in before goes on');
is((grep { $_->{status} == 200 && $_->{request_uri} eq $m->{path} } $n->access_log)[-1]{rms_role}, 'exchange', 'as what it was then');

my $log = $n->error_log;
my $a = qr/\Q${\acl('a')}\E/;
like($log, qr/\[notice\].* event=1004 list changed: file="$a" rules=2 hash=[0-9a-f]{8} added=1 removed=2 role_changed=1\n/, '1004 tells of the change');
like($log, qr/event=1004 list change: role of "account=EXCH02\$\@RMS\.TEST" was exchange, is sharepoint \($a:1\)/, 'of another role');
like($log, qr/event=1004 list change: added user "account=bob\@RMS\.TEST" \($a:2\)/, 'of what was added');
like($log, qr/event=1004 list change: removed fci "account=FS01\$\@RMS\.TEST"/, 'and of what was removed');
is(told(qr/event=1004 list changed/), 1, 'once, for all lists that have the file');
is(status()->{counters}{acl_reloads}, 1, 'and counted once');

# the same rules again are no change; order is one where patterns are
rules('a', "sharepoint $EXCH2", '', "user $BOB");
ok(changed('c', "user account=~.*\@RMS\\.TEST", "exchange account=~EXCH.*\@RMS\\.TEST"), 'patterns change their order');
is(role('/patterns', 'EXCH01$'), '200 user', 'and the first counts');
like($n->error_log, qr/list changed: file="\Q${\acl('c')}\E" rules=2 hash=\w+ added=0 removed=0 role_changed=0 reordered\n/, '1004 tells of that');
is(told(qr/event=1004 list changed: file="$a"/), 1, 'the same rules again are no event');

# nobody
ok(changed('a', '# nobody'), 'a file without rules');
is(role('/inherits', 'bob') . role('/inherits', 'SP01$'), '403 none200 rms_server', 'admits nobody');
like($n->error_log, qr/\[warn\].* event=2003 list empty: "$a" has no rules, nobody is admitted by it/, 'and is event 2003');

# reload
rules('b', 'sharepoint');
ok(!$n->reload, 'a reload with a bad file is refused');
like($n->error_log, qr/\[emerg\].* "rms_acl_file" \Q${\acl('b')}\E:1: /, 'for its reason');
ok(changed('b', "fci $SP"), 'the workers go on reading');
is(role('/other', 'SP01$'), '200 fci', 'and go by it');
rules('a', "fci $EXCH");
ok($n->reload, 'a reload with good ones is not refused');
is(role('/inherits', 'EXCH01$'), '200 fci', 'and reads them');
ok(changed('a', "exchange $EXCH"), 'the new workers read as well');
is(role('/inherits', 'EXCH01$'), '200 exchange', 'and go by it');

is(join("\n", grep { /\[(?:alert|emerg|crit)\]/ && !/"rms_acl_file" \Q${\acl('b')}\E:1: / } split /\n/, $n->error_log), '',
    'nothing else alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
