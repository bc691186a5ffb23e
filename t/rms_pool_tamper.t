# Whoever can write to Redis is no admin: tampered, truncated, moved, foreign, old and
# forged records are refused, told of, and give way to what the nodes have; and whoever
# can read there learns nothing.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use MIME::Base64 qw(decode_base64 decode_base64url);

use RMS::Redis;
use RMS::Shared;

my $redis = redis('single');
my $s = shared($redis, location => "rms_replay shared;\n");
my $in = '200 bob@RMS.TEST user';
my $rule = 'user account=bob@RMS.TEST';

sub soon { my ($sub, $name) = @_; return ok(eval { wait_for($sub, $name); 1 }, $name) }
sub flip { my ($d, $at) = @_; substr($d, $at, 1) ^= "\x01"; return $d }

# Two versions of each document, and the older ones kept.
is($s->list(0, add => $rule), 200, 'a list');
$s->login(0, 'EXCH01$');
is($s->revoke(0, 'account=x%40RMS.TEST'), 'stored', 'a revocation');
soon(sub { $s->everywhere(1, 1) }, 'which every node has');
my $cookie = $s->login(0, 'bob');
is($s->at($_, cookie => $cookie), $in, "a session of bob at node $_") for 0 .. 2;
my %old = map { $_ => [$s->record($_)] } 'list', 'revoked';
my %before = map { $_ => 1 } $redis->keys;
my $mine = $s->login(0, 'EXCH01$');
my ($key) = grep { /:session:/ && !$before{$_} } $redis->keys;
is($s->list(1, add => 'user account=gone@RMS.TEST'), 200, 'another version of the list');
is($s->revoke(1, 'account=bob%40RMS.TEST'), 'stored', 'and of the revocations');
soon(sub { $s->everywhere(2, 2) }, 'which every node has, too');
is($s->at($_, cookie => $cookie), 401, "bob is revoked at node $_") for 0 .. 2;


# Documents

# refused($name, $what, $event, sub { spoil }) - the nodes say so, and Redis gets the
# good one again.
sub refused {
    my ($name, $what, $event, $spoil) = @_;
    my $before = $s->all_refused;
    my %log = map { $_ => length $s->node($_)->error_log } 0 .. 2;
    $spoil->();
    soon(sub { $s->all_refused > $before && $s->everywhere(2, 2) }, "$name, $what: refused and repaired");
    is($s->at(1, account => 'bob'), $in, 'while the list is in use') if $name eq 'list';
    return unless $event;
    return ok((grep { $s->node($_)->error_log =~ /event=3001 record of Redis refused: key="rms:v1:document:$name" .*$event/ } 0 .. 2),
        "$name, $what: event 3001");
}

my %other = (list => 'revoked', revoked => 'list');
for my $name ('list', 'revoked') {
    my ($v, $d) = $s->record($name);
    my $spoilt = sub { my ($bad) = @_; return sub { $s->put($name, stamp(3, $bad), $bad) } };
    my $changed = 'was changed, cut short or moved';
    refused($name, 'salt', $changed, $spoilt->(flip($d, 12)));
    refused($name, 'text', $changed, $spoilt->(flip($d, 30)));
    refused($name, 'tag', $changed, $spoilt->(flip($d, length($d) - 1)));
    refused($name, 'cut short by a byte', $changed, $spoilt->(substr $d, 0, -1));
    refused($name, 'cut to its head', $changed, $spoilt->(substr $d, 0, 25));
    refused($name, 'nothing left of it', $changed, sub { $s->put($name, '3-00000001', '') });
    refused($name, 'a byte more', $changed, $spoilt->("$d\0"));
    refused($name, 'that of another key', $changed, $spoilt->(($s->record($other{$name}))[1]));
    refused($name, 'a version without its record', $changed, sub { $redis->cmd('HSET', $s->key($name), 'v', stamp(99, $d)) });
    refused($name, 'a version and no record', $changed,
        sub { $redis->ask(['HSET', $s->key($name), 'v', '99-12345678'], ['HDEL', $s->key($name), 'd']) });
    refused($name, "a version that is none: $_", 'was not written by a node', do { my $bad = $_; sub { $redis->cmd('HSET', $s->key($name), 'v', $bad) } })
        for 'garbage', 'x' x 1000, '2-', "02-12345678", uc(stamp(2, $d)) . 'A', '9223372036854775808-12345678', '-1-12345678', '';
    for my $type (['string', 'SET', $s->key($name), 'x'], ['list', 'LPUSH', $s->key($name), 'x'], ['set', 'SADD', $s->key($name), 'x']) {
        my ($what, @command) = @$type;
        refused($name, "a $what in its place", 'was not written by a node', sub { $redis->ask(['DEL', $s->key($name)], \@command) });
    }
    refused($name, 'an older one', 'was older than what this node has', sub { $s->put($name, @{ $old{$name} }) });
    refused($name, 'an older one under a new version', $changed, sub { $s->put($name, stamp(9, $old{$name}[1]), $old{$name}[1]) });
    is($s->at($_, cookie => $cookie), 401, "who was revoked is so at node $_") for 0 .. 2;
}

