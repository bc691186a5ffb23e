package RMS::Hold;

# Logins that stay on the thread pool for as long as a test wants: a lock on the
# keytab, for which MIT waits when it reads one that has changed.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use RMS::Client;
use RMS::Env;
use RMS::Gss;
use RMS::KDC;
use RMS::Nginx;

our @EXPORT = qw(hold let_go logins);

my $lock;

# hold($file) - an "open file description" lock on a keytab (default: the one of
# the KDC): it excludes readers, also those of this process, until let_go().  The
# file has changed, as far as its times tell.
sub hold {
    my ($file) = @_;
    $file ||= kdc()->keytab;
    open $lock, '+<', $file or croak "$file: $!";
    my $exclusive = pack 's s x4 q q i x4', 1, 0, 0, 0, 0;      # F_WRLCK
    wait_for(sub { fcntl $lock, 37, $exclusive }, 'F_OFD_SETLK');
    utime undef, undef, $file or croak "$file: $!";
    return;
}

sub let_go { close $lock; return }

# logins($n, %o) - connections with one request each (build_request), a login
# of EXCH01$ under way and nothing read yet.
sub logins {
    my ($n, %o) = @_;
    my @clients = map { client(addr(), nginx()->port) } 1 .. $n;
    my @values = map { negotiate('EXCH01$') } 1 .. $n;
    for my $at (0 .. $#clients) {
        $clients[$at]->request(%o,
            headers => [@{ $o{headers} || [] }, ['Authorization', $values[$at]]]);
    }
    return @clients;
}

1;
