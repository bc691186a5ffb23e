# Files that Kerberos makes by itself, where others had them in /tmp, with names
# that can be guessed, locked for the whole host: no login here makes one.  The
# numbers are those of t/DEFECTS.md.

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find qw(find);
use RMS::Test;

my $page = '/_wmcs/certification/ServerCertification.asmx';

# where the library would put them, if somebody made it
my $d = dir() . '/of-the-library';
mkdir $d;
chmod 0777, $d;
chmod 01777, $d;
my %env = (KRB5RCACHEDIR => $d, TMPDIR => $d, KRB5CCNAME => "FILE:$d/krb5cc");
my $main = join '', map {"env $_;\n"} sort keys %env;
standin(azure => {});
nginx(env => \%env, main => $main, log => 'notice', location => "rms_session cookie;\n");
my ($worker) = nginx()->workers;

# made() - what is in that folder
sub made { my @all; find({ no_chdir => 1, wanted => sub { push @all, $_ if -f } }, $d); return sort @all }

# written() - the files that the worker has open for writing and that are no log of nginx
sub written {
    my @open;
    for my $fd (glob "/proc/$worker/fdinfo/*") {
        my ($flags) = slurp($fd) =~ /^flags:\s+(\d+)/m or next;
        my $to = readlink($fd =~ s/fdinfo/fd/r) || '';
        push @open, $to if (oct($flags) & 3) != 0 && $to =~ m{^/} && $to !~ m{^/dev/(?:null|zero)\b|\.log$|\.out$};
    }
    return @open;
}

# D32: a replay cache of the library is a file, locked and synced in each login
for my $mech (qw(spnego krb5 windows negoex)) {
    for my $account ('EXCH01$', 'alice') {
        is(http(client => client(addr(), nginx()->port), path => $page, account => $account, mech => $mech)->status, 200, "$account logs in by $mech");
    }
}
is_deeply([made()], [], 'D32: no login makes, locks or syncs a file of replays');
is_deeply([written()], [], 'D32: nor is one open');
is($RMS::Standin::JSON->decode(http(path => '/rms/')->body)->{replay}{used}, 8, 'D32: replays are remembered all the same');

# D47: credentials that a client hands over (unconstrained delegation) are kept nowhere
sub handed { return scalar(() = slurp(kdc()->{dir} . '/RMS.TEST/kdc.log') =~ /TGS_REQ .*EXCH01\$\@RMS\.TEST for krbtgt\/RMS\.TEST\@RMS\.TEST/g) }
my $before = handed();
is(curl(nginx()->url($page), account => 'EXCH01$', args => ['--delegation', 'always'])->status, 200, 'a client that hands over its credentials comes in');
is(handed(), $before + 1, 'it has got them from the KDC for that');
is_deeply([made()], [], 'D47: what a client hands over is in no file');
is_deeply([grep { /krb5cc|tkt/ } map { readlink($_) || '' } glob "/proc/$worker/fd/*"], [], 'D47: nor open');

is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
