package PoolPeers;

# The contenders of "make bench-pool", one worker each as those of Peers: nodes of
# a pool, nginx + lua with a shared dict and Debian's client for Redis, and pages
# that need no backend.

use strict;
use warnings;

use Peers;
use RMS::Test (plain => 1);

our $ACCOUNT = 'EXCH01$@RMS.TEST';
our $PAGE = '/_wmcs/certification/ServerCertification.asmx';

my $seal;

# seal() - the file of keys that all nodes have.
sub seal {
    return $seal if $seal;
    $seal = spew(dir() . '/seal.keys', sprintf "%064x\n", 0x5ea1);
    share_with_worker($seal);
    return $seal;
}

# node($name, $redis) - sessions and tokens shared; without one: a node alone.
sub node {
    my ($name, $redis) = @_;
    my ($listen, $keytab) = (Peers::at($name), kdc()->keytab);
    my $pool = $redis ? $redis->conf . 'rms_seal_key_file ' . seal() . ";\nrms_replay shared;" : '';
    Peers::start_nginx($name, $name, modules(), Peers::upstream('azure') . <<"X");
    $pool
    rms_zone rms 128m;
    rms_thread_pool krb5=rms_krb5;
    large_client_header_buffers 8 64k;
    rms_public_url $Peers::PUBLIC;
    rms_keytab $keytab;
    rms_allow exchange account=$ACCOUNT;
    rms_backend azure { kind azure; pass \@azure; base @Peers::BASES; }
    server {
        listen $listen;
        rms_session cookie;
        location / { rms_auth negotiate; rms_pass azure; }
        location \@azure { proxy_pass http://azure; proxy_set_header Connection "";
            proxy_set_header Host \$rms_upstream_host; }
        location /rms/ { rms_status; }
    }
X
    return;
}

sub modules { return 'load_module ' . RMS::Nginx::module() . ";\nthread_pool rms_krb5 threads=2 max_queue=512;" }

# lua($redis)
sub lua {
    my ($redis) = @_;
    my $listen = Peers::at('lua');
    my $session = root() . '/t/bench/session.lua';
    my ($addr, $port) = (addr(), $redis->port);
    my $path = '/usr/lib/nginx/modules';
    Peers::start_nginx('lua', 'lua',
        "load_module $path/ndk_http_module.so;\nload_module $path/ngx_http_lua_module.so;",
        Peers::upstream('azure') . <<"X");
    lua_shared_dict sessions 128m;
    init_by_lua_block { bench_redis = { addr = "$addr", port = $port, account = "$ACCOUNT" } }
    server {
        listen $listen;
        location / {
            access_by_lua_file $session;
            proxy_set_header Cookie "";
            proxy_pass http://azure;
        }
    }
X
    return;
}

# pages($n) - plain nginx and a node of n workers, on all processors, that answer
# by themselves: names of both.
sub pages {
    my ($n, $redis) = @_;
    local $Peers::workers = $n;
    my @names = map {"$_.$n"} qw(page session);
    my ($plain, $node) = map { Peers::at($_) } @names;
    my $keytab = kdc()->keytab;
    my $seal = seal();
    Peers::start_nginx($names[0], $names[0], '', <<"X", []);
    server {
        listen $plain reuseport;
        location / { default_type text/html; return 200 "@{['x' x 400]}"; }
    }
X
    Peers::start_nginx($names[1], $names[1], modules(), <<"X", []);
    @{[$redis->conf]}
    rms_seal_key_file $seal;
    rms_thread_pool krb5=rms_krb5;
    rms_keytab $keytab;
    rms_allow exchange account=$ACCOUNT;
    rms_backend azure { kind azure; pass \@azure; base @Peers::BASES; }
    server {
        listen $node reuseport;
        rms_session cookie;
        location / { rms_auth negotiate; rms_pass azure; }
        location \@azure { proxy_pass http://@{[Peers::at('backend')]}; proxy_set_header Connection "";
            proxy_set_header Host \$rms_upstream_host; }
    }
X
    return @names;
}

1;
