package RMS::Load;

# Many clients at once, and a proof of what became of each request:
#
#   my $pool = pool(nodes => 3);             # its backend is recorder()
#   my $sum = load($pool, clients => 8, killed => [1], while => sub {
#       recorder()->more(500);
#       $pool->node(1)->kill9;
#       recorder()->more(500);
#   });
#   is($sum->{wrong} + $sum->{duplicate}, 0, ...);
#
# Each request carries an id of its own, in a header and at the end of its body.
# The backend writes both down and puts that of the body into its answer, and the
# answer tells for whom the node took the caller.  So a request that was sent
# twice, an answer that is another's and one that nobody gave are all seen.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use IO::Select;
use POSIX ();
use Time::HiRes qw(time);

use RMS::Client;
use RMS::Env;
use RMS::Gss;
use RMS::Samples;
use RMS::Standin;

our @EXPORT = qw(recorder load plain_nginx);

# page => sample: one answer is rewritten, two are not
my %PAGE = (license => '07', server => '12', servicelocator => '01');

# account => role, as RMS::Nginx::conf allows them
our %ROLE = ('EXCH01$' => 'exchange', 'EXCH02$' => 'exchange', 'SP01$' => 'sharepoint',
    'FS01$' => 'fci');

# so many requests over one connection, then the next one may be at another node
my $CONNECTION_MAX = 25;

my ($recorder, %plain, $loads);

# plain_nginx($name, $addr, $port, $conf) - the nginx of the distribution, with
# its stream module where the text wants it: for what stands around the nodes.
# @PREFIX@ in the text is its folder.  Returns the folder and the pid.
sub plain_nginx {
    my ($name, $host, $port, $text) = @_;
    my $prefix = dir() . "/$name." . ++$plain{$name};
    mkdir $prefix, 0755 or croak "$prefix: $!";
    my $main = "worker_processes 1;\nevents { worker_connections 4096; }\n";
    $main = 'user ' . worker_user() . ' ' . worker_group() . ";\n$main" if $> == 0;
    $main = 'load_module ' . modules() . "/ngx_stream_module.so;\n$main" if $text =~ /^stream\b/m;
    spew("$prefix/nginx.conf", $main . $text =~ s/\@PREFIX\@/$prefix/gr);
    my $pid = spawn($name, ['/usr/sbin/nginx', '-p', $prefix, '-e', "$prefix/error.log",
        '-c', "$prefix/nginx.conf",
        '-g', "daemon off; pid $prefix/nginx.pid; error_log $prefix/error.log warn;"]);
    eval { wait_port($host, $port, $pid); 1 } or croak $@ . slurp("$prefix/error.log");
    return ($prefix, $pid);
}

sub modules {
    my ($status, $said) = run(['/usr/sbin/nginx', '-V']);
    my ($path) = $said =~ /--modules-path=(\S+)/ or croak "nginx -V: $said";
    return $path;
}

# recorder() - the backend: url, more(), seen().  Started on first use.
sub recorder {
    return $recorder if $recorder;
    my $port = free_port();
    my $files = dir() . '/recorded-answers';
    mkdir $files, 0755 or croak "$files: $!";
    my $pages = '';
    for my $page (sort keys %PAGE) {
        spew("$files/$page.xml", marked(sample($PAGE{$page})->{response}, ''));
        $pages .= "location ~* /$page\\.asmx\$ { root $files; try_files /$page.xml =404; }\n";
    }
    my ($prefix) = plain_nginx('recorder', addr(), $port, recorder_conf($port, $pages));
    return $recorder = bless { url => 'http://' . addr() . ":$port",
        log => "$prefix/seen.log" }, __PACKAGE__;
}

