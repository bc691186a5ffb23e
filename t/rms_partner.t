# Anonymous partners in a server of their own: licences and the certificate of
# the licensor, nothing else; never a challenge, never an identity of ours.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

my $identity = 'Bearer identity-of-the-connector';
my $file = spew(dir() . '/identity', "$identity\n");
share_with_worker($file);
my $MB = 1024 * 1024;

standin(azure => {});
my $port = free_port();
my $partners = "listen ${\addr()}:$port;\nserver_name partners.rms.test;\nrms_allow partner any;\n";
my $at_azure = 'location @azure { proxy_pass ' . standin()->url('azure') . '; proxy_http_version 1.1; proxy_set_header Host $rms_upstream_host;
    proxy_set_header Connection ""; proxy_max_temp_file_size 0; proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering X-Accel-Charset X-Accel-Limit-Rate; }';
my %conf = (backends => [{ name => 'azure', identity => "file=$file", read_only => 'on' }]);
my $n = nginx(%conf, more_servers => "server { $partners location / { rms_pass azure; } $at_azure }\n"
    . "server { ${\($partners =~ s/partners/deny/r)} location / { rms_pass azure; rms_deny 403; } $at_azure }\n"
    . "server { ${\($partners =~ s/partners/more/r)} rms_grant partner External; location / { rms_pass azure; rms_session cookie; } $at_azure }\n");

my $lines = 0;
sub line { my @l = $n->access_log($lines + 1); $lines = @l; return $l[-1] }

# partner(%o) - what a partner gets, which is never a challenge
my (@challenged, $asked);
sub partner {
    my (%o) = @_;
    my $host = delete $o{host} || 'partners.rms.test';
    my $r = http(port => $port, host => $host, %o);
    $asked++;
    push @challenged, join ' ', $r->status, $r->all('www-authenticate'), $o{path} if $r->status == 401 || $r->all('www-authenticate');
    return $r;
}
sub call {
    my ($name, %o) = @_;
    my $m = sample($name);
    my @add = @{ delete $o{add} || [] };
    return partner(method => 'POST', path => $m->{path}, body => $m->{request}, headers => [@{ $m->{headers} }, @add], %o);
}

# every operation
my %may = map { $_ => 1 } qw(AcquireLicense GetLicensorCertificate);
my %seen;
for my $name (samples()) {
    my $s = sample($name);
    my $r = call($name);
    my $l = line();
    is($l->{rms_account} . $l->{rms_auth}, '', "$name: nobody");
    if ($may{ $s->{operation} } && $s->{path} !~ /external/i) {
        $seen{ $s->{operation} }++;
        passes("$name: $s->{operation}", $r, $s);
        is($l->{rms_role}, 'partner', "$name: as partner");
    } else {
        soap_fault("$name: $s->{operation} is not for partners", $r, 'unauthorized', $s->{soap});
        isnt($l->{rms_verdict}, 'allow', "$name: denied");
    }
}
is(join(' ', sort keys %seen), join(' ', sort keys %may), 'both operations were seen');
is_deeply([grep { exists $_->{headers}{authorization} } journal()], [], 'our identity went along with none');
my $reached = journal();

# ways round it
for my $case (negatives()) {
    my $r = partner(map { $_ => $case->{$_} } qw(method path headers body));
    like($r->status, qr/^(?:40[0345]|413|415|500)$/, "$case->{name}: " . $r->status);
}
is(scalar journal(), $reached, 'none reached the backend');
for my $path ('/_wmcs/licensing/license.asmx', '/_wmcs/certification/server.asmx') {
    is(partner(path => $path)->status, 200, "$path: a page, as for every role");
}
is(partner(path => '/_wmcs/nothing')->status, 404, 'what is not in the table is not there');
is(call('06', host => 'deny.rms.test')->status, 403, 'rms_deny 403 is 403');

# credentials of whatever kind are not looked at, and stay here
forget_journal();
my $legs = http(path => '/rms/status')->body =~ /"auth_legs":\s*(\d+)/ ? $1 : '';
for my $case (['a good ticket', negotiate('EXCH01$')], ['a broken one', 'Negotiate YII='], ['NTLM', 'NTLM TlRMTVNTUAABAAAA'], ['Basic', 'Basic eDp5'],
    ['our own identity', $identity], ['nothing known', 'x'])
{
    my ($what, $value) = @$case;
    $lines = () = $n->access_log;
    is(call('07', add => [['Authorization', $value]])->status, 200, "$what: a partner all the same");
    my $l = line();
    is("$l->{rms_role} $l->{rms_account}", 'partner ', "$what: nobody");
    is(call('06', add => [['Authorization', $value]])->status, 500, "$what: and may no more");
    my $r = call('07', host => 'more.rms.test', add => [['Authorization', $value]]);
    is($r->status . ($r->header('set-cookie') // ''), '200', "$what: no session");
}
is_deeply([grep { exists $_->{headers}{authorization} } journal()], [], 'none went to the backend');
is(http(path => '/rms/status')->body =~ /"auth_legs":\s*(\d+)/ ? $1 : 'none', $legs, 'nor to Kerberos');

# smaller bodies
my $m = sample('07');
my $padded = sub { my $pad = ' ' x ($_[0] - length $m->{request}); return $m->{request} =~ s/(<\/\w+:Envelope>)\s*\z/$pad$1/r };
is(length $padded->($MB), $MB, '  1 MiB');
is(call('07', body => $padded->($MB))->status, 200, '1 MiB is taken');
is(call('07', body => $padded->($MB + 1))->status, 413, 'a byte more is not');
is(call('07', body => $padded->($MB), chunked => 65536)->status, 200, 'the same in chunks');
is(call('07', body => $padded->($MB + 1), chunked => 65536)->status, 413, 'and a byte more');
forget_journal();

# a backend that refuses them
control(azure => { unauthorized => \1, times => 1 });
my $r = call('07');
is($r->status, 502, 'a backend that wants a login: 502');

is_deeply(\@challenged, [], "no 401 and no challenge in $asked answers");

# beside those who log in
standin_options(azure => { require_authorization => $identity });
is(post_sample('07')->status, 200, 'Exchange logs in beside them, with our identity');
standin_options(azure => { require_authorization => undef });
is(call('07')->status, 200, 'and partners come without, after it');

is_deeply([violations()], [], 'the backend saw nothing odd');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets($identity)], [], 'no secrets');

done_testing();
