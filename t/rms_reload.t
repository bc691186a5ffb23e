# A reload under load drops no request, old workers leave, the zone survives, a
# new list counts.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use POSIX ();

my $identity = 'Bearer identity-across-reloads';
my $file = dir() . '/identity';
spew($file, "$identity\n");
share_with_worker($file);
standin(azure => { require_authorization => $identity }, adrms => {});
my %conf = (port => free_port(), workers => 2, log => 'info', pass => 'azure adrms',
    backends => [{ name => 'azure', identity => "file=$file" }, 'adrms']);
my $n = nginx(%conf);

sub status { return JSON::PP::decode_json(http(path => '/rms/status')->body) }

# replaced(%old) - until none of the old workers is left
sub replaced {
    my (%old) = @_;
    return eval { wait_for(sub { !grep { $old{$_} } $n->workers }, 'old workers gone', 15) };
}

is(post_sample('07', account => $_)->status, 200, "$_ before the reload") for qw(EXCH01$ SP01$ FS01$);
my $token = negotiate('EXCH01$');
is(post_sample('07', account => undef, authorization => $token)->status, 200, 'a token before the reload');
my $served = 4;

# load: keepalive clients with a login for every request
my ($stop, @clients) = dir() . '/stop';

sub play {
    my ($number) = @_;
    my ($c, $count, $fresh, $closed, @bad) = (undef, 0, 1, 0);
    until (-e $stop) {
        my $name = (qw(07 12 09))[$count % 3];
        my $s = sample($name);
        ($c, $fresh) = (client(addr(), $n->port), 1) unless $c;
        $c->request(method => 'POST', path => $s->{path}, body => $s->{request}, headers => [@{ $s->{headers} },
            [Authorization => negotiate((qw(EXCH01$ SP01$ FS01$))[$number % 3])]]);
        my $r = eval { $c->response };
        if (!$r && !$fresh && !length $c->{in}) {
            $c = undef;             # an idle connection was closed under us: RFC 9112 9.3.1
            $closed++;
            next;
        }
        push @bad, $r ? $r->status : "none: $@" if !$r || $r->status != 200 || $r->body ne $s->{relayed};
        $c = undef if !$r || ($r->header('connection') || '') eq 'close';
        $fresh = 0;
        $count++;
    }
    spew(dir() . "/played.$number", join "\n", $count, $closed, @bad);
    return;
}

for my $number (1 .. 3) {
    my $pid = fork;
    if (!$pid) {
        eval { play($number); 1 } or spew(dir() . "/played.$number", "0\n0\n$@");
        POSIX::_exit(0);
    }
    push @clients, $pid;
}
my $forwarded = sub { status()->{counters}{forwarded} };
for my $round (1 .. 3) {
    my $before = $forwarded->();
    wait_for(sub { $forwarded->() > $before + 15 }, 'requests between two reloads');
    my %old = map { $_ => 1 } $n->workers;
    ok($n->reload, "reload $round under load");
    ok(replaced(%old), 'D24: all old workers leave');
}
my $before = $forwarded->();
wait_for(sub { $forwarded->() > $before + 15 }, 'requests after the last reload');
spew($stop, '');
waitpid $_, 0 for @clients;
my (@failed, $requests);
for my $number (1 .. 3) {
    my ($count, $closed, @bad) = split /\n/, slurp(dir() . "/played.$number");
    $requests += $count;
    push @failed, @bad;
}
is_deeply(\@failed, [], "none of $requests requests failed");
cmp_ok($requests, '>=', 60, 'and there was a load');

# the zone
my $s = status();
is($s->{counters}{forwarded}, $requests + $served, 'every forwarded request was counted');
is(post_sample('07', account => undef, authorization => $token)->status, 401, 'a token of before is still known');
$n->wait_log(qr/token was used before/);

# a request in the hands of an old worker
control(azure => { delay => 1, times => 1 });
my $c = client(addr(), $n->port);
my $m = sample('07');
my @request = (method => 'POST', path => $m->{path}, body => $m->{request});
my $asked = journal('azure');
my %old = map { $_ => 1 } $n->workers;
$c->request(@request, headers => [@{ $m->{headers} }, [Authorization => negotiate('EXCH01$')]]);
wait_for(sub { (() = journal('azure')) > $asked }, 'the backend has it');
ok($n->reload(conf(%conf, allow => ['exchange account=EXCH02$@RMS.TEST account=EXCH01$@RMS.TEST', 'fci account=ROGUE01$@RMS.TEST'])),
    'a reload with another list while a backend thinks');
is($c->response->status, 200, 'its answer arrives');
$c->close;
ok(replaced(%old), 'and the old workers leave');
is(post_sample('07', account => 'ROGUE01$')->status, 200, 'the new list admits');
is(post_sample('07', account => 'SP01$')->status, 500, 'and refuses');
ok(!$n->reload("nonsense;\n"), 'a broken configuration is refused');
is(post_sample('07', account => 'ROGUE01$')->status, 200, 'and the old one serves on');

is_deeply([violations()], [], 'the backends saw nothing odd');
is_deeply([no_secrets($identity)], [], 'no secret in a log');
unlike($n->error_log =~ s/^.*\[emerg\] .*unknown directive "nonsense".*$//mr, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');

done_testing();
