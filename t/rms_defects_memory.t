# Memory, where others crashed or leaked: what nobody had set, what stayed after
# a request, what stayed after a reload.  The numbers are those of t/DEFECTS.md.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::NTLM;
use RMS::Rules;

my $page = '/_wmcs/certification/ServerCertification.asmx';
my $s = sample('07');

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]|exited on signal/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
    is_deeply([violations()], [], "$name: the backend saw nothing odd");
    forget_journal();
}

# heap($pid) - in KiB, without what is shared
sub heap { my ($k) = slurp("/proc/$_[0]/status") =~ /^RssAnon:\s+(\d+)/m; return $k }

# step(@heap) - what a round adds, in KiB: the median, since a heap may be cut up
# otherwise once, while what leaks does so every time
sub step {
    my (@heap) = @_;
    my @steps = sort { $a <=> $b } map { $heap[$_] - $heap[$_ - 1] } 1 .. $#heap;
    return $steps[@steps / 2];
}

# ASan keeps what was freed: here, little of it
sub lean { return $ENV{ASAN_OPTIONS} ? (env => { ASAN_OPTIONS => "$ENV{ASAN_OPTIONS}:quarantine_size_mb=1:thread_local_quarantine_size_kb=64" }) : () }

standin(azure => {});
my $users = 'rms_ntlm_user_file ' . ntlm_user_file(map { ['RMS', $_, "$_-pass"] } 'EXCH01$', 'SP01$') . ";\n";

# D17, D18: memory as it comes, never zeros (glibc fills it; ASan does by itself)
my $log = 'log_format every \'$sent_http_www_authenticate|$sent_http_retry_after|$sent_http_set_cookie|$sent_http_allow\'; access_log @PREFIX@/every.log every;';
my $in = 'proxy_set_header X-Seen "$http_authorization|$http_soapaction|$http_content_type|$http_accept_encoding|$http_cookie|$http_range";';
nginx(env => { MALLOC_PERTURB_ => 165 }, auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', http => $log,
    server => $users . 'set $early "$rms_account$rms_role$rms_verdict$rms_client"; add_header X-Early "[$early]" always; add_header X-Who $rms_account always;',
    location => "rms_session cookie;\n",
    backends => [{ name => 'azure', proxy_extra => $in }], locations => "location /conn/ { rms_auth negotiate ntlm; rms_session connection; empty_gif; }\n"
        . "location /first/ { rms_auth negotiate; error_page 401 = /then/; empty_gif; }\n"
        . "location /then/ { satisfy any; allow 127.0.0.0/8; deny all; empty_gif; }\n");
my ($worker) = nginx()->workers;
for my $round (1 .. 3) {
    my $c = client(addr(), nginx()->port);
    my $r = http(client => $c, path => $page);
    is(join(' ', $r->status, $r->all('www-authenticate')), '401 Negotiate NTLM', "D17: round $round: a request of nobody is one of nobody");
    is($r->header('x-early'), '[]', 'D17: what is asked for before it is known is empty');
    for my $account ('EXCH01$', 'ROGUE01$') {
        $r = post_sample('07', account => $account, client => $c);
        is(join(' ', $r->status, $r->header('x-early'), $r->header('x-who')), ($account eq 'EXCH01$' ? 200 : 500) . " [] $account\@RMS.TEST", "D17: $account is itself, and was nobody before");
    }
    $r = ntlm_request($c, ntlm(account => 'SP01$'), path => $page);
    is($r->status . " $r->{legs} " . $r->header('x-who'), '200 2 SP01$@RMS.TEST', 'D17: so is one by NTLM, whose connection was nobody\'s');
    is(http(client => $c, path => '/conn/')->status, 401, 'D17: and is nobody\'s still where sessions are of connections');
    $r = http(client => $c, path => '/first/');
    is(join(' ', $r->status, $r->all('www-authenticate')), '200', 'D18: nginx goes along the challenges we added, and takes them back where another rule lets in');
    is(http(client => $c, path => '/_wmcs/nothing')->status, 404, 'D17: a path of nobody');
    is(http(client => $c, method => 'PUT', path => $page, account => 'EXCH01$')->status, 405, 'D17: a method of nobody');
    is(post_sample('12')->status, 200, 'D17: a rewritten answer');
    is(curl(nginx()->url($page), account => 'EXCH01$', args => ['--anyauth'])->status, 200, 'D17: and a client that asks first');
}
my ($seen) = grep { $_->{operation} eq 'GetServerInfo' } journal();
my $soap = '"http://microsoft.com/DRM/ServerService/GetServerInfo"';
is($seen->{headers}{'x-seen'} =~ s/"[^"]+"/ACTION/r, '|ACTION|text/xml; charset=utf-8|||', 'D18: variables of headers that were put in for the backend');
my @line = split /\n/, slurp(nginx()->prefix . '/every.log');
like($line[0], qr/^(?:Negotiate, NTLM|Negotiate|NTLM)\|-\|-\|-$/, 'D18: variables of headers that were added to an answer');
is(scalar(grep { /^-\|-\|rms_session=[\w-]{22}; / } @line) > 0, 1, 'D18: also of cookies');
is(join(' ', nginx()->workers), $worker, 'D18: by a worker that goes on');
finished('memory as it comes');

