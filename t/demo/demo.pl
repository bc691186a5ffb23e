#!/usr/bin/perl
# demo.pl - see run.sh.  A KDC, a tenant and an AD RMS (t/standin), nginx with
# the shipped connector.conf; then every call a server makes, one line each.

use strict;
use warnings;

use Digest::SHA ();
use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use RMS::Test (plain => 1);

use Conf;

$| = 1;

my $conf = Conf::load($ARGV[0] || root() . '/conf-examples/connector.conf');
my ($azure)  = grep { $_->{kind} eq 'azure' } @{ $conf->{backends} };
my ($legacy) = grep { $_->{kind} eq 'adrms' } @{ $conf->{backends} };
my $identity = 'Bearer demo-tenant-identity';
my ($log_regex, $log_names, $log_file, %port, $url, $prefix, $nginx);
my ($steps, $unexpected, $certificates, $logged) = (0, 0, 0, 0);

sub start_backends {
    my %listeners;
    for my $b (grep {defined} $azure, $legacy) {
        my $names = ($b->{identity} || '') =~ /^file=/;
        $listeners{ $b->{name} } = {
            kind => $b->{kind}, base => $b->{first}, rebase => $b->{first},
            tls => $b->{scheme} eq 'https', $names ? (require_authorization => $identity) : (),
            $b->{kind} eq 'adrms' ? (licensor => RMS::Standin::northquay()) : (),
        };
    }
    return standin(%listeners);
}

sub start_nginx {
    my ($standin) = @_;
    $prefix = dir() . '/nginx';
    mkdir $prefix, 0755;
    spew("$prefix/identity", "$identity\n");
    my $group = $conf->{user}[1] || (@{ $conf->{user} } ? $conf->{user}[0] : worker_group());
    my $gid = getgrnam $group;
    for my $secret ("$prefix/identity", kdc()->keytab) {
        chown -1, $gid, $secret if $> == 0 && defined $gid;
        chmod 0640, $secret;
    }
    my %upstream = map { $_->{upstream} => addr() . ':' . $standin->port($_->{name}) }
        grep {defined} $azure, $legacy;
    my $text = $conf->relocate(prefix => $prefix, module => RMS::Nginx::module(),
        keytab => kdc()->keytab, identity => "$prefix/identity", upstream => \%upstream,
        port => sub { $port{ $_[0] } ||= free_port() });
    spew("$prefix/nginx.conf", $text);
    ($log_regex, $log_names, $log_file) = $conf->log_pattern;
    my @command = (nginx_bin(), '-p', $prefix, '-e', "$prefix/error.log", '-c', "$prefix/nginx.conf");
    my ($status, $said) = run([@command, '-t'], env => kdc()->env);
    die "nginx -t:\n$said" if $status;
    $nginx = spawn('nginx', [@command, '-g', 'daemon off;'], env => kdc()->env);
    my $tls = $port{443} || $text =~ /listen \S+ ssl/;
    my $port = $port{443} || (values %port)[0];
    wait_port(addr(), $port, $nginx);
    $url = ($tls ? 'https' : 'http') . '://%s:' . $port;
    return;
}

# logged_line($n) - the last of the $n new lines of the access log, as
# { variable => value }.
sub logged_line {
    my ($n) = @_;
    my @lines;
    wait_for(sub {
        @lines = split /\n/, slurp("$prefix/$log_file");
        return @lines >= $logged + $n;
    }, 'a line in the access log');
    $logged = @lines;
    my @values = $lines[-1] =~ $log_regex;
    my %value;
    @value{@$log_names} = @values;
    return \%value;
}

# addresses($message) - the unsigned addresses, by position.
sub addresses {
    my ($text) = @_;
    $text =~ s/<XrML[\s>].*?<\/XrML>//gs;
    return $text =~ /(?:<URL>|\sUrl=")([^<"]+)/g;
}

# from_backend($sample, $base) - what the stand-in answered.
sub from_backend {
    my ($sample, $base) = @_;
    my @parts = split /(<XrML[\s>].*?<\/XrML>)/s, $sample->{response};
    for my $i (grep { $_ % 2 == 0 } 0 .. $#parts) {
        for my $old (@RMS::Standin::BASES) {
            $parts[$i] =~ s/\Q$old\E/$base/g;
        }
    }
    return join '', @parts;
}

