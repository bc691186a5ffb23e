# A batch of a hundred licences passes whole: T28, T53.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;

my ($status, $text) = run(['/usr/bin/python3', '-B', root() . '/t/samples/gen.py', '--big', dir()]);
is($status, 0, 'the batches are made') or diag $text;
my %big = map { $_ => slurp(dir() . "/$_.xml") } map { ("$_.request", "$_.response") }
    qw(acquirelicense-batch100 acquireprelicense-100);

standin(azure => {});
my $n = nginx();

for (['07', 'acquirelicense-batch100'], ['08', 'acquireprelicense-100']) {
    my ($sample, $name) = @$_;
    control(azure => { body_file => dir() . "/$name.response.xml" });
    my %want = (request => $big{"$name.request"}, body => $big{"$name.response"});
    passes("$name passes whole", post_sample($sample, body => $want{request}), sample($sample), %want);
    control(azure => { body_file => dir() . "/$name.response.xml", chunk => 8191 });
    passes("$name in chunks", post_sample($sample, body => $want{request}, chunked => 65536), sample($sample), %want);
}
my $held = () = $big{'acquirelicense-batch100.response'} =~ /<AcquireLicenseResponse>/g;
is($held, 100, 'the batch holds a hundred results');
cmp_ok((journal())[0]{verified}, '>=', 100, 'every signature of the request was found good by the backend');

# T53: 101 licensees are the backend's business
control(azure => {});
my $item = '<AcquireLicenseParams>';
my ($one) = $big{'acquirelicense-batch100.request'} =~ m{($item(?:(?!$item).)*?</AcquireLicenseParams>)</RequestParams>}s;
ok($one, 'a batch item is found');
(my $more = $big{'acquirelicense-batch100.request'}) =~ s{(?=</RequestParams>)}{$one};
passes('a batch of 101 is passed on, not cut', post_sample('07', body => $more), sample('07'), request => $more);

is_deeply([$n->temp_files], [], 'nothing went to a file');
nothing_odd();
logs_clean();

done_testing();
