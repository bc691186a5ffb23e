package RMS::Standin;

# The strict stand-in for Azure RMS and AD RMS (t/standin), as a test sees it.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use JSON::PP ();

use RMS::Certs;
use RMS::Client;
use RMS::Env;

our @EXPORT = qw(standin control standin_options journal violations
    forget_journal standin_state);
our $JSON = JSON::PP->new->canonical;

# the bases that the answers of t/samples hold
our @BASES = qw(http://rms01.corp.harbourline.example/_wmcs
    https://rights.harbourline.example/_wmcs);
our $NORTHQUAY_BASE = 'https://rms.northquay.example/_wmcs';

my ($current, $started);

# standin(NAME => {options}, ...) - starts it; without arguments the running
# one, or one listener "azure".  Options are those of standin.py; defaults:
# kind from the name, a free port, base = the samples' (adrms: NORTHQUAY-RMS,
# whose licence is sample 07e).  tls => 1 makes a certificate for the base's
# host.  A second call with arguments starts another one, which becomes current.
sub standin {
    my (%listeners) = @_;
    return $current if $current && !%listeners;
    %listeners = (azure => {}) unless %listeners;
    my $n = ++$started;
    my $self = bless { journal => dir() . "/standin.$n.jsonl", port => {},
        control => free_port(), skip => 0 }, __PACKAGE__;
    my @list = map { $self->listener($_, $listeners{$_}) } sort keys %listeners;
    my $conf = spew(dir() . "/standin.$n.json", $JSON->encode({
        journal => $self->{journal}, listeners => \@list,
        control => { addr => addr(), port => $self->{control} } }));
    spew($self->{journal}, '');
    $self->{pid} = spawn("standin.$n", ['/usr/bin/python3',
        root() . '/t/standin/standin.py', '--config', $conf]);
    wait_for(sub {
        croak 'standin: ' . slurp(dir() . "/standin.$n.out") unless alive($self->{pid});
        return slurp(dir() . "/standin.$n.out") =~ /^ready$/m;
    }, 'stand-in');
    return $current = $self;
}

sub listener {
    my ($self, $name, $given) = @_;
    my $kind = $name =~ /^adrms/ ? 'adrms' : 'azure';
    my %o = (name => $name, kind => $kind, addr => addr(), %$given);
    $o{base} ||= $o{kind} eq 'azure' ? $BASES[0] : $NORTHQUAY_BASE;
    $o{licensor} ||= northquay() if $o{base} eq $NORTHQUAY_BASE;
    $o{port} ||= free_port();
    if ($o{tls} && !ref $o{tls}) {
        my ($host) = $o{base} =~ m{://([^/:]+)};
        $o{tls} = cert($host);
    }
    $self->{port}{$name} = $o{port};
    $self->{conf}{$name} = \%o;
    return \%o;
}

# northquay() - the licensor of sample 07e, without braces.
sub northquay {
    my ($guid) = slurp(root() . '/t/samples/07e-acquirelicense-othercluster.request.xml')
        =~ /<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{([^}]+)\}<\/ID><NAME>NORTHQUAY-RMS/;
    return lc $guid;
}

# url($name) - what proxy_pass needs.    port($name), base($name)
sub url {
    my ($self, $name) = @_;
    my $o = $self->{conf}{$name};
    return ($o->{tls} ? 'https' : 'http') . "://$o->{addr}:$o->{port}";
}

sub port { $_[0]{port}{ $_[1] } }
sub base { $_[0]{conf}{ $_[1] }{base} }

# stop() - refused connections from now on.
sub stop { stop_process($_[0]{pid}) }

sub put {
    my ($self, $path, $value) = @_;
    my $c = client(addr(), $self->{control});
    $c->request(method => 'PUT', path => $path, body => $JSON->encode($value));
    my $r = $c->response;
    croak "stand-in control $path: " . $r->body if $r->status != 200;
    return;
}

# control($name, { behaviour }) - see t/standin/behave.py; {} is normal again.
sub control {
    my ($name, $behaviour) = @_;
    return $current->put("/behaviour/$name", $behaviour || {});
}

# standin_options($name, { option => value }) - changes a running listener.
sub standin_options {
    my ($name, $options) = @_;
    return $current->put("/options/$name", $options);
}

# standin_state() - { name => { accepted, open, requests, violations } }
sub standin_state {
    my $c = client(addr(), $current->{control});
    $c->request(path => '/state');
    return $JSON->decode($c->response->body);
}

# journal($name) - the requests received (by one listener), oldest first.
sub journal {
    my ($name) = @_;
    my @lines = split /\n/, slurp($current->{journal});
    splice @lines, 0, $current->{skip};
    return grep { !defined $name || $_->{listener} eq $name } map { $JSON->decode($_) } @lines;
}

# forget_journal() - journal() starts anew from here.
sub forget_journal {
    $current->{skip} = () = slurp($current->{journal}) =~ /\n/g;
    return;
}

# violations() - "listener code: detail" of every request that broke a rule.
sub violations {
    my ($name) = @_;
    return map {"$_->{listener} $_->{violation}: $_->{detail}"}
        grep { $_->{violation} } journal($name);
}

1;
