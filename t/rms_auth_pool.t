# Logins run on a thread pool, never on the event loop.  A lock on the keytab
# holds them there for as long as a test wants: MIT waits for it.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');
my $lock;

# An "open file description" lock: it excludes the readers of other processes
# and of other open files of this one, and goes with the file handle.
sub hold {
    my ($file) = @_;
    open $lock, '+<', $file or die "$file: $!";
    my $exclusive = pack 's s x4 q q i x4', 1, 0, 0, 0, 0;      # F_WRLCK
    wait_for(sub { fcntl $lock, 37, $exclusive }, 'F_OFD_SETLK');
    return;
}

sub let_go { close $lock; return }

# status over a connection of its own: proof that the event loop is free
sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

sub worker { return wait_for(sub { (nginx()->workers)[0] }, 'worker') }

# start($n) - connections with a login under way, nothing read yet
sub start {
    my ($n, %o) = @_;
    my @clients = map { client(addr(), nginx()->port) } 1 .. $n;
    my @values = map { negotiate('EXCH01$') } 1 .. $n;
    for my $at (0 .. $#clients) {
        $clients[$at]->request(path => $page, %o,
            headers => [@{ $o{headers} || [] }, ['Authorization', $values[$at]]]);
    }
    return @clients;
}

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
hold(kdc()->keytab);
my @clients = start(40);
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
is_deeply(\%status, { 503 => 38 }, 'the others have 503');
is_deeply(\%retry, { yes => 38 }, 'with Retry-After');
is_deeply(\%pages, { no => 38 }, 'and no page');
my $r = http(path => $page);
is($r->status, 401, 'while they wait, others are served: a challenge');
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

# clients that go away while their login is on the pool
nginx(conf());
$worker = worker();
my $legs = status_page()->{counters}{auth_legs};
for my $round (1 .. 3) {
    hold(kdc()->keytab);
    @clients = start(50, method => 'POST', path => $s->{path}, body => $s->{request}, headers => $s->{headers});
    my @gets = start(50);
    status_page();
    $_->reset for @clients;
    $_->close for @gets;
    is(http(path => $page)->status, 401, "round $round: the worker goes on");
    let_go();
}
wait_for(sub { status_page()->{counters}{auth_legs} == $legs + 300 }, 'all 300 logins end');
pass('all 300 logins end');
is(worker(), $worker, 'the worker is the one of the start');
is(http(path => $page, account => 'EXCH01$')->status, 200, 'and logins go on');
is(status_page()->{counters}{orphaned_tasks}, 0, 'none was given up');
wait_for(sub {
    my $fds = () = glob "/proc/$worker/fd/*";
    return $fds < 40;
}, 'their connections are closed');
pass('their connections are closed');
finished('aborts');

# a reload while logins are under way loses none of them
my $copy = dir() . '/copy.keytab';
share_with_worker(spew($copy, slurp(kdc()->keytab)));
my $port = free_port();
nginx(conf(port => $port));
$worker = worker();
hold(kdc()->keytab);
forget_journal();
@clients = start(20, method => 'POST', path => $s->{path}, body => $s->{request}, headers => $s->{headers});
my @gets = start(20);
status_page();
ok(nginx()->reload(conf(port => $port, keytab => $copy)), 'reload, with another keytab');
ok((grep { $_ eq $worker } nginx()->workers), 'the old worker is still there');
is(http(path => $page, account => 'alice')->status, 200, 'the new one admits already');
let_go();
%status = ();
my $whole = 0;
for my $c (@clients) {
    $r = $c->response;
    $status{ $r->status }++;
    $whole++ if $r->body eq $s->{relayed};
}
is_deeply(\%status, { 200 => 20 }, 'twenty calls that were waiting for their login come through');
is($whole, 20, 'whole');
%status = ();
$status{ $_->response->status }++ for @gets;
is_deeply(\%status, { 200 => 20 }, 'and so do the pages');
is(scalar journal(), 20, 'each was asked of the backend once');
wait_for(sub { !grep { $_ eq $worker } nginx()->workers }, 'the old worker ends');
pass('the old worker ends');
finished('reload');

# a worker that is told to stop waits for them too
nginx(conf());
hold(kdc()->keytab);
@clients = start(10);
status_page();
kill 'QUIT', nginx()->{pid};
wait_for(sub { nginx()->leaving }, 'the worker leaves');
let_go();
is(join(' ', map { $_->response->status } @clients), join(' ', (200) x 10), 'logins under way at QUIT end well');
wait_for(sub { !alive(nginx()->{pid}) }, 'nginx ends');
pass('nginx ends');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'QUIT: nothing alarming in the log');

# no pool named at all: nginx's default one
my $text = conf() =~ s/rms_thread_pool .*?;//r =~ s/thread_pool rms_krb5 .*?;//r;
nginx($text);
is(http(path => $page, account => 'EXCH01$')->status, 200, 'without rms_thread_pool the default pool serves');

done_testing();
