# The $rms_ variables hold in the access log of every answer, denied ones too;
# what callers send stays data; our own identity is in no variable.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $identity = 'Bearer identity-that-no-variable-shows';
my $file = dir() . '/identity';
spew($file, "$identity\n");
share_with_worker($file);

standin(azure => { require_authorization => $identity }, adrms => {});
my $plain = q{log_format plain '"$remote_addr" "$rms_account" "$rms_role" "$rms_operation" "$rms_endpoint" '
    '"$rms_backend" "$rms_reason" "$rms_licensor" "$http_user_agent" "$request_uri" "$http_soapaction"';
    log_format headers escape=none '$http_authorization|$sent_http_www_authenticate|$upstream_http_www_authenticate';
    access_log @PREFIX@/plain.log plain; access_log @PREFIX@/headers.log headers;};
my $n = nginx(backends => [{ name => 'azure', identity => "file=$file" },
        { name => 'adrms', read_only => 'on' }], pass => 'azure adrms', http => $plain, log => 'notice',
    location => 'add_header X-Request $rms_request_id always;',
    locations => 'location /else/ { return 200 "[$rms_account$rms_role$rms_verdict$rms_request_id]"; }');
my $logged = 0;

# line() - the newest line of the log; one more than before
sub line {
    my @lines = $n->access_log(++$logged);
    is(scalar @lines, $logged, '  one line') or $logged = @lines;
    return $lines[-1];
}

# holds($what, $line, %expected) - every variable; the others are empty
sub holds {
    my ($what, $l, %expected) = @_;
    my $id = delete $l->{rms_request_id};
    like($id, qr/^[0-9a-f]{32}$/, "$what: a request id");
    my %want = map { ("rms_$_" => '') } grep { $_ ne 'request_id' } @RMS::Nginx::VARIABLES;
    $want{rms_list_age} = 0;        # no rms_acl_file
    $want{"rms_$_"} = $expected{$_} for grep { $_ ne 'status' } keys %expected;
    my %got = map { $_ => $l->{$_} } keys %want;
    is_deeply(\%got, \%want, $what) or diag explain \%got;
    is($l->{status}, $expected{status}, "  status $expected{status}") if $expected{status};
    return $id;
}

my $license = '/licensing/license.asmx';
my $azure = 'rms01.corp.harbourline.example';
my ($legacy) = $RMS::Standin::NORTHQUAY_BASE =~ m{//([^/]+)};
my $guid = RMS::Standin::northquay();
my ($own) = sample('07')->{request} =~ /<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{([^}]+)\}/ ? 1 : 0;
my %exch = (account => 'EXCH01$@RMS.TEST', role => 'exchange', auth => 'krb5');

# allowed
my $r = post_sample('07');
my $l = line();
my $licensor = $l->{rms_licensor};
like($licensor, qr/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/, 'the licensor of a licence');
isnt($licensor, $guid, 'of its own cluster');
my $first = holds('allowed', $l, %exch, status => 200, endpoint => $license, operation => 'AcquireLicense',
    backend => 'azure', upstream_host => $azure, verdict => 'allow', licensor => $licensor);
$r = post_sample('07e', account => 'SP01$');
my $second = holds('allowed, by its licensor', line(), account => 'SP01$@RMS.TEST', role => 'sharepoint', auth => 'krb5',
    status => 200, endpoint => $license, operation => 'AcquireLicense', backend => 'adrms', upstream_host => $legacy,
    verdict => 'allow', licensor => $guid);
isnt($first, $second, 'every request has its own id');
$r = post_sample('12', account => 'alice');
holds('rewritten', line(), account => 'alice@RMS.TEST', role => 'user', auth => 'krb5', endpoint => '/certification/server.asmx',
    operation => 'GetServerInfo', backend => 'azure', upstream_host => $azure, verdict => 'allow');
my $seen = $r->status;
is($seen, 400, 'a user does not get the identity: the strict backend refuses') or diag $r->body;

# a page of our own
http(path => '/_WMCS/licensing/License.asmx', account => 'EXCH01$');
holds('a service page', line(), %exch, status => 200, endpoint => $license);

# denied
post_sample('07', account => 'ROGUE01$');
holds('denied: no role', line(), status => 500, account => 'ROGUE01$@RMS.TEST', role => 'none', auth => 'krb5', endpoint => $license,
    operation => 'AcquireLicense', verdict => 'deny', reason => 'no_role');
$r = post_sample('08', account => 'SP01$');
holds('denied: not this operation', line(), status => 500, account => 'SP01$@RMS.TEST', role => 'sharepoint', auth => 'krb5',
    endpoint => $license, operation => 'AcquirePreLicense', verdict => 'deny', reason => 'operation');
(my $publish = sample('06')->{request}) =~ s/(<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{)[^}]+/$1$guid/;
$r = post_sample('06', body => $publish);
holds('denied: read-only', line(), %exch, status => 401, endpoint => '/licensing/publish.asmx', operation => 'AcquireIssuanceLicense',
    backend => 'adrms', upstream_host => $legacy, verdict => 'deny', reason => 'read_only', licensor => $guid);
