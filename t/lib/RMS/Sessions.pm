package RMS::Sessions;

# What the nodes of a pool say to one client or another, asked one by one and past
# the balancer:
#
#   my $s = sessions($pool);                 # its nodes have $RMS::Sessions::ADMIN
#   my $cookie = $s->login(0, 'bob');
#   is_deeply([$s->everywhere($cookie)], [('200 bob@RMS.TEST') x 3], ...);
#   $s->revoke(1, 'account=bob%40RMS.TEST');
#   $s->wait_redis('up', 0 .. 2);

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use RMS::Env;
use RMS::Samples;
use RMS::Standin;

our @EXPORT = qw(sessions);

# the location of the configuration that revoke() needs
our $ADMIN = "location /admin/ { rms_auth negotiate; rms_allow admin account=alice\@RMS.TEST; rms_status; }\n";

sub sessions {
    my ($pool) = @_;
    return bless { pool => $pool, page => sample('07')->{path} }, __PACKAGE__;
}

# at($i, cookie => | account => | headers =>) - one request at node i: "STATUS" and for
# whom the answer is.    answer() - the whole of it.
sub at {
    my ($self, $i, %o) = @_;
    my $cookie = delete $o{cookie};
    my $r = $self->{answer} = http(client => $self->{pool}->client($i), path => $self->{page}, %o,
        headers => [$cookie ? ['Cookie', $cookie] : (), @{ $o{headers} || [] }]) or return 'closed';
    return join ' ', $r->status, grep {length} (split / /, $r->header('x-who') || '')[0];
}

sub answer { return $_[0]{answer} }

# everywhere($cookie) - what each node says to it.
sub everywhere {
    my ($self, $cookie) = @_;
    return map { $self->at($_, cookie => $cookie) } 0 .. $#{ $self->{pool}{node} };
}

# login($i, $account) - the cookie that a login at node i sets.
sub login {
    my ($self, $i, $account) = @_;
    my $said = $self->at($i, account => $account);
    my ($pair) = map {/^([^;]+);/} $self->answer->all('set-cookie') or croak "login at $i: $said";
    return $pair;
}

# revoke($i, $query) - at node i: what the pool knows of it, "stored" or "pending".
sub revoke {
    my ($self, $i, $what) = @_;
    my $r = http(client => $self->{pool}->client($i), method => 'POST', path => "/admin/revoke?$what",
        account => 'alice', headers => [['X-RMS-Admin', 1]]);
    return $r->status == 200 ? $RMS::Standin::JSON->decode($r->body)->{pool} : $r->status;
}

# redis($i) - what the status of node i says of it.
sub redis {
    my ($self, $i) = @_;
    return $self->{pool}->status($i)->{redis} || {};
}

# wait_redis($state, @nodes) - until the nodes say "up", with a channel too, or "away".
sub wait_redis {
    my ($self, $state, @nodes) = @_;
    return wait_for(sub {
        for my $i (@nodes) {
            my $redis = $self->redis($i);
            return 0 if ($redis->{state} || '') ne $state || $state eq 'up' && !$redis->{channels};
        }
        return 1;
    }, "Redis is $state for nodes @nodes");
}

# wait_shared($account, $i) - until a session that begins at node i (0) is known at each.
sub wait_shared {
    my ($self, $account, $i) = @_;
    return wait_for(sub {
        my $cookie = $self->login($i || 0, $account);
        return !grep { !/^200 \Q$account\E\@/ } $self->everywhere($cookie);
    }, 'sessions are shared');
}

# events($i) - lines of event 3001 in the log of node i, without what changes in each.
sub events {
    my ($self, $i) = @_;
    return map {/event=3001 (.*)/} split /\n/, $self->{pool}->node($i)->error_log;
}

1;
