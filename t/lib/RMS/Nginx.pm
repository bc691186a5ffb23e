package RMS::Nginx;

# nginx with the module: a complete connector configuration from parameters,
# start, reload, stop, logs, workers.
#
# TEST_NGINX_BINARY  the nginx to use (default: nginx in PATH or /usr/sbin)
# TEST_RMS_MODULE    the module (default: build/ngx_http_rms_module.so)
# TEST_RMS_STATIC=1  the module is linked in: no load_module line

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use Exporter qw(import);

use RMS::Certs;
use RMS::Env;
use RMS::KDC;
use RMS::Standin;

our @EXPORT = qw(nginx nginx_t conf module_built nginx_bin);

our $PUBLIC_URL = 'https://rights-gateway.edge.harbourline.example';
our $HOST = 'rmsconnector.rms.test';
our @VARIABLES = qw(account sid role auth endpoint operation backend upstream_host
    verdict reason client client_version licensor list_age request_id);

my ($current, $count);

sub nginx_bin {
    return $ENV{TEST_NGINX_BINARY} if $ENV{TEST_NGINX_BINARY};
    my ($bin) = grep {-x} map {"$_/nginx"} split(/:/, $ENV{PATH}), '/usr/sbin';
    return $bin || croak 'nginx not found';
}

# http2_directive() - whether nginx wants "http2 on" (1.25.1) instead of a
# parameter of listen, about which it warns since.
my $http2_directive;
sub http2_directive {
    return $http2_directive if defined $http2_directive;
    my ($status, $said) = run([nginx_bin(), '-v']);
    my @v = $said =~ m{nginx/(\d+)\.(\d+)\.(\d+)} or croak "nginx -v: $said";
    return $http2_directive = ($v[0] * 1000 + $v[1]) * 1000 + $v[2] >= 1_025_001 ? 1 : 0;
}

sub module {
    my $so = $ENV{TEST_RMS_MODULE} || root() . '/build/ngx_http_rms_module.so';
    return abs_path($so) || $so;
}

# module_built() - whether there is a module to test.
sub module_built { $ENV{TEST_RMS_STATIC} || -f module() }

sub lines { join '', map {"$_;\n"} @_ }

# proxy_lines($backend) - what the shipped includes set, for one backend.
sub proxy_lines {
    my ($b) = @_;
    my @l = ("proxy_pass $b->{proxy}", 'proxy_http_version 1.1',
        'proxy_set_header Host $rms_upstream_host', 'proxy_set_header Connection ""',
        'proxy_request_buffering on', 'proxy_max_temp_file_size 0',
        'proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering X-Accel-Charset X-Accel-Limit-Rate');
    if ($b->{proxy} =~ /^https/) {
        push @l, 'proxy_ssl_name $rms_upstream_host', 'proxy_ssl_server_name on',
            'proxy_ssl_verify ' . ($b->{ssl_verify} || 'on'),
            'proxy_ssl_trusted_certificate ' . ca();
    }
    return lines(@l) . ($b->{proxy_extra} || '');
}

# backend($given) - the defaults of one backend: from the stand-in listener of
# the same name (or {standin}).
sub backend {
    my ($given) = @_;
    my %b = (%{ ref $given ? $given : { name => $given } });
    my $from = $b{standin} || $b{name};
    my $s = standin();
    $b{kind} ||= $from =~ /^adrms/ ? 'adrms' : 'azure';
    $b{pass} ||= "\@$b{name}";
    $b{proxy} ||= $s->url($from) if $s->port($from);
    if (!$b{base}) {
        my $base = $s->base($from) || '';
        $b{base} = $base eq $RMS::Standin::BASES[0] ? "@RMS::Standin::BASES" : $base;
    }
    $b{licensor} = RMS::Standin::northquay()
        if !exists $b{licensor} && $b{base} eq $RMS::Standin::NORTHQUAY_BASE;
    return \%b;
}

sub backend_block {
    my ($b) = @_;
    my @l = map {"$_ $b->{$_}"} grep { defined $b->{$_} }
        qw(kind pass base path licensor identity read_only read_only_answer);
    return "rms_backend $b->{name} {\n" . lines(@l) . ($b->{extra} || '') . "}\n";
}

