# A replay cache that cannot remember one more login refuses it: 503 with
# Retry-After and event 3000, and whatever it remembers stays refused.
# The smallest zone holds some 14,000 logins; they are made by t/lib/tools/logins.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $page = '/_wmcs/certification/ServerCertification.asmx';

sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

standin(azure => {});
nginx(http => "rms_zone rms 1m;\nkeepalive_requests 100000;\n", log => 'warn', location => "access_log off;\n");

my $first = negotiate('EXCH01$');
is(http(path => $page, authorization => $first)->status, 200, 'the first login');
my $replay = status_page()->{replay};
my $room = $replay->{capacity} - $replay->{used};
is($replay->{used}, 1, 'takes one place');
cmp_ok($room, '>', 10000, 'the smallest zone has room for more than 10,000');

my $tool = dir() . '/logins';
my ($status, $said) = run(['cc', '-O1', '-o', $tool, root() . '/t/lib/tools/logins.c', '-lkrb5']);
is($status, 0, 'the tool is built') or diag $said;
my $env = { %{ kdc()->env('EXCH01$') } };
($status, $said) = run([$tool, addr(), nginx()->port, $page, 'HTTP/rmsconnector.rms.test@RMS.TEST', $room], env => $env);
is($said, "200 $room\n", 'that many logins fill it') or diag $status;
is(status_page()->{replay}{used}, $replay->{capacity}, 'to the last place');

my $r = http(path => $page, account => 'EXCH01$');
is($r->status, 503, 'one more is refused');
like($r->header('retry-after'), qr/^\d+$/, 'for a while');
is_deeply([$r->all('www-authenticate')], [], 'without a challenge or a token');
unlike($r->body, qr/</, 'without a page');
like(nginx()->error_log, qr/\[error\].*event=3000 replay cache is full.*"rms_zone"/, 'event 3000 names the directive');
is(status_page()->{refused}{replay_full}, 1, 'and it is counted');
$r = post_sample('07');
is($r->status, 503, 'calls are refused too');
is(scalar journal(), 0, 'and reach no backend');
is(http(path => $page, authorization => $first)->status, 401, 'what is remembered stays refused');
is(http(path => $page)->status, 401, 'others are served');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');

done_testing();
