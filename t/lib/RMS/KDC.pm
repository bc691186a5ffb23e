package RMS::KDC;

# A real MIT KDC on loopback: realm RMS.TEST (and OTHER.TEST with a trust, on
# demand), and tickets made without a KDC for what no KDC would issue.
#
# Principals of RMS.TEST: EXCH01$ EXCH02$ SP01$ FS01$ ROGUE01$ alice bob;
# http.keytab: HTTP/rmsconnector.rms.test, HTTP/rms.rms.test and
# host/rmsconnector.rms.test (the module must refuse that one);
# wrong.keytab: HTTP/wrong.rms.test.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use RMS::Env;

our @EXPORT = qw(kdc mkticket);

our @MACHINES = qw(EXCH01$ EXCH02$ SP01$ FS01$ ROGUE01$);
our @USERS    = qw(alice bob);
our @SERVICES = qw(HTTP/rmsconnector.rms.test HTTP/rms.rms.test
    host/rmsconnector.rms.test);

our $current;

# use_kdc($kdc) - from now on this one is the KDC (RMS::AD).
sub use_kdc { return $current = shift }

# kdc(foreign => 0|1) - the KDC, started on first use.  Before that, realm =>
# and services => [HTTP/name, ...] may replace RMS.TEST and its services.
sub kdc {
    my (%o) = @_;
    $current ||= RMS::KDC->start(%o);
    $current->start_foreign if $o{foreign};
    return $current;
}

sub start {
    my ($class, %o) = @_;
    my $d = dir() . '/krb5';
    mkdir $d, 0755 or croak "$d: $!";
    my $self = bless { dir => $d, cc => {}, port => {}, realm => $o{realm} || 'RMS.TEST',
        services => $o{services} || \@SERVICES }, $class;
    $self->{port}{$_} = free_port() for $self->{realm}, 'OTHER.TEST';
    spew("$d/krb5.conf", $self->krb5_conf);
    $self->start_realm($self->{realm});
    $self->populate;
    $self->serve($self->{realm});
    return $self;
}

# krb5_conf() - no DNS anywhere; both realms are listed from the start.
sub krb5_conf {
    my ($self) = @_;
    my $realm = $self->{realm};
    my $types = 'aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96';
    my $conf = <<"X";
[libdefaults]
  default_realm = $realm
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  default_ccache_name = FILE:$self->{dir}/cc.none
  default_keytab_name = FILE:$self->{dir}/none.keytab
  permitted_enctypes = $types
  ticket_lifetime = 10h
  forwardable = true
[capaths]
  OTHER.TEST = {
    $realm = .
  }
[domain_realm]
  .other.test = OTHER.TEST
X
    my %domain = map { m{/[^.]+(\..+)$} ? ($1 => 1) : () } @{ $self->{services} };
    $conf .= join '', map {"  $_ = $realm\n"} sort keys %domain;
    $conf .= "[realms]\n";
    for my $name (sort keys %{ $self->{port} }) {
        $conf .= "  $name = {\n    kdc = " . addr() . ":$self->{port}{$name}\n  }\n";
    }
    return $conf;
}

# env() - the environment for clients; env($account) adds its ticket cache.
sub env {
    my ($self, $account) = @_;
    my %env = (KRB5_CONFIG => "$self->{dir}/krb5.conf",
        KRB5CCNAME => "FILE:$self->{dir}/cc.none",
        KRB5_KTNAME => "FILE:$self->{dir}/none.keytab");
    $env{KRB5CCNAME} = $self->ccache($account) if defined $account;
    return \%env;
}

# server_env(), server_main() - what nginx is started with, and directives of its
# main context that go with it.
sub server_env { return { KRB5_CONFIG => $_[0]->env->{KRB5_CONFIG} } }
sub server_main { return '' }

sub realm_env {
    my ($self, $realm) = @_;
    return { %{ $self->env }, KRB5_KDC_PROFILE => "$self->{dir}/$realm/kdc.conf" };
}