# allow_lines($list) - default: the machine accounts of the KDC but ROGUE01$,
# and alice as a user.
sub allow_lines {
    my ($list) = @_;
    $list ||= ['exchange account=EXCH01$@RMS.TEST account=EXCH02$@RMS.TEST',
        'sharepoint account=SP01$@RMS.TEST', 'fci account=FS01$@RMS.TEST',
        'user account=alice@RMS.TEST'];
    return lines(map {"rms_allow $_"} @$list);
}

# log_format() - one JSON object per line, every $rms_ variable in it.
sub log_format {
    my ($module) = @_;
    my @pairs = map { [$_ => "\$$_"] } qw(status request_method request_uri
        body_bytes_sent upstream_status upstream_addr connection);
    push @pairs, map { ["rms_$_" => "\$rms_$_"] } @VARIABLES if $module;
    return "log_format rms escape=json '{" . join(',', map {qq("$_->[0]":"$_->[1]")} @pairs) . "}';\n";
}

# conf(%p) - the text of a configuration.  Text that is put in as it is:
#   main, events, http, server, location (in "location /"), more_servers
# Parameters:
#   backends   [name | {name, kind, pass, base, path, licensor, identity,
#              read_only, read_only_answer, proxy, proxy_extra, extra, standin}]
#              default: every listener of the stand-in, azure first
#   pass       arguments of rms_pass, default: the names of the backends;
#              '' for no rms_pass
#   auth       default 'negotiate'; '' for none       keytab   default http.keytab
#   ntlm_pool  threads=N max_queue=N, default 4 and 64 where auth has ntlm
#   allow      [rms_allow arguments]                  domain   default none
#   public_url default that of the samples; '' for none
#   ssl => 1, http2 => 1                              port     default a free one
#   addr       default addr()
#   workers    default 1                              log      default 'info'
#   connections  of a worker, default 1024
#   locations  text of further locations beside "/"
#   status     0 for no /rms/ location
#   module     0 for plain nginx: no rms_ directive at all
# For nginx() alone: env, variables to start it with.
sub conf {
    my (%p) = @_;
    my $module = !defined $p{module} || $p{module};
    $p{port} ||= free_port();
    $p{ntlm_pool} ||= 'threads=4 max_queue=64' if ($p{auth} || '') =~ /ntlm/;
    my @backends;
    if ($module) {
        my @names = sort { $b =~ /^azure/ <=> $a =~ /^azure/ || $a cmp $b } keys %{ standin()->{port} };
        @backends = map { backend($_) } @{ $p{backends} || \@names };
    }
    my $main = 'worker_processes ' . ($p{workers} || 1) . ";\n";
    $main .= 'user ' . worker_user() . ' ' . worker_group() . ";\n" if $> == 0;
    $main .= 'load_module ' . module() . ";\n" if $module && !$ENV{TEST_RMS_STATIC};
    $main .= "thread_pool rms_krb5 threads=2 max_queue=512;\n" if $module;
    $main .= "thread_pool rms_ntlm $p{ntlm_pool};\n" if $p{ntlm_pool};
    $main .= kdc()->server_main;
    return "# port $p{port}\n$main" . ($p{main} || '')
        . "events { worker_connections " . ($p{connections} || 1024) . '; ' . ($p{events} || '') . "}\nhttp {\n"
        . http_part($module, \%p, \@backends)
        . "server {\n" . server_part($module, \%p, \@backends) . "}\n"
        . ($p{more_servers} || '') . "}\n";
}

sub http_part {
    my ($module, $p, $backends) = @_;
    my $text = lines(map {"${_}_temp_path \@PREFIX\@/$_"}
        qw(client_body proxy fastcgi uwsgi scgi)) . log_format($module)
        . "access_log \@PREFIX\@/access.log rms;\n";
    if ($module) {
        $text .= 'rms_thread_pool krb5=rms_krb5' . ($p->{ntlm_pool} ? ' ntlm=rms_ntlm' : '') . ";\n"
            . join '', map { backend_block($_) } @$backends;
    }
    return $text . ($p->{http} || '');
}

