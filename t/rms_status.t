# rms_status: valid JSON, counters that move as things happen, list and
# backends; it survives a reload and says nothing it should not.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use Encode ();

standin(azure => {}, adrms => {});
my $open = 'location = /open { rms_status; allow 127.0.0.0/8; deny all; }';
my $secure = 'location = /secure { rms_auth negotiate; rms_status; }';
my %conf = (backends => ['azure', { name => 'adrms', read_only => 'on', read_only_answer => 'fault' }],
    port => free_port(), locations => "$open $secure", pass => 'azure adrms');
my $n = nginx(conf(%conf));

# status() - decoded, from the plain location
sub status {
    my $r = http(path => '/open');
    return JSON::PP->new->utf8->decode($r->body);
}

# flat($status) - "counters.denied" => n, "backends.azure.requests" => n
sub flat {
    my ($s) = @_;
    my %out;
    for my $b (@{ $s->{backends} }) {
        $out{"backends.$b->{name}.$_"} = $b->{$_} for qw(requests errors refused);
    }
    for my $part (qw(counters refused)) {
        $out{"$part.$_"} = $s->{$part}{$_} for keys %{ $s->{$part} };
    }
    for my $op (keys %{ $s->{operations} }) {
        $out{"operations.$op.$_"} = $s->{operations}{$op}{$_} for qw(forwarded denied);
    }
    return \%out;
}

# moved($what, sub, %expected) - what the sub does to the counters, no more
sub moved {
    my ($what, $do, %expected) = @_;
    my $before = flat(status());
    $do->();
    my $after = flat(status());
    my %diff = map { $after->{$_} != $before->{$_} ? ($_ => $after->{$_} - $before->{$_}) : () } keys %$after;
    is_deeply(\%diff, \%expected, "counted: $what") or diag explain \%diff;
    return;
}

my $r = http(path => '/open');
is($r->status, 200, 'the status answers');
is($r->header('content-type'), 'application/json', 'as JSON');
is($r->header('content-length'), length $r->body, 'with its length');
my $s = status();
is($s->{version} =~ /^\d+\.\d+\.\d+$/ && $s->{nginx} =~ /^1\./, 1, 'versions');
is($s->{zone}{name}, 'rms', 'the zone');
is($s->{zone}{size}, 16 * 1024 * 1024, 'its size');
cmp_ok($s->{replay}{capacity}, '>', 1000, 'room for authenticators');
cmp_ok($s->{since}, '<=', $s->{time}, 'since when it counts');
is_deeply([map {"$_->{role} $_->{kind} $_->{value}"} @{ $s->{list} }], [
    'exchange account EXCH01$@RMS.TEST', 'exchange account EXCH02$@RMS.TEST', 'sharepoint account SP01$@RMS.TEST',
    'fci account FS01$@RMS.TEST', 'user account alice@RMS.TEST'], 'the list, in order');
is(scalar(grep { $_->{file} =~ m{/nginx\.conf$} && $_->{line} > 1 } @{ $s->{list} }), 5, 'with file and line');
is_deeply([map { [@$_{qw(name kind read_only identity tls)}] } @{ $s->{backends} }],
    [[qw(azure azure off none none)], [qw(adrms adrms on none none)]], 'the backends');
is_deeply($s->{backends}[0]{base}, \@RMS::Standin::BASES, 'with every base');
is_deeply([grep {$_} values %{ flat($s) }], [], 'and every counter at zero');

my %login = ('counters.auth_ok' => 1, 'counters.auth_legs' => 1);
my %asked = (%login, 'counters.requests' => 1);
my $body = sub { ('counters.body_bytes' => length sample($_[0])->{request}) };

moved('allowed', sub { post_sample('07') }, %asked, $body->('07'), 'counters.forwarded' => 1,
    'counters.items' => 1, 'operations.AcquireLicense.forwarded' => 1, 'backends.azure.requests' => 1);
moved('allowed, at the other backend', sub { post_sample('07e') }, %asked, $body->('07e'), 'counters.forwarded' => 1,
    'counters.items' => 1, 'operations.AcquireLicense.forwarded' => 1, 'backends.adrms.requests' => 1);
my $urls = () = sample('12')->{relayed} =~ /\Q$RMS::Nginx::PUBLIC_URL\E/g;
moved('rewritten', sub { post_sample('12') }, %asked, $body->('12'), 'counters.forwarded' => 1,
    'counters.rewritten' => 1, 'counters.urls_replaced' => $urls,
    'operations.GetServerInfo.forwarded' => 1, 'backends.azure.requests' => 1);
moved('denied: no role', sub { post_sample('07', account => 'ROGUE01$') }, %asked, 'counters.denied' => 1,
    'refused.no_role' => 1, 'operations.AcquireLicense.denied' => 1);
moved('denied: not this operation', sub { post_sample('08', account => 'SP01$') }, %asked, 'counters.denied' => 1,
    'refused.operation' => 1, 'operations.AcquirePreLicense.denied' => 1);
(my $publish = sample('06')->{request}) =~ s/(<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{)[^}]+/$1 . RMS::Standin::northquay()/e;
moved('denied: read-only', sub { post_sample('06', body => $publish) }, %asked, 'counters.denied' => 1, 'refused.read_only' => 1,
    'counters.body_bytes' => length $publish, 'operations.AcquireIssuanceLicense.denied' => 1);
