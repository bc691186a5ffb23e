# A reload or a QUIT while logins are under way loses none of them.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Hold;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');

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

# a reload while logins are under way loses none of them
my $copy = dir() . '/copy.keytab';
share_with_worker(spew($copy, slurp(kdc()->keytab)));
my $port = free_port();
nginx(conf(port => $port));
my $worker = worker();
hold();
forget_journal();
my @clients = logins(20, method => 'POST', path => $s->{path}, body => $s->{request}, headers => $s->{headers});
my @gets = logins(20, path => $page);
status_page();
ok(nginx()->reload(conf(port => $port, keytab => $copy)), 'reload, with another keytab');
ok((grep { $_ eq $worker } nginx()->workers), 'the old worker is still there');
is(http(path => $page, account => 'alice')->status, 200, 'the new one admits already');
let_go();
my %status;
my $whole = 0;
for my $c (@clients) {
    my $r = $c->response;
    $status{ $r->status }++;
    $whole++ if $r->body eq $s->{relayed};
}
is_deeply(\%status, { 200 => 20 }, 'twenty calls that were waiting for their login come through');
is($whole, 20, 'whole');
%status = ();
$status{ $_->response->status }++ for @gets;
is_deeply(\%status, { 200 => 20 }, 'and so do the pages');
is(scalar journal(), 20, 'each was asked of the backend once');
$_->close for @clients, @gets;
wait_for(sub { !grep { $_ eq $worker } nginx()->workers }, 'the old worker ends');
pass('the old worker ends');
finished('reload');

# a worker that is told to stop waits for them too
nginx(conf());
hold();
@clients = logins(10, path => $page);
status_page();
kill 'QUIT', nginx()->{pid};
wait_for(sub { nginx()->leaving }, 'the worker leaves');
let_go();
is(join(' ', map { $_->response->status } @clients), join(' ', (200) x 10), 'logins under way at QUIT end well');
wait_for(sub { !alive(nginx()->{pid}) }, 'nginx ends');
pass('nginx ends');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'QUIT: nothing alarming in the log');

done_testing();
