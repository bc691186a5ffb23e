# The keytab's life: new keys without a reload, a file that is gone or broken
# at run time, and every trouble that nginx -t can find, with what to run.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

my $HTTP = 'rmsconnector.rms.test';
my $page = '/_wmcs/certification/ServerCertification.asmx';

sub login { return http(path => $page, account => 'EXCH01$', @_) }

sub status_page { return $RMS::Standin::JSON->decode(http(path => '/rms/')->body) }

standin(azure => {});
nginx();
my $file = kdc()->keytab;
my ($worker) = wait_for(sub { (nginx()->workers)[0] }, 'worker');

# rotation
my $old = kdc()->kvno;
is(login()->status, 200, "kvno $old");
kdc()->rotate;
my $new = kdc()->kvno;
cmp_ok($new, '>', $old, 'the KDC has new keys');
my $r = login();
is($r->status, 200, 'a ticket of the old key is still good');
kdc()->kinit('EXCH01$');
$r = login();
is($r->status, 200, 'so is one of the new key, without a reload');
ok($r->{gss}->mutual($r), 'with the token');
like(nginx()->error_log, qr/login: .*kvno=$new\b/, 'the log says which key it was');
is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');

# the old key is dropped: its tickets are refused, and the line says why
my $cache = kdc()->ccache('EXCH01$');
kdc()->rotate(drop_old => 1);
my $newest = kdc()->kvno;
$r = http(path => $page, ccache => $cache);
is($r->status, 401, 'a ticket of a dropped key');
like(nginx()->error_log, qr/event=2000 no usable principal: kvno $new is not in the keytab, which has $newest; ticket for "HTTP\/$HTTP"/,
    'the log names both versions');
kdc()->kinit('EXCH01$');
is(login()->status, 200, 'a new ticket is good');

# gone, empty, broken, without a key for us: ours to mend, 503, and mended at once
my $good = slurp($file);
my $wrong = dir() . '/host.keytab';
kdc()->kadmin('RMS.TEST', 'addprinc -randkey nfs/rmsconnector.rms.test', "ktadd -k $wrong nfs/rmsconnector.rms.test");
my %trouble = (
    'a keytab that is gone' => [undef, qr/No such file|does not exist/],
    'an empty keytab' => ['', qr/ is empty/],
    'a keytab cut short' => [substr($good, 0, 40), qr/./],
    'something else' => ["this is no keytab\n", qr/./],
    'a keytab without HTTP/' => [slurp($wrong), qr/HTTP\//],
);
my $n = 0;
for my $name (sort keys %trouble) {
    my ($bytes, $why) = @{ $trouble{$name} };
    my $at = length nginx()->error_log;
    if (defined $bytes) {
        share_with_worker(spew("$file.bad", $bytes));
        rename "$file.bad", $file;
    } else {
        rename $file, "$file.away";
    }
    for my $mech (qw(spnego krb5)) {
        $r = login(mech => $mech);
        is($r->status, 503, "D28: $name: 503 ($mech)");
        like($r->header('retry-after'), qr/^\d+$/, "$name: come again");
        is_deeply([$r->all('www-authenticate')], [], "$name: no challenge");
        is(status_page()->{refused}{auth_unavailable}, ++$n, "$name: counted");
    }
    my $said = substr nginx()->error_log, $at;
    my @events = $said =~ /\[error\].*event=3000 login not possible: keytab "\Q$file\E"(.*)/g;
    is(scalar @events, 2, "$name: event 3000 names the file");
    like($events[0], $why, "$name: and what is wrong") if @events;
    is(http(path => $page)->status, 401, "$name: the challenge goes on");
    share_with_worker(spew("$file.new", $good));
    rename "$file.new", $file;
    is(login()->status, 200, "$name: mended without a reload");
}

# taken from the worker's user at run time
if ($> == 0) {
    my $group = (stat $file)[5];
    chmod 0600, $file;
    chown 0, 0, $file;
    $r = login();
    is($r->status, 503, 'a keytab the worker may not read: 503');
    like(nginx()->error_log, qr/event=3000 login not possible: keytab "\Q$file\E".*(?:Permission denied|not readable|chmod)/,
        'event 3000 says so');
    chown 0, $group, $file;
    chmod 0640, $file;
    is(login()->status, 200, 'mended without a reload');
}
is(join(' ', nginx()->workers), $worker, 'the worker is the one of the start');
unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log');
is_deeply([no_secrets()], [], 'no secrets');

# nginx -t
sub refused_conf {
    my ($name, $path, @patterns) = @_;
    my ($status, $said) = nginx_t(conf(keytab => $path));
    isnt($status, 0, "nginx -t: $name");
    like($said, qr/\[emerg\].*\Q$path\E/, "$name: the file is named");
    like($said, $_, "$name: $_") for @patterns;
    is(scalar(() = $said =~ /\[emerg\]/g), 1, "$name: in one line");
    return;
}

my $bad = dir() . '/bad.keytab';
refused_conf('missing', dir() . '/none.keytab', qr/does not exist/);
refused_conf('a folder', dir());
share_with_worker(spew($bad, ''));
refused_conf('empty', $bad);
share_with_worker(spew($bad, 'no keytab at all'));
refused_conf('something else', $bad);
share_with_worker($wrong);
refused_conf('without HTTP/', $wrong, qr/HTTP\//);

# what the worker's user cannot read, whoever runs nginx -t
spew($bad, $good);
if ($> == 0) {
    chown 0, 0, $bad;
    chmod 0600, $bad;
    my $group = worker_group();
    refused_conf('unreadable', $bad, qr/chgrp \Q$group\E "?\Q$bad\E/, qr/chmod 0?640 "?\Q$bad\E/);

    # the line it prints is the one that helps
    my ($status, $said) = nginx_t(conf(keytab => $bad));
    my ($chgrp) = $said =~ /(chgrp \S+ "?\Q$bad\E"?)/;
    my ($chmod) = $said =~ /(chmod \S+ "?\Q$bad\E"?)/;
    is(system($chgrp), 0, 'the chgrp it prints runs');
    is(system($chmod), 0, 'the chmod too');
    my $mode = (stat $bad)[2] & 07777;
    is($mode & 07, 0, 'the world is not let in');
    ($status, $said) = nginx_t(conf(keytab => $bad));
    is($status, 0, 'and then the configuration is accepted') or diag $said;
} else {
    chmod 0000, $bad;
    refused_conf('unreadable', $bad, qr/Permission denied/);
}

# what everybody can read is no secret
chmod 0644, $bad;
refused_conf('readable for the world', $bad, qr/mode 0644/, qr/chmod 0640 "?\Q$bad\E/);

# a reload with a broken keytab changes nothing
my $copy = dir() . '/copy.keytab';
share_with_worker(spew($copy, $good));
nginx(conf(keytab => $copy, port => free_port()));
is(login()->status, 200, 'a second keytab');
unlink $copy;
ok(!nginx()->reload, 'a reload without it is refused');
is(http(path => $page)->status, 401, 'and the old workers go on');
is(login()->status, 503, 'as far as they can');
is_deeply([violations()], [], 'the backend saw nothing odd');

done_testing();