# with the stamp that the nodes have, which none of them fetches; but one that starts
# does, and what it cannot read goes, so that the others put theirs
for my $name ('list', 'revoked') {
    my ($v, $d) = $s->record($name);
    $s->put($name, $v, flip($d, 40));
    $s->node(2)->kill9;
    $s->node(2)->start;
    soon(sub { $s->everywhere(2, 2) && ($s->record($name))[1] ne flip($d, 40) }, "$name, spoilt in place: repaired for a node that starts");
}
$s->ready;
is($s->at(2, cookie => $cookie), 401, 'a node that starts anew knows who was revoked');
is($s->at(2, account => 'bob'), $in, 'and the list');

# what another node may be able to read stays where it is
for my $case (['another key', 1, qr/is sealed with a key that is not in/], ['another version', 0, qr/has the form of another version/]) {
    my ($what, $at, $event) = @$case;
    my ($v, $d) = $s->record('list');
    my $bad = flip($d, $at);
    my $before = $s->all_refused;
    $s->put('list', stamp(3, $bad), $bad);
    soon(sub { $s->all_refused >= $before + 3 && $s->log($event) == 3 }, "$what: refused at every node, which tells");
    is($s->at(1, account => 'bob'), $in, 'which goes on with what it has');
    is(($s->record('list'))[0], stamp(3, $bad), 'and does not overwrite it');
    is($s->list(0, add => 'user account=more@RMS.TEST'), 412, 'nor does a change');
    $redis->cmd('DEL', $s->key('list'));
    soon(sub { $s->everywhere(2, 2) }, 'until it is gone');
}

# how often it is said
my ($v, $d) = $s->record('list');
my $lines = sub { my $n = 0; $n += () = $s->node($_)->error_log =~ /event=3001/g for 0 .. 2; $n };
my $before = $lines->();
my $count = $s->all_refused;
my $next = 100;
wait_for(sub {
    my $bad = flip($d, 30 + $next % 20);
    $s->put('list', stamp($next++, $bad), $bad);
    return $s->all_refused > $count + 30;
}, '30 refusals');
cmp_ok($lines->() - $before, '<=', 12, 'thirty refusals are a line or two of each worker');
soon(sub { $s->everywhere(2, 2) }, 'and repaired');


# Messages

my $channel = 'rms:v1:channel:changes';
$count = $s->all_refused;
$redis->cmd('PUBLISH', $channel, $_) for 'x', '', "\x01" . "A" x 60, 'y' x 100000;
soon(sub { $s->all_refused >= $count + 4 * 3 * 2 }, 'forged messages are refused by every worker');
is(scalar(my @told = $s->log(qr/event=3001 message of Redis refused: channel="\Q$channel\E"/)), 3, 'which tells');
ok($s->everywhere(2, 2), 'and change nothing');


# Sessions

my $record = $redis->cmd('GET', $key);
my $bob = $s->login(0, 'bob');
my ($other) = grep { /:session:/ && $_ ne $key } $redis->keys;
my %spoilt = ('version' => flip($record, 0), 'key' => flip($record, 3), 'salt' => flip($record, 10), 'text' => flip($record, 40),
    'tag' => flip($record, length($record) - 5), 'cut short' => substr($record, 0, -3), 'nothing' => '', 'a byte' => 'x',
    'of another session' => $redis->cmd('GET', $other), 'of the list' => $d, 'more behind it' => "${record}x");