# recorder_conf($port, $pages) - $request_body is known where a proxy has read it:
# hence two servers.
sub recorder_conf {
    my ($port, $pages) = @_;
    my $temp = join '', map {"${_}_temp_path \@PREFIX\@/$_;\n"}
        qw(client_body proxy fastcgi uwsgi scgi);
    my $at = addr() . ":$port";
    return <<"X";
http {
$temp
types { }
default_type text/xml;
charset utf-8;
client_body_buffer_size 1m;
client_body_in_single_buffer on;
keepalive_requests 1000000;
map \$request_body \$call { default -; "~<!--call ([\\w.-]+)-->" \$1; }
log_format seen '\$call \$http_x_call \$request_uri';
access_log off;
upstream answers {
    server unix:\@PREFIX\@/answers.sock;
    keepalive 64;
    keepalive_requests 1000000;
}
server {
    listen $at;
    location / {
        access_log \@PREFIX\@/seen.log seen;
        proxy_pass http://answers;
        proxy_http_version 1.1;
        proxy_method GET;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header Connection "";
        proxy_set_header X-Body-Call \$call;
    }
}
server {
    listen unix:\@PREFIX\@/answers.sock;
    sub_filter_types text/xml;
    charset_types text/xml;
    sub_filter '<!--call -->' '<!--call \$http_x_body_call-->';
$pages}
}
X
}

# marked($message, $id) - a message with an id in it, outside of what is signed.
sub marked {
    my ($text, $id) = @_;
    $text =~ s/(<\/[\w:]*Envelope>\s*)\z/<!--call $id-->$1/ or croak 'no Envelope';
    return $text;
}

# url() - for proxy_pass.
sub url { return $_[0]{url} }

# lines() - how many requests it has had.    more($n) - waits for so many more.
sub lines {
    my ($self) = @_;
    my $n = () = slurp($self->{log}) =~ /\n/g;
    return $n;
}

sub more {
    my ($self, $n) = @_;
    my $want = $self->lines + $n;
    return wait_for(sub { $self->lines >= $want }, "$n more requests");
}

# seen() - { id => times } by the body; an id that was another in the header has
# "HEADER!" before it.
sub seen {
    my ($self) = @_;
    my %seen;
    for my $line (split /\n/, slurp($self->{log})) {
        my ($body, $header) = split / /, $line;
        $seen{ $body eq $header ? $body : "$header!$body" }++;
    }
    return \%seen;
}

# load($pool, clients => 8, requests => 1000, ...) - or load({ addr =>, port => })
# for one node.  It ends after so many requests, or when while => sub { } does,
# which runs at the same time.
#   clients  n, or [{ cookie => 0|1, keepalive => 0|1, account => }, ...]; n makes
#            all four kinds in turn, and accounts of %ROLE
#   killed   [i, ...] nodes that are killed meanwhile: a request that is lost there
#            has failed, even where a client may repeat it
#   timeout  seconds a client waits for an answer, default 10
# Returns {
#   sent, ok   asked; answered, and rightly
#   failed     no answer, half of one, or a status that is not 200
#   closed     lost on a connection that stood idle when the node closed it, and
#              never seen by the backend: a client repeats it (RFC 9112 9.3.1)
#   wrong      answers of another request, for another caller or that nobody gave;
#              requests that got there changed
#   duplicate  requests that the backend had more than once
#   failed_at  { number of the node, '-' => failed }
#   status     { 200 => n, ..., 0 => no answer }
#   logins     handshakes of the clients with a cookie
#   why        [the first of what was not ok, in words] }
sub load {
    my ($at, %o) = @_;
    my @clients = ref $o{clients} ? map({ { %$_ } } @{ $o{clients} }) : kinds($o{clients} || 8);
    my @accounts = sort keys %ROLE;
    my $run = 'load' . ++$loads;
    my $stop = dir() . "/$run.stop";
    recorder();
    for my $i (0 .. $#clients) {
        my $c = $clients[$i];
        $c->{account} ||= $accounts[$i % @accounts];
        negotiate($c->{account});           # a ticket, before there are many
        $c->{name} = "$run.$i";
        $c->{share} = POSIX::ceil(($o{requests} || 1000) / @clients);
    }
    my @pids = map { player($_, $at, $stop, %o) } @clients;
    my $ok = eval { $o{while}->() if $o{while}; 1 };
    my $why = $@;
    spew($stop, '') if $o{while};
    waitpid $_, 0 for @pids;
    croak $why unless $ok;
    return account_for($at, \%o,
        map { $RMS::Standin::JSON->decode(slurp(dir() . "/$_->{name}.played")) } @clients);
}