$r = http(method => 'PUT', path => sample('07')->{path}, account => 'EXCH01$', body => 'x');
holds('denied: method', line(), %exch, status => 405, endpoint => $license, verdict => 'deny', reason => 'method');
my $id = $r->header('x-request');
$r = post_sample('07', body => '<not-soap/>');
$l = line();
like($r->body, qr/request \Q$l->{rms_request_id}\E/, 'the answer names the request as the log does');
is($r->header('x-request'), $l->{rms_request_id}, 'so does a header made of it');
holds('denied: body', $l, %exch, status => 400, endpoint => $license, operation => 'AcquireLicense', verdict => 'deny', reason => 'bad_body');

# refused before there is a verdict
post_sample('07', account => undef);
holds('refused: no credentials', line(), status => 401, endpoint => $license, verdict => 'deny', reason => 'no_credentials');
http(path => '/_wmcs/licensing/nothing.asmx', account => 'EXCH01$');
holds('refused: unknown path', line(), status => 404, verdict => 'deny', reason => 'unknown_path');
http(path => '/_wmcs/%zz', account => undef);
$l = line();
is($l->{status}, 400, 'what nginx itself refuses is logged, too');
http(path => '/_wmcs/licensing/license.asmx', authorization => 'Basic eDp5');
holds('refused: another scheme', line(), status => 401, endpoint => $license, verdict => 'deny', reason => 'auth_scheme');
my $gss = gss(account => 'EXCH01$', mech => 'negoex');
http(path => sample('07')->{path}, authorization => $gss->header);
holds('between two legs', line(), status => 401, endpoint => $license, verdict => 'deny', reason => 'auth_continue');

# backends
control(azure => { unauthorized => 1, times => 1 });
post_sample('07');
my %sent = (%exch, endpoint => $license, operation => 'AcquireLicense', backend => 'azure', upstream_host => $azure,
    licensor => $licensor, verdict => 'allow');
$l = line();
is($l->{upstream_status}, 401, 'the status of the backend');
holds('the backend refuses our identity', $l, %sent, status => 502, reason => 'backend_refused');
control(azure => { reset => 'before', times => 1 });
post_sample('07');
holds('the backend is gone', line(), %sent, status => 503, reason => 'backend_down');
control(azure => { fault => 'fault-norights', times => 1 });
post_sample('07');
holds('a fault of the backend', line(), %sent, status => 500);
control(azure => {});

# elsewhere they are empty, and so they are for a request that is not HTTP
is(http(path => '/else/')->body, '[]', 'empty outside of RMS locations');
line();
my $c = client(addr(), $n->port);
$c->write("nonsense\r\n\r\n");
$c->response;
$c->close;
$l = line();
is($l->{status}, 400, 'nonsense is logged');
is($l->{rms_account} . $l->{rms_verdict}, '', 'with nothing in it');

# log injection: one line each, no control character, quotes escaped
my @hostile = (
    ['a header', sub { post_sample('07', account => undef, add => [['User-Agent', qq{x" "forged" \x01\xff\\}]]) }, 401],
    ['a path', sub { http(path => '/_wmcs/%0aforged%22%20/"x"/' . 'y' x 3000, account => undef) }, 400],
    ['an action', sub { http(method => 'POST', path => sample('07')->{path}, account => 'EXCH01$', body => 'x',
        headers => [['Content-Type', 'text/xml; charset=utf-8'], ['SOAPAction', qq{"x" "forged\x02"}]]) }, 400],
    ['an action parameter', sub { http(method => 'POST', path => sample('07')->{path}, account => 'EXCH01$', body => 'x',
        headers => [['Content-Type', qq{application/soap+xml; charset=utf-8; action="x\\"forged"}]]) }, 400],
    ['a principal', sub { post_sample('07', account => undef, ccache => mkticket(client => 'EV"IL forged@RMS.TEST')) }, 500],
    ['a principal of bytes', sub { post_sample('07', account => undef, ccache => mkticket(client => "EV\xc3\xa9IL\xff\@RMS.TEST")) }, 500],
    ['a principal with a line end', sub { post_sample('07', account => undef, ccache => mkticket(client => 'EV\nIL@RMS.TEST')) }, 401],
    ['a licensor', sub { (my $b = sample('07')->{request}) =~ s/(<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{)[^}]+/$1&quot; &#10;forged/g;
        post_sample('07', body => $b) }, 400],
);
for my $case (@hostile) {
    my ($what, $do, $status) = @$case;
    $r = $do->();
    is($r->status, $status, "hostile: $what");
    line();
}
my @plain = split /\n/, slurp($n->prefix . '/plain.log');
is(scalar @plain, $logged, 'as many lines as requests');
is(scalar(grep { !/^(?:"[^"\x00-\x1f\x7f-\xff]*" ?){11}$/ } @plain), 0, 'each of eleven fields, escaped')
    or diag grep { !/^(?:"[^"\x00-\x1f\x7f-\xff]*" ?){11}$/ } @plain;
is(scalar(grep {/^forged/} @plain, split /\n/, $n->error_log), 0, 'no forged line in any log');

my $headers = slurp($n->prefix . '/headers.log');
is(index($headers, 'identity-that'), -1, '$http_authorization never shows our identity');
is(index(join('', @plain, slurp($n->prefix . '/access.log'), $n->error_log), 'identity-that'), -1, 'nor does any other line');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
my @odd = grep { !/^azure authorization: 0/ } violations();
is_deeply([grep { !/signature/ } @odd], [], 'the backends saw nothing odd');

done_testing();
