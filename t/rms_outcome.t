# What became of a call, in the accounts: results, failed ones and faults of
# answers that stream by untouched: T29, T30, T33-T35.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

standin(azure => {});
my $n = nginx(log => 'info');
my $read = length $n->error_log;

sub counters {
    my $c = $RMS::Standin::JSON->decode(http(path => '/rms/')->body)->{counters};
    return { map { $_ => $c->{$_} } qw(items items_failed faults backend_errors) };
}

# accounted($what, \@lines, \%counted, sub) - the lines that the sub leaves
# in the log, and what it does to the counters.
sub accounted {
    my ($what, $lines, $counted, $do) = @_;
    my $before = counters();
    $do->();
    my $after = counters();
    my $log = substr $n->error_log, $read;
    $read += length $log;
    my @said = $log =~ /\[info\] \d+#\d+: \*\d+ rms answer: (.*?)(?: while [a-z ]+)?, client: /g;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply(\@said, $lines, "$what: the line");
    my %moved = map { $after->{$_} == $before->{$_} ? () : ($_ => $after->{$_} - $before->{$_}) } keys %$after;
    is_deeply(\%moved, $counted, "$what: the counters") or diag explain \%moved;
    return;
}

sub fault_of {
    my ($name) = @_;
    return slurp(root() . "/t/samples/$name.xml");
}

# T29; in pieces of any size, of which some cut every name
my $partial = 'operation=AcquireLicense backend=azure status=200 items=3 failed=1';
for my $how ({}, { chunk => 7 }, { chunk => 1009 }, { write => 4099 }, { eof => 1 }) {
    my $what = 'a batch with one failure ' . join ' ', %$how;
    accounted($what, [$partial], { items => 3, items_failed => 1 }, sub {
        control(azure => $how);
        my $r = post_sample('07d');
        passes("$what passes", $r, sample('07d'));
        my $results = () = $r->body =~ /<AcquireLicenseResponse>/g;
        is($results, 3, "$what: three results");
    });
}

# T30
accounted('four identities, one failure', ['operation=AcquirePreLicense backend=azure status=200 items=4 failed=1'],
    { items => 4, items_failed => 1 }, sub {
        control(azure => {});
        passes('the pre-licences pass', post_sample('08'), sample('08'));
    });

# all well
accounted('one licence', ['operation=AcquireLicense backend=azure status=200 items=1 failed=0'], { items => 1 },
    sub { passes('the licence passes', post_sample('07'), sample('07')) });
accounted('other operations', [], {}, sub { passes("$_ passes", post_sample($_), sample($_)) for qw(03 04 09 12) });

# T33: asked the wrong cluster; nobody marks it down
accounted('another cluster', ['operation=AcquireLicense backend=azure status=500 fault=RightsLabelNoMatchingIssuedPrincipal'],
    { faults => 1 }, sub { passes('the fault passes', post_sample('07e'), sample('07e'), status => 500) });
accounted('the backend is asked again', ['operation=AcquireLicense backend=azure status=200 items=1 failed=0'],
    { items => 1 }, sub { passes('the next licence passes', post_sample('07'), sample('07')) });

# T34: no retry, no failover
accounted('no rights', ['operation=AcquireLicense backend=azure status=500 fault=NoRightsForRequestedPrincipal'],
    { faults => 1 }, sub {
        forget_journal();
        control(azure => { fault => 'fault-norights', times => 1 });
        passes('the fault passes', post_sample('07'), sample('07'), status => 500, body => fault_of('fault-norights'));
        is(scalar(journal()), 1, 'asked once');
    });

# T35; and any operation may fail, also one whose answers are rewritten
my %faults = ('fault-nested' => 'InvalidPersonaCertTime', 'fault-unauthorized' => 'UnauthorizedAccess', 'fault-unknownaction' => 'other');
for my $name (sort keys %faults) {
    for my $s (map { sample($_) } qw(07 03 12)) {
        accounted("$name of $s->{operation}", ["operation=$s->{operation} backend=azure status=500 fault=$faults{$name}"],
            { faults => 1 }, sub {
                control(azure => { fault => $name, times => 1, chunk => 11 });
                passes("$name of $s->{operation} passes", post_sample($s->{name}), $s, status => 500, body => fault_of($name));
            });
    }
}

# what is not read
accounted('a compressed answer', [], {}, sub {
    control(azure => { gzip => 1, times => 1 });
    my $r = post_sample('07d', add => [['Accept-Encoding', 'gzip']]);
    is_deeply([$r->status, $r->header('content-encoding')], [200, 'gzip'], 'a compressed answer passes');
});
accounted('identity is said aloud', [$partial], { items => 3, items_failed => 1 }, sub {
    control(azure => { headers => [['Content-Encoding', 'identity']], times => 1 });
    passes('said aloud, it passes', post_sample('07d'), sample('07d'));
});
accounted('a page', [], {}, sub {
    control(azure => { status => 503, body => '<html><Body><b>Fault</b></Body></html>', content_type => 'text/html', times => 1 });
    is(post_sample('07')->status, 503, 'a page passes');
});
accounted('refused here', [], {}, sub {
    is(post_sample('17')->status, 500, 'a fault of our own');
});
accounted('a backend that will not have us', [], { backend_errors => 1 }, sub {
    control(azure => { unauthorized => 1, body => fault_of('fault-unauthorized'), times => 1 });
    is(post_sample('07')->status, 502, 'its answer does not pass');
});
accounted('an answer that is not whole', [], {}, sub {
    control(azure => { truncate => 30000, times => 1 });
    my $r = eval { post_sample('07d') };
    ok(!$r || !$r->{complete}, 'the client can tell');
});

nothing_odd();
logs_clean(errors => 1);

done_testing();
