package Soak;

# What the long runs have in common: a backend that costs little, a mix of
# requests with the answer each must get, and players that send them.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();

use RMS::Client;
use RMS::Env;
use RMS::Gss;
use RMS::Nginx;
use RMS::Samples;
use RMS::Standin;

our @EXPORT = qw(soak_conf soak_backend play_all KINDS);

# Each page answers one operation; the stand-in checks and journals each
# request, which would be most of a long run.
my %PAGE = (license => '07', server => '12', servicelocator => '01',
    templatedistribution => '09');

my $backend;

# soak_backend() - a plain nginx that gives the samples' answers; its port.
sub soak_backend {
    return $backend if $backend;
    my $files = dir() . '/answers';
    mkdir $files, 0755 or die "$files: $!";
    my $port = free_port();
    my $pages = '';
    for my $page (sort keys %PAGE) {
        spew("$files/$page.xml", sample($PAGE{$page})->{response});
        $pages .= "location ~* /$page\\.asmx\$ { error_page 405 =200 /answers/$page.xml; "
            . "root /nonexistent; if (\$request_method = POST) { return 405; } }\n";
    }
    my $d = dir();
    nginx(conf(module => 0, port => $port, http => "types { }\ndefault_type 'text/xml; charset=utf-8';\n",
        server => "${pages}location /answers/ { internal; alias $files/; }\n") =~ s/^access_log .*/access_log off;/mr);
    return $backend = $port;
}

# soak_conf(%p) - a connector in front of it; %p as for conf().
sub soak_conf {
    my (%p) = @_;
    my $url = 'http://' . addr() . ':' . soak_backend();
    my $conf = conf(pass => 'azure', backends => [{ name => 'azure', kind => 'azure',
        base => "@RMS::Standin::BASES", proxy => $url }], %p);
    $conf =~ s/^access_log .*/access_log off;/m;
    return $conf =~ s/^(rms_thread_pool )/rms_zone rms 64m;\n$1/mr;
}

# The mix: [name, how many of twenty, what the answer's status must be, request].
my @MIX = (
    [licence   => 8, 200, sub { posted('07') }],
    [rewritten => 4, 200, sub { posted('12') }],
    [located   => 2, 200, sub { posted('01') }],
    [nameless  => 1, 401, sub { posted('09', authorization => undef) }],
    [stranger  => 1, 500, sub { posted('07', account => 'ROGUE01$') }],
    [replayed  => 1, 401, sub { posted('07', authorization => $_[0]{last}) }],
    [unknown   => 1, 404, sub { (method => 'GET', path => '/_wmcs/admin/admin.asmx') }],
    [mismatch  => 1, 400, sub { my %q = posted('07'); $q{body} = sample('12')->{request}; %q }],
    [aborted   => 1, 0,   sub { posted('07') }],
);

sub KINDS { return map { $_->[0] } @MIX }

my @ORDER = map { my $kind = $_; ($kind) x $kind->[1] } @MIX;

# posted($sample, account => | authorization =>) - build_request()'s arguments.
sub posted {
    my ($name, %o) = @_;
    my $s = sample($name);
    my $value = exists $o{authorization} ? $o{authorization} : negotiate($o{account} || 'EXCH01$');
    @RMS::Gss::MADE = ();           # nobody looks for so many tokens in a log
    return (method => 'POST', path => $s->{path}, body => $s->{request}, sample => $s, value => $value,
        headers => [@{ $s->{headers} }, defined $value ? [Authorization => $value] : ()]);
}

# play($number, $requests, %o) - sends them over connections that are kept;
# { kind => count, closed => n, bad => [..] }.  until => file: until it exists.
# mix => 0: good requests alone.
sub play {
    my ($number, $requests, %o) = @_;
    my %done = (closed => 0, bad => []);
    my $self = { last => negotiate('EXCH01$') };
    my @order = grep { !defined $o{mix} || $_->[2] == 200 } @ORDER;
    my ($c, $fresh);
    $c = client(addr(), $o{port});
    post($c, posted('09', authorization => $self->{last}));
    my ($sent, $at) = (0, $number * 7);
    while ($o{until} ? !-e $o{until} : $sent < $requests) {
        my $kind = $order[$at++ % @order];
        my ($name, undef, $want, $make) = @$kind;
        my %q = $make->($self);
        if ($name eq 'aborted') {
            abort($at, $o{port}, %q);
            $done{$name}++;
            $sent++;
            next;
        }
        ($c, $fresh) = (client(addr(), $o{port}), 1) unless $c;
        my $r = eval { post($c, %q) };
        if (!$r && !$fresh && !length $c->{in}) {
            $c = undef;             # an idle connection was closed under us: RFC 9112 9.3.1
            $done{closed}++;
            next;
        }
        my $good = $r && $r->{complete} && $r->status == $want
            && ($want != 200 || $r->body eq $q{sample}{relayed});
        push @{ $done{bad} }, "$name: " . ($r ? $r->status : "no answer $@") unless $good;
        $c = undef if !$r || lc($r->header('connection') || '') eq 'close';
        $fresh = 0;
        $done{$name}++;
        $sent++;
    }
    $done{sent} = $sent;
    return \%done;
}

sub post {
    my ($c, %q) = @_;
    $c->request(map { $_ => $q{$_} } grep { exists $q{$_} } qw(method path body headers));
    return $c->response;
}

# abort($n, $port, %q) - a client that goes away: in the header, in the body, or
# when all is sent.
sub abort {
    my ($n, $port, %q) = @_;
    my $c = client(addr(), $port);
    my $bytes = build_request(map { $_ => $q{$_} } qw(method path body headers));
    my $part = (0.01, 0.5, 1)[$n % 3];
    $c->write(substr $bytes, 0, int($part * length $bytes));
    $n % 2 ? $c->reset : $c->close;
    return;
}

# play_all($players, $requests, %o) - in as many processes; the sum of what they
# report, by kind.  while => sub: called once they run.
sub play_all {
    my ($players, $requests, %o) = @_;
    my $during = delete $o{while};
    my @pids;
    negotiate($_) for qw(EXCH01$ ROGUE01$);     # tickets, before there are many
    for my $number (1 .. $players) {
        my $pid = fork;
        die "fork: $!" unless defined $pid;
        if (!$pid) {
            my $done = eval { play($number, $requests / $players, %o) } || { bad => ["player: $@"] };
            spew(dir() . "/played.$number", $RMS::Standin::JSON->encode($done));
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    my $ok = eval { $during->() if $during; 1 };
    my $why = $@;
    spew($o{until}, '') if $o{until};
    waitpid $_, 0 for @pids;
    die $why unless $ok;
    my %sum = (bad => []);
    for my $number (1 .. $players) {
        my $done = $RMS::Standin::JSON->decode(slurp(dir() . "/played.$number"));
        push @{ $sum{bad} }, @{ delete $done->{bad} };
        $sum{$_} += $done->{$_} for keys %$done;
    }
    return \%sum;
}

1;
