package Conf;

# Reads an nginx configuration into a tree, puts other addresses and paths into
# it, and writes it out again.  Nothing else is changed: a directive that is
# neither an address nor a path goes out as it came in.

use strict;
use warnings;

use Carp qw(croak);
use File::Basename qw(basename dirname);
use File::Path ();

use RMS::Certs;
use RMS::Env;

# parse($text) - [[name, [args], undef | children], ...]; quotes are kept.
sub parse {
    my ($text) = @_;
    my (@stack, @words) = ();
    my $list = [];
    while ($text =~ /\G(?:\s+|\#.*|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{};]|(?:\$\{\w+\}|[^\s{};])+))/gc) {
        my $token = $1;
        next unless defined $token;
        if ($token eq ';' || $token eq '{') {
            my $name = shift @words;
            croak 'configuration: a name is missing' unless defined $name;
            push @$list, [$name, [@words], $token eq '{' ? [] : undef];
            @words = ();
            if ($token eq '{') {
                push @stack, $list;
                $list = $list->[-1][2];
            }
        } elsif ($token eq '}') {
            $list = pop @stack or croak 'configuration: one } too many';
        } else {
            push @words, $token;
        }
    }
    croak 'configuration: } is missing' if @stack;
    return $list;
}

# text($tree) - the configuration again.
sub text {
    my ($tree, $indent) = @_;
    $indent = '' unless defined $indent;
    my $out = '';
    for my $d (@$tree) {
        my ($name, $args, $children) = @$d;
        $out .= $indent . join ' ', $name, @$args;
        $out .= $children ? " {\n" . text($children, "$indent    ") . "$indent}\n" : ";\n";
    }
    return $out;
}

# find($tree, $name) - every directive of that name, at any depth.
sub find {
    my ($tree, $name) = @_;
    return map { (($_->[0] eq $name ? $_ : ()), $_->[2] ? find($_->[2], $name) : ()) } @$tree;
}

# one($tree, $name) - the arguments of the first directive of that name here.
sub one {
    my ($tree, $name) = @_;
    my ($d) = grep { $_->[0] eq $name } @$tree;
    return $d ? @{ $d->[1] } : ();
}

# load($file) - what the demo must know:
#   {tree} {dir} {realm} {host} {backends} {user} {log}
sub load {
    my ($file) = @_;
    my $self = bless { tree => parse(slurp($file)), dir => dirname($file) }, __PACKAGE__;
    my $tree = $self->{tree};
    my ($server) = grep { find($_->[2], 'rms_pass') } find($tree, 'server');
    croak "$file: no server with rms_pass" unless $server;
    ($self->{host}) = one($server->[2], 'server_name');
    ($self->{realm}) = map { /^account=.*@([A-Z0-9.-]+)$/ ? $1 : () }
        map { @{ $_->[1] } } find($tree, 'rms_allow');
    croak "$file: no rms_allow names an account with its realm" unless $self->{realm};
    $self->{user} = [one($tree, 'user')];
    $self->{backends} = [map { $self->backend($_) } find($tree, 'rms_backend')];
    my %is_adrms = map { $_->{name} => $_->{kind} eq 'adrms' } @{ $self->{backends} };
    for my $s (find($tree, 'server')) {
        next unless $s->[2];
        my @names = one($s->[2], 'server_name');
        push @{ $self->{hosts} }, @names if find($s->[2], 'rms_pass');
        my @pass = map { @{ $_->[1] } } find($s->[2], 'rms_pass');
        $self->{legacy_host} = $names[0] if @pass && !grep { !$is_adrms{$_} } @pass;
    }
    return $self;
}

# backend($directive) - a rms_backend with what its named location says.
sub backend {
    my ($self, $d) = @_;
    my %b = (name => $d->[1][0], map { $_->[0] => join ' ', @{ $_->[1] } } @{ $d->[2] });
    ($b{first}) = split / /, $b{base} if $b{base};
    for my $location (find($self->{tree}, 'location')) {
        next unless $location->[1][0] eq ($b{pass} || '');
        my ($url) = one($location->[2], 'proxy_pass');
        ($b{scheme}, $b{upstream}) = $url =~ m{^(https?)://([^/:]+)};
    }
    return \%b;
}

# relocate(%o) - prefix, module, keytab, identity, port => sub { for a listen
# port }, upstream => { upstream name => "addr:port" }.  Returns the text.
sub relocate {
    my ($self, %o) = @_;
    $self->{o} = \%o;
    my $tree = $self->walk($self->{tree});
    my ($http) = grep { $_->[0] eq 'http' } @$tree;
    unshift @{ $http->[2] }, map { ["${_}_temp_path", ["$o{prefix}/$_"]] }
        qw(client_body proxy fastcgi uwsgi scgi);
    push @$tree, ['pid', ["$o{prefix}/nginx.pid"]] unless one($tree, 'pid');
    return text($tree);
}

sub walk {
    my ($self, $tree, $block) = @_;
    return [map { $self->directive($_, $block || ['main', []]) } @$tree];
}

sub directive {
    my ($self, $d, $block) = @_;
    my ($name, $args, $children) = @$d;
    my $o = $self->{o};
    my @a = @$args;
    return if $name eq 'user' && $> != 0;
    return if $name eq 'listen' && $a[0] =~ /^\[/;
    return if $name eq 'daemon';
    ($self->{server_name}) = one($children, 'server_name') if $name eq 'server' && $children;
    if ($name eq 'load_module' && $a[0] =~ /rms/) {
        return if $ENV{TEST_RMS_STATIC};
        $a[0] = $o->{module};
    } elsif ($name =~ /^(pid|error_log|access_log)$/ && $a[0] !~ /^(off|stderr|syslog:)/) {
        $a[0] = "$o->{prefix}/" . basename($a[0]);
    } elsif ($name eq 'listen') {
        my ($port) = $a[0] =~ /(\d+)$/;
        $a[0] = addr() . ':' . $o->{port}->($port);
    } elsif ($name =~ /^ssl_certificate(_key)?$/) {
        $a[0] = cert($self->{server_name}, @{ $self->{hosts} })->{ $1 ? 'key' : 'cert' };
    } elsif ($name eq 'proxy_ssl_trusted_certificate') {
        $a[0] = ca();
    } elsif ($name eq 'rms_keytab') {
        $a[0] = $o->{keytab};
    } elsif ($name eq 'identity' && $a[0] =~ /^file=/) {
        $a[0] = "file=$o->{identity}";
    } elsif ($name eq 'server' && !$children && $block->[0] eq 'upstream') {
        $a[0] = $o->{upstream}{ $block->[1][0] } || $a[0];
    } elsif ($name eq 'proxy_pass') {
        $a[0] =~ s{^(https?://)([^/:]+)(?::\d+)?}{$1 . ($self->is_upstream($2) ? $2 : $o->{upstream}{$2} || $2)}e;
    } elsif ($name eq 'include') {
        $a[0] = $self->included($a[0]);
    }
    return [$name, \@a, $children ? $self->walk($children, [$name, \@a]) : undef];
}

sub is_upstream {
    my ($self, $name) = @_;
    return scalar grep { $_->[1][0] eq $name } find($self->{tree}, 'upstream');
}

# included($path) - a shipped include is copied below the prefix, with the same
# substitutions; any other is nginx's own.
sub included {
    my ($self, $path) = @_;
    my $from = "$self->{dir}/$path";
    return $path =~ m{^/} ? $path : "/etc/nginx/$path" unless -f $from;
    my $to = "$self->{o}{prefix}/$path";
    File::Path::make_path(dirname($to));
    spew($to, text($self->walk(parse(slurp($from)))));
    return $to;
}

# log_pattern($access_log_args) - (regex, [variable names]) of the log_format
# that the access log of the configuration uses.
sub log_pattern {
    my ($self) = @_;
    my ($log) = grep { $_->[1][0] ne 'off' } find($self->{tree}, 'access_log');
    croak 'no access_log' unless $log;
    my $name = $log->[1][1] || 'combined';
    my ($format) = grep { $_->[1][0] eq $name } find($self->{tree}, 'log_format');
    croak "no log_format $name" unless $format;
    my @parts = grep { !/^escape=/ } @{ $format->[1] }[1 .. $#{ $format->[1] }];
    my $text = join '', map { s/^(['"])(.*)\1$/$2/sr } @parts;
    my (@names, $regex);
    for my $piece (split /(\$\{?\w+\}?)/, $text) {
        if ($piece =~ /^\$\{?(\w+)/) {
            push @names, $1;
            $regex .= '(.*?)';
        } else {
            $regex .= quotemeta $piece;
        }
    }
    return (qr/^$regex$/, \@names, basename($log->[1][0]));
}

1;