sub server_part {
    my ($module, $p, $backends) = @_;
    my $ssl = $p->{ssl} ? cert($HOST, 'rms.rms.test') : undef;
    my $text = lines('listen ' . ($p->{addr} || addr()) . ":$p->{port}" . ($ssl ? ' ssl' : '')
        . ($p->{http2} && !http2_directive() ? ' http2' : ''), "server_name $HOST rms.rms.test");
    $text .= lines('http2 on') if $p->{http2} && http2_directive();
    $text .= lines("ssl_certificate $ssl->{cert}", "ssl_certificate_key $ssl->{key}") if $ssl;
    if ($module) {
        $text .= lines('rms_keytab ' . ($p->{keytab} || kdc()->keytab));
        $text .= lines("rms_domain $p->{domain}") if $p->{domain};
        my $url = defined $p->{public_url} ? $p->{public_url} : $PUBLIC_URL;
        $text .= lines("rms_public_url $url") if length $url;
        $text .= allow_lines($p->{allow});
    }
    $text .= ($p->{server} || '') . "location / {\n" . location_part($module, $p, $backends) . "}\n";
    $text .= "location $_->{pass} {\n" . proxy_lines($_) . "}\n" for grep { $_->{proxy} } @$backends;
    $text .= "location /rms/ { rms_status; allow 127.0.0.0/8; deny all; }\n"
        if $module && (!defined $p->{status} || $p->{status});
    return $text . ($p->{locations} || '');
}

sub location_part {
    my ($module, $p, $backends) = @_;
    return $p->{location} || '' unless $module;
    my $auth = defined $p->{auth} ? $p->{auth} : 'negotiate';
    my $pass = defined $p->{pass} ? $p->{pass} : join ' ', map { $_->{name} } @$backends;
    return (length $auth ? "rms_auth $auth;\n" : '')
        . (length $pass ? "rms_pass $pass;\n" : '') . ($p->{location} || '');
}

sub prepare {
    my ($text) = @_;
    my $prefix = dir() . '/nginx.' . ++$count;
    mkdir $prefix, 0755 or croak "$prefix: $!";
    $text =~ s/\@PREFIX\@/$prefix/g;
    spew("$prefix/nginx.conf", $text);
    return $prefix;
}

# environment($more) - libraries to be loaded first add up.
sub environment {
    my ($more) = @_;
    my %env = (%{ kdc()->server_env }, %{ $more || {} });
    my @preload = map { $_->{LD_PRELOAD} || () } kdc()->server_env, $more || {};
    $env{LD_PRELOAD} = join ':', @preload if @preload;
    return \%env;
}

sub command {
    my ($prefix, $level, @more) = @_;
    return [nginx_bin(), '-p', $prefix, '-e', "$prefix/error.log", '-c', "$prefix/nginx.conf",
        '-g', "daemon off; pid $prefix/nginx.pid; error_log $prefix/error.log $level;", @more];
}

# The command line sets daemon, pid and error_log; a configuration must not set
# daemon and pid.

# nginx_t($conf) - "nginx -t": (exit status, what it said).
sub nginx_t {
    my ($text) = @_;
    my $prefix = prepare($text);
    return run(command($prefix, 'warn', '-t'), env => environment());
}

# nginx($conf_text) or nginx(%parameters of conf()) - tests the configuration,
# starts nginx, waits until it listens; it becomes the current one.  Without
# arguments: the current one.  nginx($node): this one becomes current again.
sub nginx {
    return $current if !@_ && $current;
    return $current = $_[0] if ref $_[0];
    my %p = @_ == 1 ? () : @_;
    my $text = @_ == 1 ? $_[0] : conf(%p);
    my $self = bless { prefix => prepare($text), level => $p{log} || 'info',
        ssl => $p{ssl}, env => environment($p{env}), seen => 0 }, __PACKAGE__;
    ($self->{port}) = $text =~ /^# port (\d+)/m;
    ($self->{port}) = $text =~ /listen\s+(?:[\d.]+:)?(\d+)/ unless $self->{port};
    ($self->{addr}) = $text =~ /listen\s+([\d.]+):$self->{port}\b/;
    $self->{addr} ||= addr();
    my ($status, $said) = run(command($self->{prefix}, $self->{level}, '-t'), env => $self->{env});
    croak "nginx -t: $said" if $status;
    $self->{said} = $said;
    $self->start;
    return $current = $self;
}