sub kinds { return map { { cookie => $_ & 1, keepalive => $_ & 2 ? 0 : 1 } } 1 .. $_[0] }

sub player {
    my ($c, $at, $stop, %o) = @_;
    my $pid = fork;
    croak "fork: $!" unless defined $pid;
    return $pid if $pid;
    my $done = { sent => 0, ok => 0, logins => 0, status => {}, odd => [] };
    my $self = { %$c, at => $at, timeout => $o{timeout} || 10, done => $done };
    my $good = eval {
        one($self, $done->{sent}) while $o{while} ? !-e $stop : $done->{sent} < $c->{share};
        1;
    };
    push @{ $done->{odd} }, { id => $c->{name}, why => "player: $@", status => 0 } unless $good;
    spew(dir() . "/$c->{name}.played", $RMS::Standin::JSON->encode($done));
    POSIX::_exit(0);
}


# A player sends one request after the other.

# one($self, $number) - a request and what became of it.
sub one {
    my ($self, $number) = @_;
    my $done = $self->{done};
    my $s = sample((sort values %PAGE)[$number % keys %PAGE]);
    my $id = "$self->{name}.$number";
    $done->{sent}++;
    my $r = eval { ask($self, $s, $id) };
    my $lost = $@;
    if ($r && $r->status == 401 && $self->{known} && !$self->{gss}) {
        $self->{known} = undef;         # no session any more: another login
        $r = eval { ask($self, $s, $id) };
        $lost = $@;
    }
    my $status = $r && $r->{complete} ? $r->status : 0;
    my $why = !$status ? 'no answer: ' . ($lost || 'closed')
        : $status != 200 ? "status $status" : wrong($self, $s, $id, $r);
    $done->{status}{$status}++;
    $done->{ok}++ if !$why;
    push @{ $done->{odd} }, { id => $id, status => $status, why => $why =~ s/ at \S+ line.*//sr,
        node => $r ? scalar $r->header('x-node') : undef, reused => $self->{reused},
        from => $self->{from} } if $why;
    $self->{client} = undef if !$status;
    return;
}

# connected($self) - a connection that stands, as far as that can be seen, or a new one.
sub connected {
    my ($self) = @_;
    my $c = $self->{client};
    $c = undef if $c && IO::Select->new($c->{s})->can_read(0);
    $self->{reused} = $c ? 1 : 0;
    $self->{from} = undef;
    if (!$c) {
        $c = client($self->{at}{addr}, $self->{at}{port}, timeout => $self->{timeout});
        $self->{on_this} = 0;
    }
    $self->{from} = $c->{s}->sockhost . ':' . $c->{s}->sockport;
    return $self->{client} = $c;
}

# ask($self, $sample, $id) - sends it, with the cookie if there is one or with a login;
# the answer.
sub ask {
    my ($self, $s, $id) = @_;
    my $c = connected($self);
    my @headers = (@{ $s->{headers} }, ['X-Call', $id]);
    push @headers, ['Connection', 'close'] if !$self->{keepalive};
    $self->{gss} = undef;
    if ($self->{cookie} && $self->{known}) {
        push @headers, ['Cookie', $self->{known}];
    } else {
        $self->{gss} = gss(account => $self->{account});
        push @headers, ['Authorization', $self->{gss}->header];
        @RMS::Gss::MADE = ();           # nobody looks for so many tokens in a log
        $self->{done}{logins}++ if $self->{cookie};
    }
    $c->request(method => 'POST', path => $s->{path}, headers => \@headers,
        body => marked($s->{request}, $id));
    my $r = $c->response;
    my ($set) = $r && $self->{cookie} ? $r->all('set-cookie') : ();
    $self->{known} = $set =~ s/;.*//r if $set;
    $self->{client} = undef if !$r || !$self->{keepalive}
        || lc($r->header('connection') || '') eq 'close' || ++$self->{on_this} >= $CONNECTION_MAX;
    return $r;
}

