# rms_state_file: a node that starts has the shared list and the revocations it
# had; a file that cannot be trusted admits nobody, and one that cannot be
# written takes nothing from the list in use.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;
use RMS::Relay;
use RMS::Rules;

use JSON::PP;

standin(azure => {});
my $asks = asks();
my $folder = dir() . '/state';
mkdir $folder;
chown scalar getpwnam('nobody'), -1, $folder if $> == 0;
my $state = "$folder/list";
my @key = map { sprintf "%064x\n", 7919 * $_ } 1, 2;
my @keys = map { dir() . "/keys.$_" } 0, 1;
keys_in($_, $key[$_]) for 0, 1;

# keys_in($n, @keys) - what a file of keys has in it
sub keys_in {
    my ($i, @in) = @_;
    return share_with_worker(spew($keys[$i], join '', @in));
}

sub parts {
    my (%p) = @_;
    return (pass => 'azure', workers => 2, allow => ['exchange account=nobody@RMS.TEST'], %p, http => "rms_state_file $state;" . ($p{http} || ''), locations => <<"X");
location /admin/ { rms_auth negotiate; rms_allow admin account=alice\@RMS.TEST; rms_session cookie; rms_admin; }
location /shared/ { $asks rms_acl_shared on; rms_session cookie name=shared; }
location /plain/ { rms_status; }
X
}

my %conf = parts(port => free_port());
my $n = nginx(conf(%conf));

sub ask { return decode_json(http(path => '/admin/list' . ($_[0] || ''), account => 'alice')->body) }

sub set {
    my ($rules, $note) = @_;
    my $r = http(method => 'POST', path => '/admin/list', account => 'alice', body => encode_json({ op => 'replace', rules => $rules, note => $note || '' }),
        headers => [['Content-Type', 'application/json'], ['If-Match', '"' . ask()->{version} . '"']]);
    return $r->status;
}

# written($was) - waits until the file is another one; its bytes
sub written {
    my ($was) = @_;
    my $is;
    wait_for(sub { $is = slurp($state); return $is ne $was && length $is }, 'a new state file');
    return $is;
}

# again(%parts) - stops nginx and starts it again, as after a boot
sub again {
    my (%p) = @_;
    $n->quit;
    %conf = parts(port => free_port(), %p);
    return $n = nginx(conf(%conf));
}

# put($bytes) - a state file of these bytes
sub put {
    my ($bytes) = @_;
    spew($state, $bytes);
    chown scalar getpwnam('nobody'), -1, $state if $> == 0;
    chmod 0600, $state;
    return;
}

# A start without a file, and what it becomes

is(ask()->{version}, 0, 'no file: no list');
is(set(['user account=SP01$@RMS.TEST'], 'first'), 200, 'a list');
is(set(['fci account=SP01$@RMS.TEST', 'user account=bob@RMS.TEST'], 'second'), 200, 'another');
my $bytes;
wait_for(sub { $bytes = slurp($state); $bytes =~ /second/ }, 'it is in the file');
is(sprintf('%o', (stat $state)[2] & 0777), '600', 'which is for the worker alone');
is_deeply([glob "$folder/*"], [$state], 'and alone in its folder');
my $list = ask();
my $history = ask('?history=1');
my ($cookie) = map {/^([^;]+);/} http(path => '/shared/x', account => 'SP01$')->all('set-cookie');
is(http(path => '/shared/x', headers => [[Cookie => $cookie]])->status, 200, 'a session');
is(http(method => 'POST', path => '/admin/revoke?account=SP01$@RMS.TEST', account => 'alice', headers => [['X-RMS-Admin', 1]])->status, 200, 'revoked');
$bytes = written($bytes);

# A start with it

again();
is_deeply(ask(), $list, 'a start has the list of before');
is_deeply(ask('?history=1'), $history, 'and its history');
is(role('/shared', 'SP01$'), '200 fci', 'in use');
is(status()->{revocations}{version}, 1, 'and the revocations');
is_deeply(status()->{shared_list}, { version => 2, rules => 2, age => 0, stale => JSON::PP::false }, 'the status tells of it');
ok($n->wait_log(qr/event=1004 shared list of the state file taken: version=2 rules=2 by="alice\@RMS\.TEST" note="second"/), 'so does the log');
is(set(['sharepoint account=SP01$@RMS.TEST'], 'third'), 200, 'it goes on from there');
wait_for(sub { $bytes = slurp($state); $bytes =~ /third/ }, 'in the file too');
ok($n->reload(conf(%conf)), 'reload');
is(ask()->{version}, 3, 'a reload goes by the zone');
$n->quit;
is(slurp($state) =~ /third/ ? 1 : 0, 1, 'what was last is there when nginx has ended');

# What cannot be trusted

my @damaged = (['empty' => ''], ['cut short' => substr $bytes, 0, -1], ['cut in its head' => substr $bytes, 0, 17], ['longer' => "$bytes\0"],
    ['of another program' => "rms-state 2\n" . substr $bytes, 12]);