for my $what (sort keys %spoilt) {
    $redis->cmd('SET', $key, $spoilt{$what}, 'KEEPTTL');
    my $n = $s->refused(1);
    is($s->at(1, cookie => $mine), 401, "session, $what: refused");
    is($s->refused(1), $n + 1, 'and counted');
}
like($s->node(1)->error_log, qr/event=3001 record of Redis refused: key="\Q$key\E" .* its client logs in anew/, 'which the log tells');
$redis->ask(['DEL', $key], ['HSET', $key, 'v', 1]);
is($s->at(1, cookie => $mine), 401, 'session, another type: nobody');
is($s->at(1, cookie => $mine, account => 'EXCH01$'), '200 EXCH01$@RMS.TEST exchange', 'who logs in anew comes in');
$redis->ask(['DEL', $key], ['SET', $key, $record, 'PX', 60000]);
is($s->at(1, cookie => $mine), '200 EXCH01$@RMS.TEST exchange', 'with the good record it is known');

my ($revoked) = map { $redis->cmd('GET', $_) } $other;
is($s->at(1, cookie => $bob), $in, 'bob, who is known at two nodes');
is($s->revoke(0, 'account=bob%40RMS.TEST'), 'stored', 'and revoked then');
soon(sub { $s->everywhere(2, 3) && $s->at(2, cookie => $bob) eq 401 }, 'is nobody');
$redis->cmd('SET', $other, $revoked, 'PX', 60000);
is($s->at($_, cookie => $bob), 401, "and stays so at node $_ when his record is put back") for 0 .. 2;


# All of it gone

my $known = $s->login(0, 'bob');
is($s->at(1, cookie => $known), $in, 'a session known to two nodes');
my $unknown = $s->login(0, 'bob');
$redis->flush;
soon(sub { $s->everywhere(2, 3) }, 'FLUSHALL: list and revocations come back from the nodes');
is($s->at($_, cookie => $known), $in, "node $_ knows the session") for 0, 1;
is($s->at(2, cookie => $unknown), 401, 'a node that did not lets its client log in');
is($s->at($_, cookie => $bob), 401, "who was revoked is so at node $_") for 0 .. 2;

# Two changes at one moment

my $version = $s->status(0)->{shared_list}{version};
for my $round (1 .. 3) {
    soon(sub { $s->everywhere($version) }, "round $round");
    my @client = map { $s->{pool}->client($_) } 0, 1;
    my $body = sub { my ($i) = @_; return qq({"op":"add","rules":["user account=r$round-$i\@RMS.TEST"]}) };
    my @auth = map { negotiate('alice') } 0, 1;
    $client[$_]->request(method => 'POST', path => '/admin/list', body => $body->($_), headers => [['Authorization', $auth[$_]],
        ['Content-Type', 'application/json'], ['If-Match', qq("$version")]]) for 0, 1;
    my @status = sort map { $_->response->status } @client;
    is("@status", '200 412', "round $round: two nodes change the list at one moment, one of them does");
    $version++;
}

# Who reads it learns nothing

my ($token) = negotiate('bob') =~ /^Negotiate (.*)/;
is($s->at(0, headers => [['Authorization', "Negotiate $token"]]), $in, 'a login');
my $bytes = $redis->bytes;
my ($number) = $known =~ /=(.*)/;
my $raw = decode_base64url($number);
my @part = (substr($token, 20, 24), substr decode_base64($token), 15, 18);
for my $case (['account', qr/bob\@|EXCH01|alice|RMS\.TEST|rms\.test/], ['rule', qr/account=|user any|gone\@/],
    ['note', qr/a note of the test/], ['SID', qr/S-1-5-|\x01\x05\x00\x00\x00\x00\x00\x05/],
    ['cookie', qr/\Q$number\E|\Q$raw\E/],
    ['token', qr/\Q$part[0]\E|\Q$part[1]\E/])
{
    unlike($bytes, $case->[1], "no $case->[0] is in Redis");
}
is_deeply([grep { $_->{ttl} < 0 } values %{ $redis->dump }], [], 'and every key has an end');

done_testing();