# wrong($self, $sample, $id, $response) - why a whole answer is not that of this
# request, '' when it is.
sub wrong {
    my ($self, $s, $id, $r) = @_;
    my ($said) = $r->body =~ /<!--call (.*?)-->/;
    return 'wrong: the answer of ' . ($said || 'nobody') if !defined $said || $said ne $id;
    return 'wrong: another body' if $r->body ne marked($s->{relayed}, $id);
    my $who = "$self->{account}\@RMS.TEST $ROLE{ $self->{account} }";
    my $took = $r->header('x-who') || 'nobody';
    return "wrong: for $took" if $took ne $who;
    return 'wrong: the acceptor does not prove itself' if $self->{gss} && !$self->{gss}->mutual($r);
    return '';
}


# The sum.

sub account_for {
    my ($at, $o, @played) = @_;
    my %sum = (map({ $_ => 0 } qw(sent ok failed closed wrong duplicate logins)),
        failed_at => {}, status => {}, why => []);
    for my $done (@played) {
        $sum{$_} += $done->{$_} for qw(sent ok logins);
        $sum{status}{$_} += $done->{status}{$_} for keys %{ $done->{status} };
    }
    my @odd = map { @{ $_->{odd} } } @played;
    my $seen = settled($sum{ok}, \@odd);
    my %killed = map { $_ => 1 } @{ $o->{killed} || [] };
    for my $x (@odd) {
        my $node = place($at, $x);
        my $what = $x->{why} =~ /^wrong/ ? 'wrong'
            : !$x->{status} && $x->{reused} && !$seen->{ $x->{id} } && !$killed{$node} ? 'closed'
            : 'failed';
        $sum{$what}++;
        $sum{failed_at}{$node}++ if $what eq 'failed';
        push @{ $sum{why} }, "$x->{id} at $node: $x->{why}" if $what ne 'closed';
    }
    tally(\%sum, $seen, \@odd);
    splice @{ $sum{why} }, 20;
    return \%sum;
}

# place($at, $request) - the number of the node that had it, '-' when nobody can tell.
sub place {
    my ($at, $x) = @_;
    return '-' if ref $at eq 'HASH';
    my $node = defined $x->{node} ? $at->number($x->{node}) : $at->last_session($x->{from});
    return defined $node ? $node : '-';
}

# settled($ok, \@odd) - what the recorder has seen of this load, once it has written
# the last line of those that were answered.
sub settled {
    my ($ok, $odd) = @_;
    my $prefix = "load$loads.";
    my %seen;
    eval {
        wait_for(sub {
            my $all = $recorder->seen;
            %seen = map { $_ => $all->{$_} } grep {/(?:^|!)\Q$prefix\E/} keys %$all;
            return answered(\%seen, $odd) >= $ok;
        }, 'the recorder', 5);
    };
    return \%seen;
}

# answered(\%seen, \@odd) - how many requests the backend had whose answers are fine.
sub answered {
    my ($seen, $odd) = @_;
    my %odd = map { $_->{id} => 1 } @$odd;
    my %ids = map { s/.*!//r => 1 } keys %$seen;
    return scalar grep { !$odd{$_} } keys %ids;
}

# tally(\%sum, \%seen, \@odd) - what the backend had, against what the clients got.
sub tally {
    my ($sum, $seen, $odd) = @_;
    for my $id (sort keys %$seen) {
        my $what = $id =~ /!/ ? 'wrong' : $seen->{$id} > 1 ? 'duplicate' : next;
        $sum->{$what}++;
        push @{ $sum->{why} }, "$id: the backend had it $seen->{$id} times";
    }
    my $none = $sum->{ok} - answered($seen, $odd);
    if ($none > 0) {
        $sum->{wrong} += $none;
        push @{ $sum->{why} }, "$none answers to requests that the backend never had";
    }
    return;
}

1;