for my $at (12, 16, 24, 60, length($bytes) - 1) {
    my $other = $bytes;
    substr($other, $at, 1) ^= "\1";
    push @damaged, ["changed at $at", $other];
}
(my $renamed = $bytes) =~ s/SP01/SP02/;
push @damaged, ['of another name' => $renamed];
for my $case (@damaged) {
    my ($what, $other) = @$case;
    put($other);
    again();
    ok($n->error_log =~ /\[error\] .*rms event=3001 state file "\Q$state\E" not used: \w+/, "a file that is $what: event 3001");
    is(ask()->{version} . ' ' . role('/shared', 'SP01$'), '0 403 none', '  nginx runs, and nobody is admitted by it');
    is(slurp($state), $other, '  it stays for a look');
}
unlink $state;
mkdir $state;
again();
like($n->error_log, qr/event=3001 state file "\Q$state\E" not used: it is no file of ours/, 'a folder in its place: event 3001');
is(set(['user account=SP01$@RMS.TEST']), 200, 'a change there');
ok($n->wait_log(qr/\[error\] .*event=3001 state file "\Q$state\E" not written: rename\(\) failed \(\d+: Is a directory\)/), 'is told not to be kept');
is(role('/shared', 'SP01$'), '200 user', 'and counts');
is_deeply([glob "$folder/*"], [$state], 'no other file is left');
rmdir $state;

# A folder that takes no files any more

rename $folder, "$folder.away";
is(set(['fci account=SP01$@RMS.TEST'], 'kept'), 200, 'a change with the folder away');
ok($n->wait_log(qr/event=3001 state file "\Q$state\E" not written: open\(\) failed \(\d+: No such file/), 'is told not to be kept');
is(role('/shared', 'SP01$'), '200 fci', 'and counts');
rename "$folder.away", $folder;
ok($n->reload(conf(%conf)), 'a reload with the folder back');
wait_for(sub { slurp($state) =~ /kept/ }, 'writes it');

# Keys

again(http => "rms_seal_key_file $keys[0];");
like($n->error_log, qr/event=3001 state file "\Q$state\E" not used: its records cannot be opened/, 'an open file is not read once there are keys');
is(ask()->{version}, 0, '  and admits nobody');
is(set(['user account=SP01$@RMS.TEST'], 'sealed'), 200, 'a list');
wait_for(sub { $bytes = slurp($state); $bytes !~ /kept/ }, 'written');
unlike($bytes, qr/RMS\.TEST|SP01|alice|sealed/i, 'with keys no name is in the file');
again(http => "rms_seal_key_file $keys[0];");
is(ask()->{note} . ' ' . role('/shared', 'SP01$'), 'sealed 200 user', 'and it can be read');
my $forged = $bytes;
substr($forged, 23, 1) ^= "\1";
substr($forged, 12, 4) = pack 'N', crc(substr $forged, 16);
put($forged);
again(http => "rms_seal_key_file $keys[0];");
is(ask()->{version}, 0, 'one with another number of revocations cannot');
put($bytes);
again(http => "rms_seal_key_file $keys[1];");
like($n->error_log, qr/event=3001 state file "\Q$state\E" not used: its records cannot be opened/, 'a foreign key: event 3001');
is(ask()->{version} . ' ' . role('/shared', 'SP01$'), '0 403 none', '  nobody is admitted');
keys_in(1, @key[1, 0]);
again(http => "rms_seal_key_file $keys[1];");
is(ask()->{note}, 'sealed', 'with the old key behind the new one it is read');
isnt(written($bytes), $bytes, 'and sealed anew');
keys_in(1, $key[1]);
again(http => "rms_seal_key_file $keys[1];");
is(ask()->{note}, 'sealed', 'so that the old key may go');
nothing_odd();
logs_clean();

# crc($bytes) - CRC-32, of IEEE
sub crc {
    my ($text) = @_;
    my $crc = 0xffffffff;
    for my $byte (unpack 'C*', $text) {
        $crc ^= $byte;
        $crc = $crc & 1 ? $crc >> 1 ^ 0xedb88320 : $crc >> 1 for 1 .. 8;
    }
    return $crc ^ 0xffffffff;
}

# What nginx -t refuses

sub no_start {
    my ($what, $why, %p) = @_;
    my ($status, $said) = nginx_t(conf(port => free_port(), pass => 'azure', %p));
    isnt($status, 0, "$what is refused");
    like($said, $why, '  and says why');
    return;
}

my $ro = dir() . '/root-only';
mkdir $ro, 0755;
no_start('a state file in a folder that is not there', qr/directory "\/nowhere" is not there; run: install -d/, http => 'rms_state_file /nowhere/list;');
no_start('a state file where the worker may not write', qr/\Q$ro\E/, http => "rms_state_file $ro/list;") if $> == 0;
no_start('a second state file', qr/"rms_state_file" directive is duplicate/, http => "rms_state_file $state; rms_state_file $state;");
no_start('rms_admin without a login', qr/"rms_admin" in location "\/x\/" needs a login and an admin; write "rms_auth negotiate;"/,
    allow => [], locations => 'location /x/ { rms_allow admin account=alice@RMS.TEST; rms_admin; }');
no_start('rms_admin without anybody', qr/"rms_admin" in location "\/x\/" needs a login and an admin/,
    allow => [], locations => 'location /x/ { rms_auth negotiate; rms_admin; }');
no_start('rms_admin beside another handler', qr/"rms_admin" directive stands beside another content handler/,
    locations => 'location /x/ { empty_gif; rms_admin; }');
for my $needs ('rms_replay shared', 'rms_acl_max_age 1h', 'rms_on_store_error deny') {
    my ($name) = $needs =~ /^(\w+ shared|\w+ deny|\w+)/;
    no_start("$needs without Redis", qr/"$name" in location "\/" needs Redis; write an "rms_redis \{ server HOST:6379; \}" block/, location => "$needs;");
}

done_testing();
