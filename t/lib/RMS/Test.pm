package RMS::Test;

# The harness of t/*.t:
#
#   use FindBin;
#   use lib "$FindBin::Bin/lib";
#   use RMS::Test tests => 2;
#
#   standin(azure => {});
#   nginx();                                     # conf() with its defaults
#   my $r = post_sample('07', account => 'EXCH01$');
#   is($r->status, 200, 'a licence comes back');
#   is_deeply([violations()], [], 'the backend saw nothing odd');
#
# Loads Test::More with the arguments given, and dies when the module is not
# built (plain => 1: the test needs none).
#
#   RMS::Env      folder, address, ports, processes, polling
#   RMS::Certs    CA and server certificates
#   RMS::KDC      the realm, ticket caches, keytab rotation, made tickets
#   RMS::Gss      tokens by hand
#   RMS::Standin  the strict backend and its journal
#   RMS::Nginx    configuration, start, reload, logs
#   RMS::Client   raw HTTP and curl
#   RMS::Samples  messages, comparisons, secrets
#
# To be loaded by those who need them:
#
#   RMS::AD        an Active Directory domain in the place of the KDC, winbindd
#   RMS::NTLM      an NTLM client by hand
#   RMS::PAC       PACs that no domain controller would make
#   RMS::Acceptor  a service that only calls GSSAPI
#   RMS::Clock     the clock of nginx's timers, to be put forward
#   RMS::Redis     redis-servers, replicas and sentinels, and what they suffer
#   RMS::Proxy     a network that is cut, slow, silent or lying, at run time
#   RMS::Pool      nodes behind a balancer
#   RMS::Load      many clients at once, each answer checked, each request counted
#   RMS::Shared    what the nodes of a pool share, and what Redis has of it
#   RMS::Sessions  what the nodes of a pool say to a cookie, revocations
#
# KEEP=1 keeps the folder.  TEST_RMS_DEADLINE is the deadline of every wait.

use strict;
use warnings;

use Test::More ();

use RMS::Certs;
use RMS::Client;
use RMS::Env;
use RMS::Gss;
use RMS::KDC;
use RMS::Nginx;
use RMS::Samples;
use RMS::Standin;

sub import {
    my ($class, @plan) = @_;
    my $caller = caller;
    my %option = @plan;
    my $plain = delete $option{plain};
    strict->import;
    warnings->import;
    die "the module is not built: run make\n" if !$plain && !module_built();
    for my $part (qw(Certs Client Env Gss KDC Nginx Samples Standin)) {
        no strict 'refs';
        for my $name (@{"RMS::${part}::EXPORT"}) {
            *{"${caller}::$name"} = \&{"RMS::${part}::$name"};
        }
    }
    eval "package $caller; Test::More->import; 1" or die $@;
    Test::More::plan(%option) if %option;
    return;
}

1;
