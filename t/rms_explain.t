# explain: what role an account or a SID has in each location, by which rule,
# and where its groups come from; for admins alone.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::AD;
use RMS::Clock;
use RMS::Relay;

use JSON::PP;

ad();
standin(azure => {}, adrms => {});
my %sid = map { $_ => ad()->sid($_) } 'Exchange Servers', 'Nested Outer', 'Finance';
my %conf = (port => free_port(), pass => 'azure', main => "env KRB5_CONFIG;\n",
    allow => ["exchange \"sid=$sid{'Exchange Servers'}\"", 'sharepoint account=SP01$@RMS.TEST', 'user sid=' . $sid{Finance}],
    locations => <<'X');
location /admin/ { rms_auth negotiate; rms_allow admin account=alice@RMS.TEST; rms_allow user account=bob@RMS.TEST; rms_status; }
location /lost/ { rms_auth negotiate; rms_allow admin any; root @PREFIX@; error_page 404 = /plain/explain?account=x@RMS.TEST; }
location /plain/ { rms_status; allow 127.0.0.0/8; deny all; }
location /any/ { satisfy any; allow 127.0.0.0/8; deny all; rms_auth negotiate; rms_allow admin any; rms_status; }
location /keyless/ { rms_auth negotiate; rms_keytab WRONG; rms_allow admin any; rms_status; }
location /outer/ { rms_auth negotiate; rms_pass adrms; rms_allow user any; rms_grant user Precertify; }
location /open/ { rms_auth off; rms_pass adrms; rms_allow partner any; }
X
$conf{locations} =~ s/WRONG/ad()->keytab('wrong')/e;
my $n = nginx(conf(%conf));

# ask($query) - the answer, decoded
sub ask {
    my ($query, %o) = @_;
    my $r = http(path => "/admin/explain?$query", account => 'alice', %o);
    is($r->status, 200, "explain?$query") or diag $r->body;
    return JSON::PP->new->utf8->decode($r->body);
}

sub ask_quietly {
    return JSON::PP->new->utf8->decode(http(path => '/admin/explain?account=EXCH02$@RMS.TEST', account => 'alice')->body);
}

sub at {
    my ($e, $location) = @_;
    my ($found) = grep { $_->{location} eq $location } @{ $e->{locations} };
    return $found->{answer};
}

# logins() - of those who ask for EXCH02$
sub logins { return scalar(() = $n->error_log =~ /login: [^\n]*explain\?account=EXCH02/g) }

# who may ask
is(http(path => '/admin/explain?account=SP01$@RMS.TEST')->status, 401, 'nobody: 401');
is(http(path => '/admin/explain?account=SP01$@RMS.TEST', account => 'bob')->status, 403, 'another role: 403');
is(http(path => '/admin/explain?account=SP01$@RMS.TEST', account => 'SP01$')->status, 403, 'no role: 403');
is(http(path => '/plain/explain?account=SP01$@RMS.TEST')->status, 403, 'a status without login has no admins');
is(http(path => '/any/explain?account=SP01$@RMS.TEST')->status, 403, 'nor has one that an address opens');
is(http(path => '/lost/x', account => 'alice')->status, 403, 'nor is a role of another location good there');
is(http(path => '/plain/status')->status, 200, 'which shows the rest');
my $r = http(method => 'POST', path => '/admin/explain?account=SP01$@RMS.TEST', account => 'alice', body => 'x');
is($r->status . ' ' . $r->header('allow'), '405 GET, HEAD', 'POST is not allowed');
$n->wait_log(qr/rms refused: account="bob\@RMS\.TEST"; "explain", "revoke", "drain" and "list" need/);

