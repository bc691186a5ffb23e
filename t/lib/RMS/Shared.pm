package RMS::Shared;

# What the nodes of a pool share, as a test sees it: sessions, revocations, the
# shared list, and what Redis has of them.
#
#   my $s = shared(redis('single'), nodes => 3);
#   my $cookie = $s->login(0, 'bob');
#   is($s->at(1, cookie => $cookie), '200 bob@RMS.TEST none');
#   $s->list(0, add => 'user account=bob@RMS.TEST');
#
# A document in Redis is a hash: v is "VERSION-TAG", d the sealed record, and TAG the
# first bytes of its salt: version 1, key id 8, salt 16, text, tag 16.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;

use RMS::Client;
use RMS::Env;
use RMS::Pool;
use RMS::Samples;

our @EXPORT = qw(shared stamp);

my $path = sample('07')->{path};

# shared($redis, nodes => n, keys => [file of each node], redis => sub { conf of node $_ },
# http => text, location => text, workers => n) - starts the pool.  alice is its admin.
sub shared {
    my ($redis, %o) = @_;
    my $self = bless { redis => $redis, workers => $o{workers} || 2, %o }, __PACKAGE__;
    $self->{nodes} ||= 3;
    $self->{keys} ||= [($self->key_file('seal', 0x5ea1)) x $self->{nodes}];
    $self->{pool} = pool(nodes => $self->{nodes}, balancer => '', conf => sub { $self->conf(@_) });
    $self->ready unless $o{away};
    return $self;
}

# key_file($name, @keys) - a file of keys, the first one seals.
sub key_file {
    my ($self, $name, @keys) = @_;
    my $file = spew(dir() . "/$name.keys", join '', map { sprintf "%064x\n", $_ } @keys);
    share_with_worker($file);
    return $file;
}

sub conf {
    my ($self, $i) = @_;
    my $redis = $self->{conf} ? $self->{conf}->($i) : $self->{redis}->conf;
    return { workers => $self->{workers},
        http => $redis . "rms_seal_key_file $self->{keys}[$i];\n" . ($self->{http} || '')
            . ($self->{state} ? "rms_state_file $self->{state}[$i];\n" : ''),
        location => "rms_session cookie;\nrms_acl_shared on;\n" . ($self->{location} || ''),
        locations => 'location /admin/ { rms_auth negotiate; rms_allow admin account=alice@RMS.TEST; rms_admin; }' };
}

# ready() - every worker of every node has its two connections, and each node knows of
# revocations.
sub ready {
    my ($self) = @_;
    my $redis = $self->{redis};
    wait_for(sub { !grep { !$self->fresh($_) } 0 .. $self->{nodes} - 1 }, 'every node knows what Redis has');
    return wait_for(sub {
        my $text = $redis->cmd('CLIENT', 'LIST');
        my $n = () = $text =~ /^id=/mg;
        return $n - 1 >= 2 * $self->{workers} * $self->{nodes};
    }, 'all connections');
}

sub node { return $_[0]{pool}->node($_[1]) }

# status($i), fresh($i), refused($i), version($i) - of a node: rms_status; whether what
# it knows is new; records refused; of the list, of revocations.
sub status  { return $_[0]{pool}->status($_[1]) }
sub refused { return $_[0]->status($_[1])->{counters}{records_refused} }
sub version { my $s = $_[0]->status($_[1]); return "$s->{shared_list}{version} $s->{revocations}{version}" }

sub fresh {
    my $s = $_[0]->status($_[1]);
    return ($s->{redis}{state} || '') eq 'up' && !$s->{shared_list}{stale};
}

# all_refused() - of all nodes together.    log($pattern) - which nodes' logs hold it.
sub all_refused { my ($self) = @_; my $n = 0; $n += $self->refused($_) for 0 .. $self->{nodes} - 1; return $n }

sub log {
    my ($self, $pattern) = @_;
    return grep { $self->node($_)->error_log =~ $pattern } 0 .. $self->{nodes} - 1;
}

# at($i, cookie =>, account =>) - a request at node i: "status account role".
sub at {
    my ($self, $i, %o) = @_;
    my $cookie = delete $o{cookie};
    my $r = $self->{last} = http(client => $self->{pool}->client($i), path => $path, %o,
        headers => [$cookie ? ['Cookie', $cookie] : (), @{ $o{headers} || [] }]) or return 'closed';
    return join ' ', $r->status, $r->status == 200 ? $r->header('x-who') : ();
}

# login($i, $account) - the cookie that a login at node i sets.
sub login {
    my ($self, $i, $account) = @_;
    my $said = $self->at($i, account => $account);
    my ($pair) = map {/^([^;]+);/} $self->{last}->all('set-cookie') or die "login: $said";
    return $pair;
}

# revoke($i, $what) - "stored", "pending", or the status.
sub revoke {
    my ($self, $i, $what) = @_;
    my $r = http(client => $self->{pool}->client($i), method => 'POST', path => "/admin/revoke?$what",
        account => 'alice', headers => [['X-RMS-Admin', 1]]);
    return $r->status == 200 ? JSON::PP->new->utf8->decode($r->body)->{pool} : $r->status;
}

# list($i, $op => @rules) - a change of the list as node i has it: the status.
sub list {
    my ($self, $i, $op, @rules) = @_;
    my $match = $self->status($i)->{shared_list}{version};
    return $self->change($i, $match, { op => $op, rules => \@rules, note => 'a note of the test' })->status;
}

sub change {
    my ($self, $i, $match, $edit) = @_;
    return http(client => $self->{pool}->client($i), method => 'POST', path => '/admin/list', account => 'alice',
        body => JSON::PP->new->utf8->encode($edit),
        headers => [['Content-Type', 'application/json'], ['If-Match', qq("$match")]]);
}

# everywhere($list, $revocations) - whether all nodes and Redis have these versions.
sub everywhere {
    my ($self, @want) = @_;
    for my $i (0 .. $self->{nodes} - 1) {
        my $s = $self->status($i);
        for my $k (0, 1) {
            my $d = $s->{ ('shared_list', 'revocations')[$k] };
            return 0 if defined $want[$k] && ($d->{version} != $want[$k] || $d->{stored} != $want[$k]);
        }
    }
    my @there = map { (($self->record($_))[0] =~ /^(\d+)-/)[0] || 0 } 'list', 'revoked';
    return !grep { defined $want[$_] && $want[$_] != $there[$_] } 0, 1;
}

# key($name) - of a document.    record($name) - its v and d.    put($name, $v, $d)
sub key { return "rms:v1:document:$_[1]" }

sub record {
    my ($self, $name) = @_;
    return map { defined $_ ? $_ : '' } @{ $self->{redis}->cmd('HMGET', $self->key($name), 'v', 'd') };
}

sub put {
    my ($self, $name, $v, $d) = @_;
    return $self->{redis}->cmd('HSET', $self->key($name), 'v', $v, 'd', $d);
}

# stamp($version, $record) - the v of a record.
sub stamp { return sprintf '%d-%s', $_[0], unpack 'H8', length $_[1] >= 25 ? substr $_[1], 9, 4 : "\0\0\0\1" }

1;