# verify($step, $sample, $response) - (text for the line, problem): the answer
# against what the backend sent, the request against what it received.
sub verify {
    my ($step, $sample, $r) = @_;
    my $base = ($step->{backend} eq $azure->{name} ? $azure : $legacy)->{first};
    my ($entry) = (journal())[-1];
    return ('', 'the backend received nothing') unless $entry;
    return ('', "the backend complains: $entry->{violation} $entry->{detail}") if $entry->{violation};
    return ('', "wrong backend $entry->{listener}") if $entry->{listener} ne $step->{backend};
    return ('', 'the request changed on its way')
        if $entry->{length} != length $step->{body} || $entry->{sha256} ne Digest::SHA::sha256_hex($step->{body});
    my $sent = $step->{backend} eq $azure->{name} && addresses($sample->{response})
        && $sample->{operation} =~ /^(FindServiceLocations|GetServerInfo)/
        ? from_backend($sample, $base) : $sample->{response};
    return ('', 'the answer changed on its way') unless check_relayed($sent, $r->body);
    my $held = certificates($r->body);
    return ('', 'a signature in the answer is bad') if $held < 0;
    my $n = $entry->{verified} + $held;
    $certificates += $n;
    my @before = addresses($sent);
    my @after = addresses($r->body);
    my @moved = grep { $before[$_] ne $after[$_] } 0 .. $#before;
    my $public = sprintf $url, $step->{host};
    my @stray = grep { index($after[$_], "$public/_wmcs") != 0 } @moved;
    return ('', "address $after[$stray[0]]") if @stray;
    return ('', 'no address was rewritten') if $step->{rewritten} && !@moved;
    my $what = @moved ? scalar(@moved) . ' addresses rewritten' : 'nothing to rewrite';
    my $signed = $n ? "$n certificates verified unchanged" : 'no certificates in it';
    return ("$what, $signed", '');
}

# play(%step) - one call and its line:
#   account, what, sample | path, status, role, operation, backend, body, expect
sub play {
    my (%step) = @_;
    my $sample = $step{sample} ? sample($step{sample}) : {};
    $step{host} ||= $conf->{host};
    $step{body} = $sample->{request} if $step{sample} && !defined $step{body};
    forget_journal();
    my $r = curl(sprintf($url, $step{host}) . ($step{path} || $sample->{path}),
        account => $step{account}, body => $step{body},
        headers => [map {"$_->[0]: $_->[1]"} @{ $sample->{headers} || [] }]);
    die "curl: $r->{stderr}\n" unless $r->{legs};
    my $seen = logged_line($r->{legs});
    my ($note, $problem) = ('', '');
    $problem = "status, wanted $step{status}" if $r->status != $step{status};
    for my $field (qw(role operation backend)) {
        my $got = $seen->{"rms_$field"};
        $problem ||= "$field is " . (defined $got ? $got : 'not logged') . ", wanted $step{$field}"
            if defined $step{$field} && (!defined $got || $got ne $step{$field});
    }
    if (!$problem && $step{expect}) {
        ($note, $problem) = $step{expect}->($r);
    } elsif (!$problem && $step{sample}) {
        ($note, $problem) = verify(\%step, $sample, $r);
    }
    $steps++;
    $unexpected++ if $problem;
    printf "%-4s %-9s %-11s %-28s %-8s %3d %6d  %s\n", $problem ? 'BAD' : 'ok',
        $step{account} || '-', map({ defined && length ? $_ : '-' } $seen->{rms_role},
        $step{what} || $seen->{rms_operation}, $seen->{rms_backend}), $r->status,
        length $r->body, $problem || $note;
    return;
}

# chapter($title) - a heading for the lines that follow.
sub chapter {
    my ($title) = @_;
    print "\n$title\n\n";
    return;
}

sub contains {
    my ($text, $note) = @_;
    return sub { index($_[0]->body, $text) >= 0 ? ($note, '') : ('', "the answer lacks \"$text\"") };
}

# untouched($note, $pattern) - refused by the relay itself.
sub untouched {
    my ($note, $pattern) = @_;
    return sub {
        return ('', 'a backend was contacted') if journal();
        return ('', 'unexpected answer') if $pattern && $_[0]->body !~ $pattern;
        return ("$note; no backend contacted", '');
    };
}

