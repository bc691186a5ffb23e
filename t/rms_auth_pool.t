# Logins run on a thread pool with a bounded queue, never on the event loop: what
# does not fit is told to come again, and everybody else is served meanwhile.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Hold;

my $page = '/_wmcs/certification/ServerCertification.asmx';

# over a connection of its own: an answer is proof that the event loop is free
sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

sub worker { return wait_for(sub { (nginx()->workers)[0] }, 'worker') }

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
}

standin(azure => {});

sub pool { return conf(@_) =~ s/thread_pool rms_krb5 .*?;/thread_pool rms_krb5 threads=1 max_queue=1;/r }

# overflow: one login on the thread, one in the queue
nginx(pool());
my $worker = worker();
is(http(path => $page, account => 'EXCH01$')->status, 200, 'one login at a time');
hold();
my @clients = logins(40, path => $page);
wait_for(sub { status_page()->{refused}{auth_busy} == 38 }, '38 of 40 are refused');
is(status_page()->{refused}{auth_busy}, 38, 'two of forty wait, the others are counted as auth_busy');
my @waiting = grep { !IO::Select->new($_->{s})->can_read(0) } @clients;
is(scalar @waiting, 2, 'two have no answer yet');
my %waits = map { $_ => 1 } @waiting;
my (%status, %retry, %pages);
for my $c (grep { !$waits{$_} } @clients) {
    my $r = $c->response;
    $status{ $r->status }++;
    $retry{ ($r->header('retry-after') || '') =~ /^\d+$/ ? 'yes' : 'no' }++;
    $pages{ $r->body =~ /</ ? 'yes' : 'no' }++;
    fail('no challenge with a 503') if $r->all('www-authenticate');
}
is_deeply(\%status, { 503 => 38 }, 'D31: what the queue does not hold has 503');
is_deeply(\%retry, { yes => 38 }, 'with Retry-After');
is_deeply(\%pages, { no => 38 }, 'and no page');
my $r = http(path => $page);
is($r->status, 401, 'D29: while logins wait, others are served: a challenge');
is(http(path => '/elsewhere')->status, 404, 'and a refusal');
is(http(path => '/rms/')->status, 200, 'and the status');
$r = http(path => $page, account => 'alice');
is($r->status, 503, 'one more login is refused');
let_go();
is(join(' ', map { $_->response->status } @waiting), '200 200', 'the two come in as soon as they can');
is(http(path => $page, account => 'alice')->status, 200, 'and so does the next one');
is(status_page()->{refused}{auth_busy}, 39, 'the counter is exact');
is(status_page()->{counters}{orphaned_tasks}, 0, 'no login was given up');
is(worker(), $worker, 'the worker is the one of the start');
finished('overflow');

# no pool named at all: nginx's default one
my $text = conf() =~ s/rms_thread_pool .*?;//r =~ s/thread_pool rms_krb5 .*?;//r;
nginx($text);
is(http(path => $page, account => 'EXCH01$')->status, 200, 'without rms_thread_pool the default pool serves');

done_testing();