moved('refused: no credentials', sub { post_sample('07', account => undef) }, 'refused.no_credentials' => 1);
moved('refused: unknown path', sub { http(path => '/_wmcs/admin/admin.asmx', account => 'EXCH01$') }, 'refused.unknown_path' => 1);
moved('refused: path and action disagree', sub { post_sample('07', path => sample('12')->{path}) }, %asked,
    'counters.denied' => 1, 'refused.action_mismatch' => 1);
my $token = negotiate('EXCH01$');
post_sample('07', account => undef, authorization => $token);
moved('refused: the same token again', sub { post_sample('07', account => undef, authorization => $token) },
    'counters.auth_legs' => 1, 'refused.replay' => 1);
moved('a service page', sub { http(path => sample('07')->{path}, account => 'EXCH01$') }, %asked, 'counters.pages' => 1);
control(azure => { unauthorized => 1, times => 1 });
moved('a backend refused us', sub { post_sample('07') }, %asked, $body->('07'), 'counters.forwarded' => 1,
    'operations.AcquireLicense.forwarded' => 1, 'backends.azure.requests' => 1, 'backends.azure.refused' => 1,
    'counters.backend_errors' => 1, 'refused.backend_refused' => 1);
control(azure => { reset => 'before', times => 1 });
moved('a backend is gone', sub { post_sample('07') }, %asked, $body->('07'), 'counters.forwarded' => 1,
    'operations.AcquireLicense.forwarded' => 1, 'backends.azure.requests' => 1, 'backends.azure.errors' => 1,
    'counters.backend_errors' => 1, 'refused.backend_down' => 1);
control(azure => {});

# other methods
my $c = client(addr(), $n->port);
$c->request(method => 'HEAD', path => '/open');
$r = $c->response;
is($r->status, 200, 'HEAD');
cmp_ok($r->header('content-length'), '>', 1000, 'has the length');
$c->request(path => '/open');
is($c->response->status, 200, 'and no body');
$c->request(method => 'POST', path => '/open', body => '{}');
is($c->response->status, 405, 'POST is not allowed');
is(http(method => 'DELETE', path => '/open')->status, 405, 'nor DELETE');

# with a login a role is needed
is(http(path => '/secure')->status, 401, 'no credentials: 401');
is(http(path => '/secure', account => 'ROGUE01$')->status, 403, 'no role: 403');
$r = http(path => '/secure', account => 'SP01$');
is($r->status, 200, 'a role: 200');
ok($r->{gss}->mutual($r), 'and the acceptor proves itself');

# a reload
my $before = status();
ok($n->reload(conf(%conf, allow => ['fci account=FS01$@RMS.TEST'])), 'reload');
wait_for(sub { !$n->leaving }, 'old workers gone');
my $after = status();
is_deeply(flat($after), flat($before), 'the counters are those of before');
is($after->{since}, $before->{since}, 'and so is the time');
isnt($after->{pid}, $before->{pid}, 'told by another worker');
is_deeply($after->{replay}, $before->{replay}, 'authenticators are remembered');
is_deeply([map { $_->{value} } @{ $after->{list} }], ['FS01$@RMS.TEST'], 'the list is the new one');
my @found = no_secrets();
is_deeply(\@found, [], 'no secrets in logs');
unlike(slurp($n->prefix . '/error.log'), qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');
is_deeply([violations()], [], 'the backends saw nothing odd');
$n->stop;

# hostile values, as an operator may write them
my $name = "q\"uo\\te\x{e9}\x{4e16}";
my $bytes = Encode::encode('UTF-8', $name);
(my $quoted = $bytes) =~ s/(["\\])/\\$1/g;
my $long = 'x' x 127 . Encode::encode('UTF-8', "\x{20ac}" x 80);
$n = nginx(conf(backends => ['azure'], pass => 'azure', locations => $open,
    http => qq{rms_zone "z\\"one" 2m; rms_backend "$quoted" { kind adrms; pass \@x; base https://x/_wmcs; }
        rms_backend "bad\xff\x80\x07" { kind adrms; pass \@x; base https://x/_wmcs; }\n},
    allow => ['exchange account=EXCH01$@RMS.TEST', qq{fci "account=~$quoted"}, qq{user "account=~$long"}]));
$r = http(path => '/open');
$s = eval { JSON::PP->new->utf8->decode($r->body) };
is($@, '', 'hostile values: still JSON') or diag substr $r->body, 0, 2000;
ok(defined eval { Encode::decode('UTF-8', $r->body, Encode::FB_CROAK) }, 'in UTF-8');
is($s->{zone}{name}, 'z"one', 'a quote in the zone');
my ($hostile) = grep { $_->{name} eq $name } @{ $s->{backends} };
ok($hostile, 'quotes, backslash and UTF-8 in a backend');
ok(scalar(grep { $_->{name} eq "bad\x{fffd}\x{fffd}\x07" } @{ $s->{backends} }), 'bytes that are no UTF-8 are replaced');
is($s->{list}[1]{value}, $name, 'in the list');
like($s->{list}[2]{value}, qr/^x{127}/, 'a long one is cut');
is($s->{list}[2]{kind}, 'pattern', 'and known as a pattern');
unlike($n->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the error log');

done_testing();