sub start_realm {
    my ($self, $realm) = @_;
    my $d = "$self->{dir}/$realm";
    my $at = addr() . ":$self->{port}{$realm}";
    mkdir $d, 0755 or croak "$d: $!";
    spew("$d/kdc.conf", <<"X");
[kdcdefaults]
  kdc_listen = $at
  kdc_tcp_listen = $at
[realms]
  $realm = {
    database_module = db
    key_stash_file = $d/stash
    acl_file = $d/kadm5.acl
    max_life = 10h
    max_renewable_life = 7d
    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
    master_key_type = aes256-cts-hmac-sha1-96
  }
[dbmodules]
  db = {
    db_library = db2
    database_name = $d/principal
    disable_last_success = true
    disable_lockout = true
  }
[logging]
  kdc = FILE:$d/kdc.log
  default = FILE:$d/default.log
X
    $self->tool($realm, [qw(kdb5_util create -s -r), $realm, '-P', 'masterkey']);
    return;
}

# tool($realm, \@command, $input) - a KDC tool; dies with its words on failure.
sub tool {
    my ($self, $realm, $command, $in) = @_;
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
    my ($status, $text) = run($command, env => $self->realm_env($realm), in => $in);
    croak "@$command: $text" if $status || $text =~ /^\S+: (?!No policy|WARNING).* while /m;
    return $text;
}

# kadmin($realm, @lines) - one kadmin.local for all lines.
sub kadmin {
    my ($self, $realm, @lines) = @_;
    return $self->tool($realm, ['kadmin.local', '-r', $realm], join "\n", @lines, '');
}

sub populate {
    my ($self) = @_;
    my $d = $self->{dir};
    my @services = @{ $self->{services} };
    my @lines = map {"addprinc -randkey $_"} @services, 'HTTP/wrong.rms.test';
    for my $account (@MACHINES, @USERS) {
        push @lines, "addprinc -pw $account-pass $account",
            "ktadd -norandkey -k $d/clients.keytab $account";
    }
    push @lines, "ktadd -k $d/http.keytab @services",
        "ktadd -k $d/wrong.keytab HTTP/wrong.rms.test";
    $self->kadmin($self->{realm}, @lines);
    share_with_worker("$d/http.keytab", "$d/wrong.keytab");
    return;
}

sub serve {
    my ($self, $realm) = @_;
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
    my ($bin) = grep {-x} map {"$_/krb5kdc"} split /:/, $ENV{PATH};
    my $pid = spawn("krb5kdc.$realm", [$bin || 'krb5kdc', '-n', '-r', $realm,
        '-P', "$self->{dir}/$realm/kdc.pid"], env => $self->realm_env($realm));
    wait_port(addr(), $self->{port}{$realm}, $pid);
    $self->{pid}{$realm} = $pid;
    return;
}

# start_foreign() - OTHER.TEST with EXCH01$ and mallory, trusted by RMS.TEST.
sub start_foreign {
    my ($self) = @_;
    return if $self->{pid}{'OTHER.TEST'};
    my $d = $self->{dir};
    my $trust = "addprinc -pw trust-pass krbtgt/$self->{realm}\@OTHER.TEST";
    $self->start_realm('OTHER.TEST');
    my @lines = ($trust);
    for my $account ('EXCH01$', 'mallory') {
        push @lines, "addprinc -pw $account-pass $account",
            "ktadd -norandkey -k $d/foreign.keytab $account\@OTHER.TEST";
    }
    $self->kadmin('OTHER.TEST', @lines);
    $self->kadmin($self->{realm}, $trust);
    $self->serve('OTHER.TEST');
    return;
}

# stop($realm) - ends the KDC (for tests that show no KDC is contacted).
sub stop {
    my ($self, $realm) = @_;
    stop_process(delete $self->{pid}{ $realm || $self->{realm} });
    return;
}

