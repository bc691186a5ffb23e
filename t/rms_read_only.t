# A read-only cluster opens content and protects none: both answers, both SOAP
# versions, the connection kept, the body of the request discarded.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

my @ALLOW = ('exchange account=EXCH01$@RMS.TEST', 'sharepoint account=SP01$@RMS.TEST',
    'fci account=FS01$@RMS.TEST', 'user account=alice@RMS.TEST');
my @PUBLISH = qw(05 05b 06 11);
my @READ = qw(01 03 04 07 07b 07c 07d 08 09 10 12 13 19);

standin(adrms => { licensor => undef, base => $RMS::Standin::BASES[0] });

# denied($what, $response, $answer, $version) - the denial of publishing.
sub denied {
    my ($what, $r, $answer, $version) = @_;
    if ($answer eq 'fault') {
        soap_fault($what, $r, 'publishing', $version);
    } else {
        plain_answer($what, $r, 401);
        is_deeply([$r->all('www-authenticate')], ['Negotiate'], "$what: the challenge, without a token");
    }
    isnt(lc($r->header('connection') || ''), 'close', "$what: the connection is kept");
    return;
}

my %n;
for my $answer ('401', 'fault') {
    my $n = $n{$answer} = nginx(allow => \@ALLOW, backends => [{ name => 'adrms', read_only => 'on',
        read_only_answer => $answer }], server => 'rms_grant user External; rms_grant exchange External;');
    forget_journal();

    # T3, T5, T6, T7
    for my $name (@PUBLISH) {
        my $s = sample($name);
        denied("$answer: $name", post_sample($name), $answer, $s->{soap});
    }
    denied("$answer: a user", post_sample('05', account => 'alice'), $answer);
    for my $name (qw(05 06)) {
        (my $path = sample($name)->{path}) =~ s/licensing/licensingexternal/;
        denied("$answer: $name in the external directory", post_sample($name, path => $path), $answer);
        denied("$answer: a user, $name in the external directory",
            post_sample($name, path => $path, account => 'alice'), $answer);
    }
    (my $twelve = sample('06')->{request}) =~ s{http://schemas.xmlsoap.org/soap/envelope/}{http://www.w3.org/2003/05/soap-envelope};
    denied("$answer: 06 in SOAP 1.2", post_sample('06', body => $twelve, headers => [['Content-Type',
        'application/soap+xml; action="http://microsoft.com/DRM/PublishingService/AcquireIssuanceLicense"']]), $answer, '1.2');
    untouched("$answer: no publishing request reached the backend");

    # T2: what opens content passes as ever
    passes("$answer: $_ passes", post_sample($_), sample($_)) for @READ;
    passes("$answer: a user's licence passes", post_sample('07', account => 'alice'), sample('07'));

    # no role is told first: the order of dispositions
    forget_journal();
    soap_fault("$answer: without a role the fault is another one", post_sample('05', account => 'ROGUE01$'),
        'unauthorized');
    my $r = post_sample('05', account => undef);
    is($r->status, 401, "$answer: without credentials a challenge");

    # one connection: denial, the same again, licence
    my $c = client(addr(), $n->port);
    denied("$answer: on a kept connection", post_sample('06', client => $c), $answer);
    denied("$answer: and again", post_sample('05', client => $c), $answer);
    passes("$answer: then a licence on the same connection", post_sample('07', client => $c), sample('07'));
    forget_journal();

    # a body of several megabytes, and a chunked one, are consumed; what follows
    # is a request of its own
    my $long = sample('06')->{request} . ' ' x (3 << 20);
    denied("$answer: a long body", post_sample('06', client => $c, body => $long), $answer);
    denied("$answer: a chunked body", post_sample('06', client => $c, chunked => 5000), $answer);
    is(post_sample('07', client => $c)->status, 200, "$answer: the connection is in step");
    is_deeply([map { $_->{operation} } journal()], ['AcquireLicense'], "$answer: nothing else was forwarded");

    # a client that never sends its body
    $c = client(addr(), $n->port);
    $c->write(build_request(method => 'POST', path => sample('05')->{path}, headers => [@{ sample('05')->{headers} },
        ['Authorization', negotiate('EXCH01$')], ['Content-Length', 1000]]));
    $c->half_close;
    ok(!defined $c->response, "$answer: a body that never comes gets no answer");
    is(post_sample('07')->status, 200, "$answer: and the worker lives");
    like(join(' ', map { $_->{rms_reason} // '' } $n->access_log), qr/read_only/, "$answer: the access log says read_only");
    like($n->error_log, qr/rms denied: reason=read_only account="EXCH01\$\@RMS\.TEST" role=exchange endpoint=\S+ operation=EditIssuanceLicense backend=adrms/,
        "$answer: so does the error log, with who and what");
    nothing_odd();
    logs_clean();
}

# rms_deny is another matter: it does not change the answer of a read-only cluster
for my $deny (qw(401 403)) {
    nginx(allow => \@ALLOW, server => "rms_deny $deny;", backends => [{ name => 'adrms', read_only => 'on',
        read_only_answer => 'fault' }]);
    soap_fault("rms_deny $deny: publishing is denied as the backend says", post_sample('05'), 'publishing');
    is(post_sample('05', account => 'ROGUE01$')->status, $deny, "rms_deny $deny: and others as it says");
}

# and off means off
nginx(allow => \@ALLOW, backends => [{ name => 'adrms', read_only => 'off' }]);
passes("read_only off: $_ passes", post_sample($_), sample($_)) for @PUBLISH;
nothing_odd();
logs_clean();

done_testing();