sub start {
    my ($self) = @_;
    $self->{pid} = spawn("nginx.$count", command($self->{prefix}, $self->{level}), env => $self->{env});
    eval { wait_port($self->{addr}, $self->{port}, $self->{pid}); 1 }
        or croak $@ . $self->error_log;

    # the master listens before its workers run
    my ($workers) = slurp("$self->{prefix}/nginx.conf") =~ /^\s*worker_processes\s+(\d+)/m;
    wait_for(sub { $self->workers >= ($workers || 1) }, 'the workers run');
    return;
}

# kill9() - gone as in a crash.  The workers after the master, which would keep the
# socket listening with nobody behind it; a zombie has closed it.
sub kill9 {
    my ($self) = @_;
    my @workers = $self->workers;
    stop_process($self->{pid}, 'KILL');
    kill 'KILL', -$self->{pid};
    return wait_for(sub { !grep { slurp("/proc/$_/stat") =~ /\) [^ZX] / } @workers }, 'the workers are gone');
}

# prefix(), port(), url($path) - where it is.
sub prefix { $_[0]{prefix} }
sub port   { $_[0]{port} }
sub url {
    my ($self, $path) = @_;
    return ($self->{ssl} ? 'https' : 'http') . "://$HOST:$self->{port}" . ($path || '/');
}

# workers() - pids of the workers.    leaving() - those that are shutting down, or
# have no command line any more.
sub workers {
    my ($self) = @_;
    return split ' ', slurp("/proc/$self->{pid}/task/$self->{pid}/children");
}

sub leaving { return grep { slurp("/proc/$_/cmdline") =~ /shutting down|\A\z/ } $_[0]->workers }

# reload($conf_text) - SIGHUP, with a new configuration if given; waits until
# new workers run and old ones have stopped accepting.  False when refused.
sub reload {
    my ($self, $text) = @_;
    my %old = map { $_ => 1 } $self->workers;
    my $logged = length $self->error_log;
    if (defined $text) {
        $text =~ s/\@PREFIX\@/$self->{prefix}/g;
        spew("$self->{prefix}/nginx.conf", $text);
    }
    kill 'HUP', $self->{pid};
    return wait_for(sub {
        return 'refused' if substr($self->error_log, $logged) =~ /\[emerg\]/;
        my @now = $self->workers;
        my %leaving = map { $_ => 1 } $self->leaving;
        return 0 if grep { $old{$_} && !$leaving{$_} } @now;
        return scalar grep { !$old{$_} } @now;
    }, 'reload') ne 'refused';
}

# stop() - TERM.    quit() - QUIT: requests in flight are finished.
sub stop { stop_process($_[0]{pid}) }
sub quit { stop_process($_[0]{pid}, 'QUIT', 20) }

# error_log() - the whole text.    wait_log(qr/.../) - until it holds that.
sub error_log { slurp("$_[0]{prefix}/error.log") }

sub wait_log {
    my ($self, $pattern) = @_;
    return wait_for(sub { $self->error_log =~ $pattern && (defined $1 ? $1 : 1) }, "log $pattern");
}

# access_log($n) - decoded lines; waits until there are at least $n.
sub access_log {
    my ($self, $n) = @_;
    my @lines;
    wait_for(sub {
        @lines = split /\n/, slurp("$self->{prefix}/access.log");
        return @lines >= ($n || 0);
    }, 'access log') if $n;
    @lines = split /\n/, slurp("$self->{prefix}/access.log");
    return map { $RMS::Standin::JSON->decode($_) } @lines;
}

# temp_files() - everything below the temp paths.
sub temp_files {
    my ($self) = @_;
    return grep {-f} map { glob "$self->{prefix}/$_/{*,*/*,*/*/*,*/*/*/*}" }
        qw(client_body proxy fastcgi uwsgi scgi);
}

1;
