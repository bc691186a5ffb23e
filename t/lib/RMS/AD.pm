package RMS::AD;

# A real Active Directory domain (Samba) in the place of the KDC: realm RMS.TEST,
# NetBIOS name RMS.  Ask for it before anything else needs a KDC:
#
#   use RMS::AD;
#   ad(winbind => 1);
#   nginx(auth => 'negotiate', allow => ['exchange sid=' . ad()->sid('Exchange Servers')]);
#
# The accounts and keytabs of RMS::KDC are all there, each with its name and
# "-pass" as password; also in RMS.TEST:
#
#   Exchange Servers   EXCH01$ EXCH02$        SharePoint Servers   SP01$
#   FCI Servers        FS01$                  Finance              alice
#   Nested Outer       Exchange Servers and Finance: alice is in it by way of a group
#   RMS Local          Exchange Servers; a domain-local group, so a resource
#                      group of the ticket
#   crowd              a user in G0001 ... G1000
#   svc-rms            owns the services of http.keytab, may do S4U2Self
#   disabled expired locked mustchange        refused, each for its own reason
#
# OTHER.TEST is a trusted domain of which there is only the key of the trust: the
# tickets of its accounts (mallory@OTHER.TEST, any name) are made here.
#
# A password that is wrong ten times locks a user, for good; a machine account is
# never locked.
#
# The domain is made once per build folder; a test unpacks a copy.  It serves no
# LDAP, and so needs no port below 1024; without root it runs in a user
# namespace.  winbindd is the domain controller's own.

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use Fcntl qw(LOCK_EX);
use File::Path qw(make_path remove_tree);
use File::Spec;
use JSON::PP;

use RMS::Env;
use RMS::KDC;
use RMS::PAC;

our @ISA = qw(RMS::KDC);
our @EXPORT = qw(ad);

our $REALM = 'RMS.TEST';
our $NETBIOS = 'RMS';
our $SID = 'S-1-5-21-1004336348-1177238915-682003330';
our $OTHER_SID = 'S-1-5-21-3623811015-3361044348-30300820';
our %GROUPS = (
    'Exchange Servers'   => ['EXCH01$', 'EXCH02$'],
    'SharePoint Servers' => ['SP01$'],
    'FCI Servers'        => ['FS01$'],
    'Finance'            => ['alice'],
    'Nested Outer'       => ['Exchange Servers', 'Finance'],
    'RMS Local'          => ['Exchange Servers'],
);

my $JSON = JSON::PP->new->canonical;

# ad(winbind => 0|1) - the domain, started on first use.
sub ad {
    my (%o) = @_;
    my $self = $RMS::KDC::current;
    if (!$self) {
        $self = RMS::KDC::use_kdc(RMS::AD->start);
    } elsif (!$self->isa('RMS::AD')) {
        croak 'ad() comes too late: an MIT KDC is already there';
    }
    $self->start_winbind if $o{winbind};
    return $self;
}

sub start {
    my ($class) = @_;
    my $d = dir() . '/krb5';
    mkdir $d, 0755 or croak "$d: $!";
    my $self = bless { dir => $d, cc => {}, port => {}, realm => $REALM,
        services => \@RMS::KDC::SERVICES }, $class;
    my $snapshot = $self->snapshot;
    $self->{port}{$REALM} = free_port();
    spew("$d/krb5.conf", $self->krb5_conf);
    command(qw(tar --no-same-owner -xzf), $snapshot, '-C', $d);
    $self->{sids} = $JSON->decode(slurp("$d/sids.json"));
    share_with_worker("$d/http.keytab", "$d/wrong.keytab");
    spew(folders($d) . '/smb.conf', smb_conf($d, addr(), $self->{port}{$REALM}, free_ports(9)));
    $self->serve;
    return $self;
}

# the snapshot

sub description {
    return $JSON->encode({
        realm => $REALM, workgroup => $NETBIOS, domain_sid => $SID, ip => '127.0.0.1',
        machines => \@RMS::KDC::MACHINES, users => \@RMS::KDC::USERS,
        services => \@RMS::KDC::SERVICES, groups => \%GROUPS, local_groups => ['RMS Local'],
        crowd => { account => 'crowd', groups => 1000 },
    });
}

