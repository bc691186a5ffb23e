package RMS::Clock;

# Clocks of nginx that a test puts forward, in place of waiting: that of its
# timers, which no ticket and no session notices, and the time of day.
#
#   nginx(env => clock_env());
#   put_forward(31);
#   put_day_forward(3600);

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use RMS::Client;
use RMS::Env;
use RMS::Nginx;

our @EXPORT = qw(clock_env put_forward put_day_forward);

my ($file, $ahead, $day);

# clock_env() - what to start nginx with.
sub clock_env {
    if (!$file) {
        my ($status, $text) = run(['cc', '-O1', '-shared', '-fPIC', '-o', dir() . '/clock.so',
            root() . '/t/lib/tools/clock.c']);
        croak "clock: $text" if $status;
        $file = spew(dir() . '/clock', pack 'l!2', 0, 0);
        $ahead = $day = 0;
    }
    my %env = (LD_PRELOAD => dir() . '/clock.so', RMS_TEST_CLOCK => $file);
    $env{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:verify_asan_link_order=0" if $ENV{ASAN_OPTIONS};
    return \%env;
}

# put_forward($seconds, $wake) - returns when the only worker has seen it.  nginx
# looks at its clock when something happens, and at its timers at last: here, a
# request, or what $wake does where the worker does not listen any more.
sub put_forward {
    my ($seconds, $wake) = @_;
    $ahead += $seconds;
    set();
    return $wake->() if $wake;
    my $c = client(addr(), nginx()->port);
    $c->request(path => '/clock');
    return $c->response;
}

# put_day_forward($seconds) - whoever asks for the time of day sees it at once.
sub put_day_forward {
    my ($seconds) = @_;
    $day += $seconds;
    return set();
}

sub set {
    open my $fh, '+<:raw', $file or croak "$file: $!";
    print {$fh} pack 'l!2', $ahead, $day;
    close $fh or croak "$file: $!";
    return;
}

1;
