# The flow of a request under valgrind, VALGRIND_REQUESTS (400) of every kind,
# and a reload: no invalid or undefined access, no leak that is ours.

use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use RMS::Test;
use Soak;

my $requests = $ENV{VALGRIND_REQUESTS} || 400;
my $logs = dir() . '/valgrind';
mkdir $logs, 0777;
$RMS::Env::DEADLINE = 120;

my $port = free_port();
soak_backend();

# valgrind takes the place of nginx; the log of a worker is its own, by pid
my $binary = nginx_bin();
my $wrapper = spew(dir() . '/nginx-valgrind', <<"X");
#!/bin/sh
exec valgrind -q --tool=memcheck --leak-check=full --show-leak-kinds=definite \\
    --errors-for-leak-kinds=definite --num-callers=30 --keep-debuginfo=yes \\
    --suppressions=$FindBin::Bin/valgrind.supp --log-file=$logs/%p \\
    $binary "\$@"
X
chmod 0755, $wrapper;
$ENV{TEST_NGINX_BINARY} = $wrapper;

my $n = nginx(soak_conf(port => $port, log => 'notice'));
my $first = ($n->workers)[0];
my $done = play_all(2, $requests, port => $port);
is_deeply($done->{bad}, [], "all of $done->{sent} answers are the ones expected");
cmp_ok($done->{$_}, '>', 0, "some were $_") for KINDS();

# under valgrind a worker cannot change its title: wait for its end
kill 'HUP', $n->{pid};
wait_for(sub { !grep { $_ == $first } $n->workers }, 'the old worker leaves');
my $second = wait_for(sub { ($n->workers)[0] }, 'a new worker');
$done = play_all(2, $requests / 4, port => $port);
is_deeply($done->{bad}, [], "and so are $done->{sent} after a reload");
ok($n->quit, 'nginx ends');

ok(-f "$logs/$_", "worker $_ was looked at") for $first, $second;

# Every block with a stack is an error, but for a leak that has none of our
# frames: nginx and the libraries lose a few bytes of their own.
my (@errors, $foreign);
for my $file (glob "$logs/*") {
    my @blocks = split /^==\d+== *\n/m, slurp($file);
    for my $block (@blocks) {
        next unless $block =~ /^==\d+== +(?:at|by) 0x/m;
        my $ours = $block =~ /\b(?:ngx_http_)?rms_\w+ \(/;
        if ($ours || $block !~ /definitely lost/) {
            push @errors, $block;
        } else {
            $foreign++;
        }
    }
}
is(scalar @errors, 0, 'valgrind has found nothing');
diag($_) for @errors[0 .. ($#errors < 4 ? $#errors : 4)];
diag("$foreign leaks of nginx and libraries") if $foreign;

done_testing();