sub cache {
    my $d = File::Spec->rel2abs($ENV{BUILD} || 'build', root()) . '/ad';
    make_path($d);
    return $d;
}

# command(@command) - runs it, dies with its words on failure.
sub command {
    my ($status, $text) = run(\@_);
    croak "@_: $text" if $status;
    return $text;
}

# as_root() - what to put before a command that wants to be root.
sub as_root { return $> == 0 ? () : qw(unshare --user --map-root-user --) }

sub tool_path {
    my ($name) = @_;
    my ($bin) = grep {-x} map {"$_/$name"} split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin';
    return $bin || croak "$name: not found";
}

# once($file, sub { my ($new) = @_; ... }) - makes a file of the cache, or waits
# for the one who makes it.
sub once {
    my ($file, $make) = @_;
    open my $lock, '>>', "$file.lock" or croak "$file.lock: $!";
    flock $lock, LOCK_EX or croak "$file.lock: $!";
    if (!-f $file) {
        $make->("$file.new");
        rename "$file.new", $file or croak "$file: $!";
    }
    return $file;
}

# snapshot() - the archive of a domain, made when what makes it has changed.
sub snapshot {
    my ($self) = @_;
    my $t = root() . '/t/realm';
    my $key = sha256_hex(join "\0", description(), command(tool_path('samba'), '-V'),
        smb_conf('', '', 0 .. 3), map { slurp($_) } "$t/provision.py", "$t/domain.py");
    return once(cache() . '/domain.' . substr($key, 0, 16) . '.tar.gz', sub {
        my ($new) = @_;
        my $d = dir() . '/provision';
        my $conf = folders($d) . '/smb.conf';
        spew($conf, smb_conf($d, addr(), free_ports(3)));
        my ($status, $text) = run([as_root(), '/usr/bin/python3', '-B', "$t/provision.py",
            $conf, $d], in => description());
        croak "provision: $text" if $status;
        my ($gzip, $said) = run(['sh', '-c', 'tar -C "$0" -c private state sids.json'
            . ' http.keytab wrong.keytab clients.keytab | gzip -1 > "$1"', $d, $new]);
        croak "tar: $said" if $gzip;
        remove_tree($d);
    });
}

sub folders {
    my ($d) = @_;
    make_path(map {"$d/$_"} qw(etc state/sysvol cache lock run/winbindd log ncalrpc));
    make_path("$d/private", { mode => 0700 });
    return "$d/etc";
}

sub free_ports { return map { free_port() } 1 .. shift }

# smb_conf($dir, $address, $krb5_port, $kpasswd_port, @rpc_ports) - no LDAP, no SMB,
# no port mapper; what winbindd and samba say to each other goes over sockets in
# the folder.
sub smb_conf {
    my ($d, $host, $port, $kpasswd, @rpc) = @_;
    return <<"X";
[global]
  realm = $REALM
  workgroup = $NETBIOS
  netbios name = DC1
  server role = active directory domain controller
  server services = rpc, kdc
  dcerpc endpoint servers = samr, netlogon, lsarpc
  rpc server dynamic port range = $rpc[0]-$rpc[-1]
  interfaces = $host/8
  bind interfaces only = yes
  disable netbios = yes
  private dir = $d/private
  state directory = $d/state
  cache directory = $d/cache
  lock directory = $d/lock
  pid directory = $d/run
  ncalrpc dir = $d/ncalrpc
  winbindd socket directory = $d/run/winbindd
  binddns dir = $d/private
  ntp signd socket directory = $d/run/ntp_signd
  log file = $d/log/log.%m
  log level = 1
  logging = file
  krb5 port = $port
  kpasswd port = $kpasswd
  ntlm auth = mschapv2-and-ntlmv2-only
  kdc default domain supported enctypes = 0x18
  tls enabled = no
[sysvol]
  path = $d/state/sysvol
[netlogon]
  path = $d/state/sysvol
X
}

# processes

sub smb_conf_path { "$_[0]{dir}/etc/smb.conf" }