sub scenario {
    my ($tenant) = $azure->{first} =~ m{^(.*)/_wmcs$};
    my @at = (backend => $azure->{name});
    my $exch = 'EXCH01$';
    chapter('Servers of ours reach the tenant');
    play(account => $exch, what => 'service page', status => 200,
        path => '/_wmcs/certification/ServerCertification.asmx',
        expect => contains('ServerCertificationWebService', 'names the service'));
    play(account => $exch, what => 'GetRmsoUri.aspx', status => 200,
        path => '/_wmcs/GetRmsoUri.aspx', expect => contains($tenant, "names $tenant"));
    play(sample => '12', account => $exch, status => 200, role => 'exchange',
        operation => 'GetServerInfo', rewritten => 1, @at);
    play(sample => '03', account => $exch, status => 200, role => 'exchange', operation => 'Certify', @at);
    play(sample => '01', account => 'SP01$', status => 200, role => 'sharepoint',
        operation => 'FindServiceLocationsForUser', rewritten => 1, @at);
    play(sample => '07', account => 'SP01$', status => 200, role => 'sharepoint',
        operation => 'AcquireLicense', @at);
    play(sample => '08', account => $exch, status => 200, role => 'exchange',
        operation => 'AcquirePreLicense', @at);
    play(sample => '09', account => 'FS01$', status => 200, role => 'fci',
        operation => 'AcquireTemplateInformation', @at);
    play(sample => '10', account => 'FS01$', status => 200, role => 'fci',
        operation => 'AcquireTemplates', @at);
    play(sample => '05', account => 'FS01$', status => 200, role => 'fci',
        operation => 'GetClientLicensorCert', @at);
    chapter('Others do not');
    play(sample => '07', account => 'ROGUE01$', status => 500, operation => 'AcquireLicense',
        expect => untouched('refused, not on the list', qr/UnauthorizedAccessException/));
    play(sample => '07', status => 401, expect => untouched('refused, no credentials'));
    play_legacy() if $legacy;
    return;
}

# play_legacy() - old content opens at the read-only AD RMS, new content does
# not get protected there.
sub play_legacy {
    my @host = $conf->{legacy_host} ? (host => $conf->{legacy_host}) : ();
    my $guid = RMS::Standin::northquay();
    die "connector.conf: the licensor of $legacy->{name} must be $guid\n"
        unless lc($legacy->{licensor} || '') eq $guid || $conf->{legacy_host};
    my $fault = ($legacy->{read_only_answer} || '401') eq 'fault';
    my $old = sample('07e');
    $old->{response} = sample('07')->{response};
    chapter('The AD RMS beside it opens old content, and protects nothing new');
    play(sample => '07e', account => 'EXCH01$', status => 200, role => 'exchange',
        operation => 'AcquireLicense', backend => $legacy->{name}, @host);
    my $publish = sample('06')->{request};
    $publish =~ s/(<ISSUEDPRINCIPALS>.*?<ID type="MS-GUID">\{)[^}]+/$1$guid/;
    play(sample => '06', body => $publish, account => 'EXCH01$', role => 'exchange',
        operation => 'AcquireIssuanceLicense', status => $fault ? 500 : 401, @host,
        expect => untouched('refused, read-only', $fault ? qr/OnlinePublishingDisabled/ : undef));
    return;
}

# keep() - writes the stop script and says how to go on.
sub keep {
    my $d = dir();
    my @pids = sort { $a <=> $b } RMS::Env::release();
    spew("$d/stop", "#!/bin/sh\nkill @pids\nrm -rf '$d'\n");
    chmod 0755, "$d/stop";
    my $at = sprintf $url, $conf->{host};
    my ($p) = $at =~ /:(\d+)$/;
    my $cc = kdc()->ccache('EXCH01$');
    my $tls = $at =~ /^https/ ? ' --cacert ' . ca() : '';
    print <<"X";

It is still running.  To talk to it as EXCH01\$:

    export KRB5_CONFIG=$d/krb5/krb5.conf KRB5CCNAME='$cc'
    curl --negotiate -u :$tls --resolve $conf->{host}:$p:@{[addr()]} \\
        $at/_wmcs/GetRmsoUri.aspx

    other accounts   kinit -k -t $d/krb5/clients.keytab 'SP01\$'
    configuration    $prefix/nginx.conf
    logs             $prefix/*.log

To stop it and remove everything:

    $d/stop
X
    return;
}

die "the module is not built: run make\n" unless module_built();
kdc(realm => $conf->{realm}, services => [map {"HTTP/$_"} @{ $conf->{hosts} }]);
my $backends = start_backends();
start_nginx($backends);
my $running = join ', ', "a KDC for $conf->{realm}", $azure ? 'a tenant' : (), $legacy ? 'an AD RMS' : ();
print "Running on ", addr(), ": $running, and nginx.\n",
    "All files are in ", dir(), ".\n",
    'Addresses are rewritten to ', sprintf($url, $conf->{host}), "/_wmcs.\n\n";
printf "%-4s %-9s %-11s %-28s %-8s %3s %6s  %s\n", '', qw(caller role operation backend HTTP bytes result);
scenario();
print "\n$steps calls, ", $unexpected ? "$unexpected NOT as expected" : 'all as expected',
    "; $certificates certificates verified unchanged.\n";
if ($unexpected && !$ENV{KEEP}) {
    my @lines = grep { !/\[(notice|info|debug)\]/ } split /\n/, slurp("$prefix/error.log");
    print map {"nginx: $_\n"} @lines > 20 ? @lines[-20 .. -1] : @lines;
}
keep() if $ENV{KEEP};
exit($unexpected ? 1 : 0);