# groups from the KDC, though EXCH01$ was never here
my $e = ask('account=EXCH01%24@RMS.TEST');
is($e->{account}, 'EXCH01$@RMS.TEST', 'the account asked for');
is_deeply($e->{groups}, { source => 's4u2self', age => 0 }, 'its groups are those of this moment');
my $x = at($e, '/');
is("$x->{role} $x->{rule}{text}", "exchange sid=$sid{'Exchange Servers'}", 'its role and the rule');
like("$x->{rule}{file}:$x->{rule}{line}", qr{/nginx\.conf:\d+$}, 'with file and line');
my ($line) = (split /\n/, slurp($x->{rule}{file}))[$x->{rule}{line} - 1];
like($line, qr/rms_allow.*$sid{'Exchange Servers'}/, 'which is the line');
ok(scalar(grep { $_->{operation} eq 'AcquirePreLicense' } @{ $x->{may} }), 'and what it may');
cmp_ok($x->{sids}, '>=', 6, 'by so many SIDs');
ok(scalar(grep { $_->{operation} eq 'Precertify' } @{ at($e, '/outer/')->{may} }), 'with what was granted in a location');
is_deeply([map {"$_->{server} $_->{location} @{ $_->{auth} }"} @{ $e->{locations} }],
    ['rmsconnector.rms.test / negotiate', 'rmsconnector.rms.test /open/ ', 'rmsconnector.rms.test /outer/ negotiate'],
    'each location of rms_pass');
is(at($e, '/outer/')->{role}, 'user', 'a role for each');
is(at($e, '/open/')->{role}, 'partner', 'where nobody logs in, that of anybody');

# a group of today
ad()->change([leave => 'Exchange Servers', 'EXCH02$']);
$x = at(ask('account=EXCH02$@RMS.TEST'), '/');
is($x->{role}, 'none', 'an account that has left its group');
is($x->{reason}, 'no_role', 'has none');
ad()->change([join => 'Exchange Servers', 'EXCH02$']);
is(at(ask('account=EXCH02$@RMS.TEST'), '/')->{role}, 'exchange', 'back in it, it has one again');

# what comes near
$x = at(ask('account=sp01$@RMS.TEST'), '/');
is("$x->{role} $x->{hints}[0]{kind} $x->{hints}[0]{rule}{text}", 'none case account=SP01$@RMS.TEST', 'other capitals');
$x = at($e = ask('account=RMS%5CSP01%24'), '/');
is("$x->{role} $x->{reason} $x->{hints}[0]{kind}", 'none not_an_account netbios_form', 'a name as Windows writes it');
is($e->{groups}{source}, 'none', 'has no groups');
$e = ask('account=nobody@RMS.TEST');
is($e->{groups}{source} . ': ' . $e->{groups}{s4u2self},
    'none: no ticket for the account: Client not found in Kerberos database', 'an account that is not there');
ok(!$e->{locations}[0]{answer}{foreign}, 'of our realm');
$e = ask('account=mallory@OTHER.TEST');
is("$e->{groups}{s4u2self}", 'the account is of a foreign realm', 'a foreign one is not asked for');
is(at($e, '/')->{reason}, 'foreign_realm', 'and needs a rule that names it');
is(at($e, '/outer/')->{role}, 'none', 'which "any" does not');
is(at($e, '/open/')->{role}, 'partner', 'but where nobody logs in, nobody is foreign');
$e = ask('account=disabled@RMS.TEST');
is($e->{groups}{source}, 'none', 'a disabled account');

# SIDs
$e = ask("sid=$sid{'Exchange Servers'}");
is("$e->{sid} $e->{groups}{source}", "$sid{'Exchange Servers'} asked", 'a SID');
is(at($e, '/')->{role}, 'exchange', 'has a role');
is(at(ask('sid=S-1-5-32-544'), '/')->{role}, 'none', 'another one has none');

# what is no question
for my $query ('', 'account=', 'sid=S-1', 'sid=x', 'account=a@B&sid=S-1-5-32-544', 'account=a@B&account=c@D', 'account=a@B&x=y', 'all=1') {
    is(http(path => "/admin/explain?$query", account => 'alice')->status, 400, "\"$query\" is no question");
}
is(http(path => '/admin/explain?account=%00%0a%22%27%5c%ff@X', account => 'alice')->status, 200, 'hostile bytes');
my $c = client(addr(), $n->port);
$c->request(method => 'HEAD', path => '/admin/explain?account=EXCH01$@RMS.TEST', headers => [[Authorization => negotiate('alice')]]);
is($c->response->status, 200, 'HEAD');