# serve() - starts the domain controller.
sub serve {
    my ($self) = @_;
    my $pid = spawn('samba', [as_root(), tool_path('samba'), qw(-F --no-process-group -M single -s),
        $self->smb_conf_path]);
    $self->{pid}{$REALM} = $pid;
    wait_port(addr(), $self->{port}{$REALM}, $pid);
    return;
}

# start_winbind() - returns when it answers; nginx workers may use it.
sub start_winbind {
    my ($self) = @_;
    return if $self->{pid}{winbindd};
    my $pid = spawn('winbindd', [as_root(), tool_path('winbindd'),
        qw(--foreground --no-process-group), '--option=server role check:inhibit=yes',
        '-s', $self->smb_conf_path]);
    $self->{pid}{winbindd} = $pid;
    wait_for(sub {
        croak 'winbindd ended: ' . slurp(dir() . '/winbindd.out') unless alive($pid);
        return -S "$self->{dir}/state/winbindd_privileged/pipe"
            && !(run(['wbinfo', '-p'], env => $self->winbind_env))[0];
    }, 'winbindd');
    if ($> == 0) {
        chown -1, scalar getgrnam(worker_group()), "$self->{dir}/state/winbindd_privileged";
    }
    return;
}

# processes() - {pid, state, group} of every process of the machine.
sub processes {
    my @found;
    for my $stat (map { slurp($_) } glob '/proc/[0-9]*/stat') {
        my %p;
        @p{qw(pid state group)} = $stat =~ /^(\d+) \(.*\) (\S) \d+ (\d+)/s or next;
        push @found, \%p;
    }
    return @found;
}

# group($name) - the processes of 'winbindd' or 'samba', children included.
sub group {
    my ($self, $name) = @_;
    my $pid = $self->{pid}{ $name eq 'samba' ? $REALM : $name } or return;
    return map { $_->{pid} } grep { $_->{group} == $pid && $_->{state} ne 'Z' } processes();
}

# running(@pids) - which of them have not ended; what only init has not looked at
# yet has.
sub running {
    my %wanted = map { $_ => 1 } @_;
    return map { $_->{pid} } grep { $wanted{ $_->{pid} } && $_->{state} ne 'Z' } processes();
}

# freeze($name) - stops every process of 'winbindd' or 'samba' where it stands;
# its sockets still accept.    thaw($name) - lets them go on.
sub freeze {
    my ($self, $name) = @_;
    my @pids = $self->group($name);
    kill 'STOP', @pids;
    my %wanted = map { $_ => 1 } @pids;
    wait_for(sub { !grep { $wanted{ $_->{pid} } && $_->{state} ne 'T' } processes() }, "$name stops");
    $self->{frozen}{$name} = \@pids;
    return;
}

sub thaw {
    my ($self, $name) = @_;
    kill 'CONT', @{ delete $self->{frozen}{$name} || [] };
    return;
}

# end($name) - ends 'winbindd' or 'samba' with all its children.
sub end {
    my ($self, $name) = @_;
    my $key = $name eq 'samba' ? $REALM : $name;
    $self->thaw($name);
    my @pids = $self->group($name);
    my $pid = delete $self->{pid}{$key} or return;
    stop_process($pid);
    my $gone = eval { wait_for(sub { !running(@pids) }, "end of $name", 2) };
    kill 'KILL', @pids if !$gone;
    return;
}

# stop_winbind().    stop() - the domain controller; serve() starts it again.
sub stop_winbind { $_[0]->end('winbindd') }
sub stop         { $_[0]->end('samba') }

# the environment

# preload($name) - a library to be loaded first: 'winbind-socket', with which
# libwbclient finds this winbindd, or 'winbind-deaf'.
sub preload {
    my ($name) = @_;
    my $source = root() . "/t/realm/$name.c";
    my $key = substr sha256_hex(slurp($source)), 0, 16;
    return once(cache() . "/$name.$key.so", sub {
        command(qw(cc -shared -fPIC -x c -o), $_[0], $source);
    });
}

