# Keys of a pool are changed while it runs: the new key as second line everywhere, then as
# the first, then the old one goes.  Nothing is lost, and a node that was forgotten does no
# harm.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use RMS::Redis;
use RMS::Shared;

my ($old, $new) = (0x01d, 0x2e3);
my $redis = redis('single');
my $s = shared($redis, keys => [map { RMS::Shared->key_file("seal.$_", $old) } 0 .. 2]);
my ($bob, $rule) = ('200 bob@RMS.TEST user', 'user account=bob@RMS.TEST');

sub soon { my ($sub, $name) = @_; return ok(eval { wait_for($sub, $name); 1 }, $name) }

# keys($i, @keys) - another file for a node, which reloads
sub keys_of {
    my ($i, @keys) = @_;
    RMS::Shared->key_file("seal.$i", @keys);
    return $s->{pool}->reload($i);
}

# id($name) - of the key that a document in Redis is sealed with
sub id { return unpack 'H16', substr +($s->record($_[0]))[1], 1, 8 }

is($s->list(0, add => $rule), 200, 'a list');
is($s->revoke(0, 'account=x%40RMS.TEST'), 'stored', 'a revocation');
soon(sub { $s->everywhere(1, 1) }, 'everywhere');
my $cookie = $s->login(0, 'bob');
is($s->at($_, cookie => $cookie), $bob, "a session at node $_") for 0 .. 2;
my %first = map { $_ => id($_) } 'list', 'revoked';
is($first{list}, $first{revoked}, 'both are sealed with one key');

# the second line, but for node 2, which is forgotten
ok(keys_of($_, $old, $new), "the new key as second line at node $_") for 0, 1;
$s->ready;
is(id('list'), $first{list}, 'changes nothing');

ok(keys_of(0, $new, $old), 'then as the first at node 0');
soon(sub { id('list') ne $first{list} && id('revoked') ne $first{list} }, 'both documents are sealed anew');
my $second = id('list');
soon(sub { $s->log(qr/event=3001 record of Redis refused: key="rms:v1:document:list" is sealed with a key that is not in/) == 1 },
    'the node that was forgotten says why it does not read them');
like($s->node(2)->error_log, qr/is sealed with a key that is not in/, 'and it is that node');
is($s->at(2, account => 'bob'), $bob, 'it keeps its list');
is($s->at(2, cookie => $cookie), $bob, 'and its sessions');
is($s->list(1, add => 'user account=later@RMS.TEST'), 200, 'node 1 still seals with the old key');
soon(sub { $s->everywhere(2, 1) }, 'which all can read');
ok(keys_of(1, $new, $old), 'the new key as the first at node 1');
soon(sub { id('list') eq $second }, 'where its last reload seals it anew');
is($s->list(0, add => 'user account=last@RMS.TEST'), 200, 'a change that the forgotten node cannot read');
soon(sub { $s->status($_)->{shared_list}{version} == 3 }, "node $_ has it") for 0, 1;
is($s->list(2, remove => $rule), 412, 'it makes none itself');
is($s->revoke(2, 'account=z%40RMS.TEST'), 'pending', 'and its revocations wait');
my $there = ($s->record('list'))[0];
is($s->status(2)->{shared_list}{version}, 2, 'it has the list before');
is(($s->record('list'))[0], $there, 'and does not put that in place of the newer one');
is($s->at(2, cookie => $s->login(0, 'EXCH01$')), 401, 'sessions it cannot read are none');

ok(keys_of(2, $new, $old), 'it gets the new key');
soon(sub { $s->status(2)->{shared_list}{version} == 3 && $s->everywhere(3) }, 'and what it missed');
soon(sub { my %n = map { $s->status($_)->{revocations}{version} => 1 } 0 .. 2; keys %n == 1 && $s->everywhere(undef, keys %n) },
    'and its revocations are told');
ok(keys_of($_, $new), "the old line goes at node $_") for 2, 0, 1;
$s->ready;
soon(sub { $s->everywhere(3) && id('list') eq $second && id('revoked') eq $second }, 'documents are sealed with the new key');
is($s->at($_, cookie => $cookie), $bob, "the session has survived at node $_") for 0 .. 2;
is($s->at($_, account => 'bob'), $bob, "and the list at node $_") for 0 .. 2;
$s->node(1)->kill9;
$s->node(1)->start;
$s->ready;
soon(sub { $s->everywhere(3) }, 'a node that starts anew reads all of it');
is($s->at(1, account => 'bob'), $bob, 'and goes by it');
is($s->at(1, cookie => $s->login(0, 'bob')), $bob, 'new sessions are known to all');

done_testing();