# D23: logins leave nothing behind, finished or not; the name of the account of
# each would be twice that
my $slack = $ENV{ASAN_OPTIONS} ? 1024 : 32;
my $tool = dir() . '/logins';
my ($status, $said) = run(['cc', '-O1', '-o', $tool, root() . '/t/lib/tools/logins.c', '-lkrb5']);
is($status, 0, 'the tool is built') or diag $said;
nginx(lean(), http => "keepalive_requests 100000;\n", log => 'error', location => "access_log off;\n");
($worker) = nginx()->workers;

# grown(sub { one round }) - what a round adds
sub grown {
    my ($round) = @_;
    my @heap = map { $round->(); heap($worker) } 1 .. 6;
    diag("heap of the worker, KiB: @heap");
    return step(@heap[1 .. $#heap]);
}
my $count = 2000;
my $grown = grown(sub {
    ($status, $said) = run([$tool, addr(), nginx()->port, $page, 'HTTP/rmsconnector.rms.test@RMS.TEST', $count], env => kdc()->env('EXCH01$'));
    is($said, "200 $count\n", "$count logins") or diag $status;
});
cmp_ok($grown, '<=', $slack, 'D23: thousands of logins do not make the worker grow');
$grown = grown(sub {
    my %status;
    for (1 .. 100) {
        my $c = client(addr(), nginx()->port);
        $status{ http(client => $c, path => $page, authorization => gss(account => 'EXCH01$', mech => 'negoex')->header)->status }++;
        $c->close;
    }
    is_deeply(\%status, { 401 => 100 }, 'a hundred handshakes that never end');
});
cmp_ok($grown, '<=', $slack, 'D23: nor do hundreds of handshakes whose connection ends first');
finished('logins');

# D24: neither do reloads, in the master, which reads it all each time; what one
# keytab takes would be twice that
my $list = rules('many', map { sprintf 'user account=u%05d@RMS.TEST', $_ } 1 .. 400);
share_with_worker(spew(dir() . '/identity', "Bearer identity-of-reloads\n"));
my %conf = (port => free_port(), auth => 'negotiate ntlm', domain => 'RMS=RMS.TEST', ssl => 1, http2 => 1,
    backends => [{ name => 'azure', identity => 'file=' . dir() . '/identity' }],
    server => "$users rms_session connection; rms_channel_binding allow; rms_acl_file $list;\n");
nginx(%conf, lean(), log => 'notice');
my $master = nginx()->{pid};
my @heap;
for my $round (1 .. 24) {
    my %old = map { $_ => 1 } nginx()->workers;
    nginx()->reload or fail("reload $round");
    wait_for(sub { !grep { $old{$_} } nginx()->workers }, 'the old worker leaves');
    push @heap, heap($master);
}
diag("heap of the master, KiB: @heap");
cmp_ok(step(@heap[9 .. $#heap]), '<=', $ENV{ASAN_OPTIONS} ? 1024 : 32, 'D24: reloads do not make the master grow');
is(scalar(() = nginx()->error_log =~ /worker process \d+ exited with code 0/g), 24, 'D24: and each old worker ended well');
is(curl(nginx()->url($page), account => 'EXCH01$')->status, 200, 'logins go on');
finished('reloads');

done_testing();
