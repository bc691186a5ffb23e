# At debug level, after everything that can happen to a message: no token, key,
# identity, licence or content in a log, a temporary file, the status or an
# answer that is not for it; large bodies never touch a disk.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $identity = 'Bearer ' . join '', map { chr(97 + $_ * 7 % 26) . $_ } 1 .. 40;
my $file = dir() . '/identity';
spew($file, "$identity\n");
share_with_worker($file);

standin(azure => { require_authorization => $identity }, adrms => {},
    other => { kind => 'adrms', base => 'http://rms02.corp.harbourline.example/_wmcs' });
my $n = nginx(log => 'debug', backends => [{ name => 'azure', identity => "file=$file" },
        { name => 'adrms', read_only => 'on', read_only_answer => 'fault' }, 'other'], pass => 'azure adrms',
    locations => 'location /other/ { rms_auth negotiate; rms_pass other; }
        location = /leak { access_log @PREFIX@/access.log leak; return 204; }',
    http => 'log_format leak $http_authorization;');

# open_files() - what workers hold open below the temp paths, deleted or not
sub open_files {
    return grep { m{/(?:client_body|proxy|fastcgi|uwsgi|scgi)/} } map { readlink($_) || '' }
        map { glob "/proc/$_/fd/*" } $n->workers;
}

# every message, from every kind of caller
for my $name (samples()) {
    post_sample($name);
}
post_sample($_, account => 'alice') for qw(07 12);
post_sample('07', account => 'ROGUE01$');
post_sample('08', account => 'SP01$');
post_sample('07', account => undef, ccache => mkticket(wrong_key => 1));
post_sample('07', account => undef, ccache => mkticket(begin => -7200, life => 3600));
my $token = negotiate('EXCH01$');
post_sample('07', account => undef, authorization => $token) for 1 .. 2;
http(path => sample('07')->{path}, account => 'EXCH01$', mech => $_) for qw(krb5 windows negoex);
http(path => sample('07')->{path}, authorization => "$token==");
http(path => sample('07')->{path}, authorization => substr $token, 0, 400);

# broken messages, and backends that break
my $cut = substr sample('07')->{request}, 0, 9000;
post_sample('07', body => $cut);
post_sample('12', body => substr(sample('12')->{request}, 0, -20) . '<x/>');
for my $bad ({ unauthorized => 1 }, { reset => 'before' }, { reset => 'body' }, { truncate => 3000 }, { garbage => 1 }, { gzip => 1 },
    { body => sample('07')->{response} =~ s/<\/soap:Envelope>//r }, { body => '<!DOCTYPE x [<!ENTITY a "b">]>' . sample('12')->{response} })
{
    for my $name (qw(07 12)) {
        control(azure => { %$bad, times => 1 });
        post_sample($name);
    }
}
control(azure => {});

# large bodies: 15 MB up, 20 MB down, looked at on their way
my $pad = ' ' x (15 * 1024 * 1024);
(my $large = sample('07')->{request}) =~ s/(<\/soap:Envelope>)\s*\z/$pad$1/;
for my $chunked (0, 1) {
    my $c = client(addr(), $n->port);
    my $bytes = build_request(method => 'POST', path => sample('07')->{path}, body => $large,
        headers => [@{ sample('07')->{headers} }, [Authorization => negotiate('EXCH01$')]], $chunked ? (chunked => 65536) : ());
    my $half = int(length($bytes) * .8);
    $c->write(substr $bytes, 0, $half);
    $n->wait_log(qr/http client request body recv|http body new buf/);
    is_deeply([open_files(), $n->temp_files], [], 'no file while a large body is read');
    $c->write(substr $bytes, $half);
    is($c->response->status, 200, 'a body of 15 MB' . ($chunked ? ', chunked' : ''));
    is_deeply([open_files(), $n->temp_files], [], 'and no file after it');
}
my $answer = sample('07')->{response} =~ s/(<\/soap:Envelope>)\s*\z/' ' x (20 * 1024 * 1024) . $1/er;
control(azure => { body_file => spew(dir() . '/large.xml', $answer), times => 1 });
my $c = client(addr(), $n->port);
$c->request(method => 'POST', path => sample('07')->{path}, body => sample('07')->{request},
    headers => [@{ sample('07')->{headers} }, [Authorization => negotiate('EXCH01$')]]);
$c->fill;
is_deeply([open_files(), $n->temp_files], [], 'no file while a large answer waits for its client');
my $r = $c->response;
ok($r->body eq $answer, 'an answer of 20 MB');
is_deeply([open_files(), $n->temp_files], [], 'and no file after it');

# our identity goes to its backend, for servers, and nowhere else
my @journal = journal();
my @with = grep { grep { defined && index($_, substr $identity, 7) >= 0 } values %{ $_->{headers} } } @journal;
cmp_ok(scalar @with, '>=', 15, 'the backend of the identity gets it');
is_deeply([grep { $_->{listener} ne 'azure' } @with], [], 'and no other backend');
is(scalar(grep { $_->{listener} eq 'adrms' } @journal) > 0, 1, 'which were asked, too');
http(method => 'POST', path => '/other/../_wmcs/licensing/license.asmx', account => 'EXCH01$', body => sample('07')->{request},
    headers => sample('07')->{headers});
my @clients = grep { my $e = $_; grep { defined && /Negotiate/ } values %{ $e->{headers} } } journal();
is_deeply(\@clients, [], 'no backend gets the token of a client');

# the logs, the temp paths
my ($rc, $klist) = run([qw(klist -K -k), kdc()->keytab]);
my @keys = $klist =~ /\(0x([0-9a-f]{32,})\)/g;
cmp_ok(scalar @keys, '>=', 4, 'the keys of the keytab are known');
my @bearer = (substr($identity, 7), @keys, map { pack 'H*', $_ } @keys);
is_deeply([no_secrets(@bearer)], [], 'D48: no token, key, identity or licence in any log or temp file');
cmp_ok(length $n->error_log, '>', 1_000_000, 'of a log at debug level');
my $stock = RMS::Samples::stock_lines_removed($n->error_log);
cmp_ok(length $stock, '>', 500_000, 'of which most was looked at');

# the status, and answers of our own
my $needle = RMS::Samples::needles();
my $status = http(path => '/rms/status')->body;
for my $part (['the status', $status], ['a denial', post_sample('07', account => 'ROGUE01$')->body],
    ['a refused body', post_sample('07', body => $cut . '</x>')->body], ['a refused header', http(path => sample('07')->{path}, authorization => "$token=")->body])
{
    my ($what, $text) = @$part;
    is_deeply([grep { index($text, $_) >= 0 } keys %$needle, @bearer], [], "no secret in $what");
}

# the helper finds what is there
is(http(path => '/leak', authorization => $token)->status, 204, 'a log that leaks');
$n->wait_log(qr/./);
wait_for(sub { slurp($n->prefix . '/access.log') =~ /Negotiate/ }, 'the line');
my @found = no_secrets();
is(scalar(grep {/^access\.log: token$/} @found) > 0, 1, 'is found');
spew($n->prefix . '/access.log', "$identity\n");
is_deeply([no_secrets(substr $identity, 7)], ['access.log: secret of the test'], 'and so is the identity');
unlike($stock, qr/^\S+ \S+ \[(?:alert|emerg|crit)\]/m, 'nothing alarming in the error log');
is_deeply([grep { !/^azure (?:authorization: 0|xml: )/ } violations()], [], 'the backends saw nothing odd');

done_testing();