# winbind_env() - with it, a program finds winbindd through libwbclient.
sub winbind_env {
    my ($self) = @_;
    my %env = (LD_PRELOAD => preload('winbind-socket'),
        SELFTEST_WINBINDD_SOCKET_DIR => "$self->{dir}/run/winbindd");
    $env{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:verify_asan_link_order=0" if $ENV{ASAN_OPTIONS};
    return \%env;
}

# server_env(), server_main() - what nginx is started with, and directives for it:
# nginx gives its workers only the variables it is told to.
sub server_env {
    my ($self) = @_;
    return { %{ $self->SUPER::server_env }, $self->{pid}{winbindd} ? %{ $self->winbind_env } : () };
}

sub server_main {
    my ($self) = @_;
    return $self->{pid}{winbindd} ? "env SELFTEST_WINBINDD_SOCKET_DIR;\n" : '';
}

# accounts

# sid($name) - the SID of an account or group.
sub sid {
    my ($self, $name) = @_;
    return $self->{sids}{$name} || croak "no such account or group: $name";
}

# password($account) - its first password.
sub password { "$_[1]-pass" }

# change([method => @arguments], ...) - changes the domain while it runs, with the
# methods of t/realm/domain.py: disable, enable, unlock, password, join, leave,
# user, machine, group.
sub change {
    my ($self, @changes) = @_;
    my ($status, $text) = run([as_root(), '/usr/bin/python3', '-B',
        root() . '/t/realm/change.py', $self->smb_conf_path], in => $JSON->encode(\@changes));
    croak "change: $text" if $status;
    return;
}

# kinit_password($account, $password) - (name of a ticket cache, what kinit said);
# the cache is undef when it was refused.
sub kinit_password {
    my ($self, $account, $password) = @_;
    my $cc = "FILE:$self->{dir}/cc.password." . ++$self->{made};
    my ($status, $text) = run(['kinit', '-c', $cc, $account], env => $self->env,
        in => (defined $password ? $password : $self->password($account)) . "\n");
    return ($status ? undef : $cc, $text);
}

# rotate(drop_old => 0|1) - as in RMS::KDC: a new password of svc-rms.
sub rotate {
    my ($self, %o) = @_;
    my $file = $self->keytab;
    unlink "$file.next";
    $self->change([password => 'svc-rms', 'rotated-pass-' . ++$self->{rotations}],
        [keytab => "$file.next", @{ $self->{services} }]);
    if (!$o{drop_old}) {
        $self->tool($REALM, ['ktutil'], "rkt $file\nrkt $file.next\nwkt $file.all\n");
        rename "$file.all", "$file.next" or croak "$file: $!";
    }
    share_with_worker("$file.next");
    rename "$file.next", $file or croak "$file: $!";
    return;
}

# start_foreign() - a trust in OTHER.TEST.
sub start_foreign {
    my ($self) = @_;
    return if $self->{trust};
    my $service = "krbtgt/$REALM\@OTHER.TEST";
    my $password = 'trust-pass';
    $self->{trust} = "$self->{dir}/trust.keytab";
    $self->change([trust => 'OTHER.TEST', $OTHER_SID, $password]);
    $self->tool($REALM, ['ktutil'], "addent -password -p $service -k 1 -e "
        . "aes256-cts-hmac-sha1-96\n$password\nwkt $self->{trust}\n");
    return;
}

# foreign($account, %o) - a ticket cache of somebody of OTHER.TEST, with what the
# domain controller there would give him for this one; %o is for logon_info().
sub foreign {
    my ($self, $account, %o) = @_;
    $self->start_foreign;
    my $rid = $o{rid} || 1105;
    return mkticket(keytab => $self->{trust}, service => "krbtgt/$REALM\@OTHER.TEST",
        client => "$account\@OTHER.TEST", requester => packed_sid("$OTHER_SID-$rid"),
        logon_info => logon_info(account => $account, domain => 'OTHER', rid => $rid,
            domain_sid => $OTHER_SID, primary => 513, groups => [513], %o));
}

# kinit($account) - as in RMS::KDC.
sub kinit {
    my ($self, $account) = @_;
    my ($name) = $account =~ /^(.*)\@OTHER\.TEST$/ or return $self->SUPER::kinit($account);
    return $self->{cc}{$account} = $self->foreign($name);
}

my $owner = $$;

END {
    if ($$ == $owner && $RMS::KDC::current && $RMS::KDC::current->isa('RMS::AD')) {
        local $?;
        $RMS::KDC::current->end($_) for qw(winbindd samba);
    }
}

1;
