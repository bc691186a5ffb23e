package Peers;

# The contenders of "make bench": their configurations, as equal as they get.
# One worker each, connections to the backend and from clients kept, no access
# log, MALLOC_TRIM_THRESHOLD_ alike, processor 0 (the rest of the machine is for
# the backend and the load).

use strict;
use warnings;

use RMS::NTLM;
use RMS::Test (plain => 1);

our $PUBLIC = 'https://rights-gateway.edge.harbourline.example';
our $HOST   = 'rmsconnector.rms.test';
our @BASES  = @RMS::Standin::BASES;
our $LICENSOR = 'bbe8ec23-d6d0-4f3b-96fc-aff43326c557';        # of sample 07
our @SAMPLES = qw(01 07 09 12);

my %env = (MALLOC_TRIM_THRESHOLD_ => 134217728);
our ($load_env, @wrap);
our $workers = 1;
my (%pid, %port, @pin, @rest);

# pin() - processors for the contenders and for the rest; none on a machine
# with one.
sub pin {
    my ($list) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
    my @cpus = map { /^(\d+)-(\d+)$/ ? ($1 .. $2) : $_ } split /,/, $list;
    return '' if @cpus < 2;
    @pin = (qw(taskset -c), shift @cpus);
    @rest = (qw(taskset -c), join ',', @cpus);
    return "contenders on processor $pin[2], backend and load on $rest[2]";
}

sub rest { @rest }
sub contender { @pin }
sub pid  { $pid{ $_[0] } }
sub port { $port{ $_[0] } }

sub launch {
    my ($name, $port, $command, $cpus, $more) = @_;
    $pid{$name} = spawn("bench.$name", [@$cpus, @$command], env => { %env, %{ $more || {} } });
    wait_port(addr(), $port, $pid{$name});
    return;
}

sub at { addr() . ':' . ($port{ $_[0] } ||= free_port()) }

sub nginx_text {
    my ($modules, $http) = @_;
    my $user = $> == 0 ? 'user ' . RMS::Env::worker_user() . ' ' . RMS::Env::worker_group() . ';' : '';
    return <<"X";
$modules
$user
worker_processes $workers;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    client_max_body_size 16m;
    client_body_buffer_size 1m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $HOST;
    proxy_max_temp_file_size 0;
    proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering X-Accel-Charset
                         X-Accel-Expires X-Accel-Limit-Rate;
$http
}
X
}

sub start_nginx {
    my ($name, $first, $modules, $http, $cpus) = @_;
    my $prefix = dir() . "/$name";
    mkdir $prefix, 0755;
    $http .= join '', map {"    ${_}_temp_path $prefix/$_;\n"} qw(client_body proxy fastcgi uwsgi scgi);
    spew("$prefix/nginx.conf", nginx_text($modules, $http));
    my @command = (nginx_bin(), '-p', $prefix, '-e', "$prefix/error.log", '-c', "$prefix/nginx.conf",
        '-g', "daemon off; pid $prefix/nginx.pid; error_log $prefix/error.log notice;"
            . (@wrap && !$cpus ? ' master_process off;' : ''));
    my ($status, $said) = run([@command, '-t'], env => kdc()->env);
    die "$name: nginx -t: $said" if $status;
    unshift @command, @wrap unless $cpus;
    launch($name, $port{$first}, \@command, $cpus || \@pin, { KRB5_CONFIG => kdc()->env->{KRB5_CONFIG} });
    return;
}

sub upstream {
    my ($name) = @_;
    return "upstream $name { server " . at('backend')
        . "; keepalive 32; keepalive_requests 100000000; keepalive_timeout 600s; }\n";
}

my $modules = '/usr/lib/nginx/modules';
my $lua = "load_module $modules/ndk_http_module.so;\nload_module $modules/ngx_http_lua_module.so;";

# backend() - reads each request whole and answers with the sample of its path
# from memory.
sub backend {
    my $answers = join ",\n", map {
        my $s = sample($_);
        sprintf '["%s"] = "%s/t/samples/%s"', lc $s->{path}, root(), manifest_file($s)
    } @SAMPLES;
    my $listen = at('backend');
    my $status = at('accepts');
    start_nginx('backend', 'backend', $lua, <<"X", [@rest]);
    init_by_lua_block {
        answers = { $answers }
        for path, file in pairs(answers) do
            local f = assert(io.open(file, "rb"))
            answers[path] = f:read("*a")
            f:close()
        end
    }
    server {
        listen $listen;
        default_type "text/xml; charset=utf-8";
        location / {
            content_by_lua_block {
                local answer = answers[string.lower(ngx.var.uri)]
                if not answer then return ngx.exit(404) end
                ngx.req.read_body()
                ngx.header.content_length = #answer
                ngx.print(answer)
            }
        }
    }
    server {
        listen $status;
        location / { stub_status; }
    }
X
    return;
}