# keytab($name) - path of http.keytab, wrong.keytab or clients.keytab.
sub keytab {
    my ($self, $name) = @_;
    return "$self->{dir}/" . ($name || 'http') . '.keytab';
}

# ccache($account) - "FILE:..." with a TGT for EXCH01$, alice, mallory@OTHER.TEST;
# kinit on first use.
sub ccache {
    my ($self, $account) = @_;
    return $self->{cc}{$account} ||= $self->kinit($account);
}

# kinit($account) - a fresh cache, service tickets of the old one forgotten.
sub kinit {
    my ($self, $account) = @_;
    my $foreign = $account =~ /\@OTHER\.TEST$/;
    $self->start_foreign if $foreign;
    my $file = "$self->{dir}/cc.$account";
    my $cc = "FILE:$file";
    unlink $file;
    $self->tool($self->{realm}, ['kinit', '-k', '-t',
        $self->keytab($foreign ? 'foreign' : 'clients'), '-c', $cc, $account]);
    return $self->{cc}{$account} = $cc;
}

# rotate(drop_old => 0|1) - new keys and kvno for every service of http.keytab;
# the file is replaced in one step.  Clients need kinit() again to notice.
sub rotate {
    my ($self, %o) = @_;
    my $file = $self->keytab;
    my $next = "$file.next";
    spew($next, slurp($file)) unless $o{drop_old};
    $self->kadmin($self->{realm}, "ktadd -k $next @{ $self->{services} }");
    share_with_worker($next);
    rename $next, $file or croak "$file: $!";
    return;
}

# kvno($service) - the newest key version in http.keytab.
sub kvno {
    my ($self, $service) = @_;
    $service ||= $self->{services}[0];
    my $text = $self->tool($self->{realm}, ['klist', '-k', $self->keytab]);
    my ($kvno) = sort { $b <=> $a } $text =~ /^\s*(\d+) \Q$service\E\@/mg;
    return $kvno;
}

# mkticket(%o) - a service ticket from a keytab, without a KDC; returns the name
# of a ticket cache.  client, service (with realm), keytab, life and begin
# (seconds, begin counted from now), kvno, wrong_key => 1, enctype, logon_info
# (bytes of RMS::PAC for a PAC), requester (a packed SID for it), bad_pac => 1 (its
# signature is wrong).
sub mkticket {
    my (%o) = @_;
    my $kdc = kdc();
    my $bin = dir() . '/mkticket';
    if (!-x $bin) {
        my ($status, $text) = run(['cc', '-O1', '-o', $bin,
            root() . '/t/lib/tools/mkticket.c', '-lkrb5', '-lk5crypto']);
        croak "mkticket: $text" if $status;
    }
    my $n = ++$kdc->{made};
    my $cc = "FILE:$kdc->{dir}/cc.made.$n";
    my @args = ('-o', $cc, '-s', $o{service} || 'HTTP/rmsconnector.rms.test@RMS.TEST',
        '-c', $o{client} || 'EXCH01$@RMS.TEST', '-v', $o{kvno} || 0);
    push @args, '-l', $o{life} if defined $o{life};
    push @args, '-b', $o{begin} if defined $o{begin};
    push @args, '-e', $o{enctype} if defined $o{enctype};
    if (defined $o{logon_info}) {
        push @args, '-L', spew("$kdc->{dir}/made.$n.logon", $o{logon_info}),
            $o{bad_pac} ? '-x' : ();
        push @args, '-R', spew("$kdc->{dir}/made.$n.sid", $o{requester}) if $o{requester};
    }
    my $keytab = $o{keytab} || $kdc->keytab;
    if ($o{wrong_key}) {
        $keytab = "$kdc->{dir}/made.$n.keytab";
        push @args, '-G';
        $args[7] ||= $kdc->kvno;
    }
    my ($status, $text) = run([$bin, '-k', "FILE:$keytab", @args], env => $kdc->env);
    croak "mkticket: $text" if $status;
    return $cc;
}

1;