# where the keytab does not allow it, the last login counts
sub keyless {
    my ($account) = @_;
    my $r = http(path => "/keyless/explain?account=$account", account => 'alice', service => 'HTTP@wrong.rms.test');
    is($r->status, 200, "of a keytab that is no account: $account");
    return JSON::PP->new->utf8->decode($r->body);
}
$e = keyless('FS01$@RMS.TEST');
is($e->{groups}{source}, 'none', 'no login yet');
like($e->{groups}{s4u2self}, qr/^no ticket for ourselves: Client .HTTP.* not found/, 'and why the KDC was no help');
ok(!exists $e->{groups}{age}, 'nothing has an age');
ok(at($e, '/')->{sids_unknown}, 'rules by SID were not applied');
is(post_sample('07', account => 'EXCH02$')->status, 200, 'a login');
$e = keyless('EXCH02$@RMS.TEST');
is($e->{groups}{source}, 'last_login', 'after it: its SIDs');
cmp_ok($e->{groups}{age}, '<', 60, 'with their age');
is(at($e, '/')->{role}, 'exchange', 'give the role');
http(path => sample('07')->{path}, account => 'mallory@OTHER.TEST');
$e = keyless('mallory@OTHER.TEST');
is("$e->{groups}{source} " . at($e, '/')->{foreign}, 'last_login 1', 'a foreign account is foreign');
is(at($e, '/')->{reason}, 'foreign_realm', 'and has no role');

# others do not wait for a KDC that does not answer, nor does a second question
my @tokens = map { negotiate('alice') } 1 .. 3;
my $caller = negotiate('EXCH01$');
ad()->freeze('samba');
my $logins = logins();
my ($first, $gone) = map { client(addr(), $n->port) } 1 .. 2;
$first->request(path => '/admin/explain?account=EXCH02$@RMS.TEST', headers => [[Authorization => shift @tokens]]);
wait_for(sub { logins() > $logins }, 'the question');
$r = http(path => '/admin/explain?account=EXCH02$@RMS.TEST', authorization => shift @tokens);
$e = JSON::PP->new->utf8->decode($r->body);
is_deeply([@{ $e->{groups} }{qw(source s4u2self)}], ['last_login', 'another request asks the KDC'], 'the KDC hangs: the last login');
is(post_sample('07', account => undef, authorization => $caller)->status, 200, 'and others are served');
ad()->thaw('samba');
$e = JSON::PP->new->utf8->decode($first->response->body);
is($e->{groups}{source}, 's4u2self', 'when it comes back, it is asked');

# a client that leaves meanwhile
@tokens = negotiate('alice');
ad()->freeze('samba');
$logins = logins();
$gone->request(path => '/admin/explain?account=EXCH02$@RMS.TEST', headers => [[Authorization => shift @tokens]]);
wait_for(sub { logins() > $logins }, 'the question');
$gone->reset;
ad()->thaw('samba');
is(ask('account=EXCH02$@RMS.TEST')->{account}, 'EXCH02$@RMS.TEST', 'a client that has left: the worker goes on');

# a KDC that does not come back in time
$n->stop;
$n = nginx(%conf, env => clock_env());
@tokens = map { negotiate('alice') } 1 .. 2;
is(post_sample('07', account => 'EXCH02$')->status, 200, 'a login');
ad()->freeze('samba');
$logins = logins();
$first = client(addr(), $n->port);
$first->request(path => '/admin/explain?account=EXCH02$@RMS.TEST', headers => [[Authorization => shift @tokens]]);
wait_for(sub { logins() > $logins }, 'the question');
put_forward(11);
$e = JSON::PP->new->utf8->decode($first->response->body);
is_deeply([@{ $e->{groups} }{qw(source s4u2self)}], ['last_login', 'the KDC did not answer in time'], 'it is given up');
$r = http(path => '/admin/explain?account=SP01$@RMS.TEST', authorization => shift @tokens);
$e = JSON::PP->new->utf8->decode($r->body);
is($e->{groups}{s4u2self}, 'another request asks the KDC', 'while its thread waits, no other one does');
is(at($e, '/')->{role}, 'sharepoint', 'but rules by name are told');
ad()->thaw('samba');
wait_for(sub { ask_quietly()->{groups}{source} eq 's4u2self' }, 'the KDC');
pass('and it is asked again when that has ended');

# a reload keeps what is known
ok($n->reload(conf(%conf)), 'reload');
is(keyless('EXCH02$@RMS.TEST')->{groups}{source}, 'last_login', 'last logins stay known');
nothing_odd();
logs_clean(expected => qr/event=3000|OTHER\.TEST/);

done_testing();