sub manifest_file {
    my ($s) = @_;
    my ($m) = grep { $_->{name} eq $s->{name} } @{ RMS::Samples::manifest()->{messages} };
    return $m->{response};
}

# plain($name) - what nothing that is nginx can beat.
sub plain {
    my ($name) = @_;
    my $listen = at($name);
    start_nginx($name, $name, '', upstream('backend') . <<"X");
    server {
        listen $listen;
        large_client_header_buffers 8 64k;
        location / { proxy_pass http://backend; }
    }
X
    return;
}

# users() - the file of accounts for NTLM.
my $users;
sub users { $users ||= ntlm_user_file(['RMS', 'EXCH01$', 'EXCH01$-pass']) }

# module($file, $mark) - one nginx for the ways it is used; the mark ends
# the names of the contenders.
sub module {
    my ($module, $mark) = @_;
    my @names = map {"$_$mark"} qw(module routing negotiate connection cookie ntlm);
    my ($one, $two, $krb, $connection, $cookie, $ntlm) = map { at($_) } @names;
    my $keytab = kdc()->keytab;
    my $users = users();
    my ($pac, $sid) = $ENV{BENCH_AD} ? (at("pac$mark"), RMS::AD::ad()->sid('Exchange Servers')) : ();
    push @names, "pac$mark" if $pac;
    my $hand_over = join "\n", map {
        "location \@$_ { proxy_pass http://$_; proxy_set_header Connection \"\"; "
            . "proxy_set_header Host \$rms_upstream_host; }"
    } qw(azure legacy);
    start_nginx($names[0], $names[0],
        "load_module $module;\nthread_pool rms_krb5 threads=2 max_queue=512;\n"
        . "thread_pool rms_ntlm threads=2 max_queue=512;",
        upstream('azure') . upstream('legacy') . <<"X");
    rms_thread_pool krb5=rms_krb5 ntlm=rms_ntlm;
    rms_public_url $PUBLIC;
    large_client_header_buffers 8 64k;
    rms_backend azure  { kind azure; pass \@azure; base @BASES; }
    rms_backend legacy { kind adrms; pass \@legacy; base https://rms.northquay.example/_wmcs;
                         licensor $LICENSOR; }
    server {
        listen $one;
        rms_allow exchange any;
        location / { rms_auth off; rms_pass azure; }
        $hand_over
    }
    server {
        listen $two;
        rms_allow exchange any;
        location / { rms_auth off; rms_pass azure legacy; }
        $hand_over
    }
    rms_keytab $keytab;
    rms_allow exchange account=EXCH01\$\@RMS.TEST;
    server {
        listen $krb;
        location / { rms_auth negotiate; rms_pass azure; }
        $hand_over
    }
    @{[$pac ? "server {
        listen $pac;
        rms_allow exchange sid=$sid;
        location / { rms_auth negotiate; rms_pass azure; }
        $hand_over
    }" : '']}
    server {
        listen $connection;
        rms_session connection;
        location / { rms_auth negotiate; rms_pass azure; }
        $hand_over
    }
    server {
        listen $ntlm;
        rms_domain RMS=RMS.TEST;
        rms_ntlm_user_file $users;
        location / { rms_auth negotiate ntlm; rms_pass azure; }
        $hand_over
    }
    server {
        listen $cookie;
        rms_session cookie;
        location / { rms_auth negotiate; rms_pass azure; }
        $hand_over
    }
X
    $pid{$_} = $pid{ $names[0] } for @names;
    return;
}

sub sub_filter {
    my $listen = at('sub_filter');
    my $lines = join "\n", map {"sub_filter '$_' '$PUBLIC/_wmcs';"} @BASES;
    start_nginx('sub_filter', 'sub_filter', '', upstream('backend') . <<"X");
    server {
        listen $listen;
        location / {
            proxy_pass http://backend;
            sub_filter_types text/xml;
            sub_filter_once off;
            $lines
        }
    }
X
    return;
}

sub lua {
    my $listen = at('lua');
    my $checks = root() . '/t/bench/checks.lua';
    my $bases = join '|', map { s/[.]/[.]/gr } @BASES;
    my $proxy = "set \$target azure; access_by_lua_file $checks; proxy_pass http://\$target;";
    start_nginx('lua', 'lua', $lua, upstream('azure') . upstream('legacy') . <<"X");
    server {
        listen $listen;
        location / { $proxy }
        location ~* /(servicelocator|server)\\.asmx\$ {
            $proxy
            header_filter_by_lua_block { ngx.header.content_length = nil }
            body_filter_by_lua_block {
                local ctx = ngx.ctx
                ctx.text = (ctx.text or "") .. ngx.arg[1]
                if not ngx.arg[2] then
                    ngx.arg[1] = nil
                    return
                end
                ngx.arg[1] = ngx.re.gsub(ctx.text, "$bases", "$PUBLIC/_wmcs", "ijo")
            }
        }
    }
X
    return;
}

sub haproxy {
    my $prefix = dir() . '/haproxy';
    mkdir $prefix, 0755;
    my $user = $> == 0 ? "user nobody\n    group " . RMS::Env::worker_group() : '';
    spew("$prefix/haproxy.cfg", <<"X" =~ s/^ {8}//gmr);
        global
            nbthread 1
            $user
        defaults
            mode http
            timeout connect 5s
            timeout client 60s
            timeout server 60s
            option http-keep-alive
            http-reuse always
        frontend relay
            bind @{[at('haproxy')]}
            default_backend rms
        backend rms
            server one @{[at('backend')]} pool-max-conn 32
X
    launch('haproxy', $port{haproxy}, ['/usr/sbin/haproxy', '-db', '-f', "$prefix/haproxy.cfg"], \@pin);
    return;
}

# apache() - one child with threads; the replay cache of MIT krb5, as installed.
sub apache {
    my $prefix = dir() . '/apache';
    mkdir $prefix, 0777;
    chmod 0777, $prefix;
    my @modules = qw(mpm_event authn_core authz_core authz_user auth_gssapi proxy proxy_http filter substitute session
        session_cookie);
    my $load = join '', map {"LoadModule ${_}_module /usr/lib/apache2/modules/mod_$_.so\n"} @modules;
    my $user = $> == 0 ? "User nobody\nGroup " . RMS::Env::worker_group() : '';
    my $relay = 'ProxyPass "/" "http://' . at('backend') . '/" max=32 ttl=600';
    my $substitute = join "\n", map {"Substitute \"s|$_|$PUBLIC/_wmcs|ni\""} @BASES;
    my $keytab = kdc()->keytab;
    my @at = map { at($_) } qw(apache substitute gssapi gssapi_session gssapi_ntlm);
    spew("$prefix/httpd.conf", <<"X");
$load
$user
ServerRoot $prefix
ServerName $HOST
PidFile $prefix/httpd.pid
DefaultRuntimeDir $prefix
ErrorLog $prefix/error.log
LogLevel warn
ServerLimit 1
StartServers 1
ThreadsPerChild 16
ThreadLimit 16
MinSpareThreads 16
MaxSpareThreads 16
MaxRequestWorkers 16
MaxConnectionsPerChild 0
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
LimitRequestFieldSize 65536
@{[join "\n", map {"Listen $_"} @at]}
<VirtualHost $at[0]>
    $relay
</VirtualHost>
<VirtualHost $at[1]>
    $relay
    <Location "/">
        SetOutputFilter SUBSTITUTE
        $substitute
    </Location>
</VirtualHost>
<VirtualHost $at[2]>
    $relay
    <Location "/">
        AuthType GSSAPI
        AuthName RMS
        GssapiCredStore keytab:$keytab
        Require user EXCH01\$\@RMS.TEST
    </Location>
</VirtualHost>
<VirtualHost $at[3]>
    $relay
    <Location "/">
        AuthType GSSAPI
        AuthName RMS
        GssapiCredStore keytab:$keytab
        GssapiUseSessions On
        Session On
        SessionCookieName rms_session path=/;httponly
        Require user EXCH01\$\@RMS.TEST
    </Location>
</VirtualHost>
<VirtualHost $at[4]>
    $relay
    <Location "/">
        AuthType GSSAPI
        AuthName RMS
        GssapiAllowedMech ntlmssp
        GssapiConnectionBound On
        Require valid-user
    </Location>
</VirtualHost>
X
    launch('apache', $port{apache}, ['/usr/sbin/apache2', '-DFOREGROUND', '-f', "$prefix/httpd.conf"],
        \@pin, { KRB5_CONFIG => kdc()->env->{KRB5_CONFIG}, KRB5RCACHEDIR => $prefix,
            NTLM_USER_FILE => users() });
    $pid{$_} = $pid{apache} for qw(substitute gssapi gssapi_session gssapi_ntlm);
    return;
}

# start() - everything.
sub start {
    kdc();
    backend();
    plain($_) for qw(plain again);
    module(RMS::Nginx::module(), '');
    module($ENV{BENCH_OTHER}, '2') if $ENV{BENCH_OTHER};
    sub_filter();
    lua();
    haproxy();
    apache();
    return;
}

1;
