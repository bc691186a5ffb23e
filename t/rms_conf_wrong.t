# A wrong configuration is refused at "nginx -t" with one message that names
# what is wrong and says what to write instead.

use FindBin;
use lib "$FindBin::Bin/lib";
use RMS::Test;

use POSIX ();

my $keytab = kdc()->keytab;
my $gid = getgrnam worker_group();
my $made = 0;

# file($bytes, $mode) - a file of that mode, readable for workers at 0640.
sub file {
    my ($bytes, $mode) = @_;
    my $file = dir() . '/file.' . ++$made;
    spew($file, $bytes);
    chown -1, $gid, $file if $> == 0;
    chmod defined $mode ? $mode : 0640, $file;
    return $file;
}

my $identity = file("Bearer good\n");
my $fifo = dir() . '/fifo';
POSIX::mkfifo($fifo, 0640);
share_with_worker($fifo);

# a keytab as MIT writes it: $name is "service/host", one key of $enctype
sub made_keytab {
    my ($name, $enctype, $size) = @_;
    my $counted = sub { pack('n', length $_[0]) . $_[0] };
    my @parts = split m{/}, $name;
    my $entry = pack('n', scalar @parts) . $counted->('RMS.TEST')
        . join('', map { $counted->($_) } @parts) . pack('NNCn', 1, 1_700_000_000, 3, $enctype)
        . $counted->('k' x $size) . pack('N', 3);
    return file("\x05\x02" . pack('N', length $entry) . $entry);
}

# %part: what stands in each place of the one good configuration below
sub text {
    my (%part) = @_;
    my %p = (main => '', http => '', zone => 'rms_zone rms 2m;',
        pool => 'rms_thread_pool krb5=rms_krb5;', kind => 'kind azure;', pass => 'pass @azure;',
        base => 'base https://tenant.rms.test/_wmcs;', azure => '', legacy_kind => 'kind adrms;',
        legacy_pass => 'pass @adrms;', legacy => '', backends => '', listen => '',
        licensor => 'licensor 4f1a2b3c-0000-4000-8000-123456789abc;',
        keytab => "rms_keytab $keytab;", server => '', auth => 'rms_auth negotiate;',
        rms_pass => 'rms_pass azure legacy;', location => '',
        azure_pass => 'proxy_pass http://azure_rms;', at_azure => '',
        buffering => 'on', temp => '0', next => 'error timeout', intercept => 'off',
        ignore => 'proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering X-Accel-Charset X-Accel-Limit-Rate;',
        adrms_pass => 'proxy_pass http://adrms_nodes;', at_adrms => '', locations => '',
        status => 'location = /rms/status { rms_status; }', more => '', name_azure => '@azure',
        allow => 'rms_allow exchange account=EXCH01$@RMS.TEST;', %part);
    my $user = $> == 0 ? 'user ' . worker_user() . ' ' . worker_group() . ';' : '';
    my $load = $ENV{TEST_RMS_STATIC} ? '' : 'load_module ' . RMS::Nginx::module() . ';';
    my $listen = addr() . ':' . ($p{port} ||= free_port());
    my $safe = "proxy_http_version 1.1; proxy_set_header Host \$rms_upstream_host;
            proxy_set_header Connection ''; proxy_buffering $p{buffering};
            proxy_max_temp_file_size $p{temp}; proxy_next_upstream $p{next};
            proxy_intercept_errors $p{intercept}; $p{ignore}";
    my $temp = join ' ', map {"${_}_temp_path \@PREFIX\@/$_;"} qw(client_body proxy fastcgi uwsgi scgi);
    return <<"X";
$user
$load
thread_pool rms_krb5 threads=2 max_queue=64;
$p{main}
events {}
http {
    $temp access_log off;
    $p{zone}
    $p{pool}
    $p{http}
    rms_backend azure {
        $p{kind}
        $p{pass}
        $p{base}
        $p{azure}
    }
    rms_backend legacy {
        $p{legacy_kind}
        $p{legacy_pass}
        base http://adrms.rms.test/_wmcs;
        $p{licensor}
        $p{legacy}
    }
    $p{backends}
    upstream azure_rms { server 127.0.0.1:9; }
    upstream adrms_nodes { server 127.0.0.1:9; }
    server {
        listen $listen $p{listen};
        server_name one.rms.test;
        $p{keytab}
        $p{allow}
        $p{server}
        location / {
            $p{auth}
            $p{rms_pass}
            $p{location}
        }
        location $p{name_azure} { $p{azure_pass} $safe $p{at_azure} }
        location \@adrms { $p{adrms_pass} $safe $p{at_adrms} }
        $p{locations}
        $p{status}
    }
    $p{more}
}
X
}

my $more = sub { join ' ', 'server { listen', addr() . ':' . free_port() . '; server_name two.rms.test;',
    "rms_keytab $keytab; rms_allow fci account=FS01\$\@RMS.TEST;", @_, '}' };
my $handover = 'proxy_max_temp_file_size 0; proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering X-Accel-Charset X-Accel-Limit-Rate;';
my $two = sub { "rms_backend two { kind azure; pass \@two; base https://two.rms.test/_wmcs; $_[0] }" };
my $seal = file(sprintf("%064x\n", 7919));
my $redis = sub { (http => "rms_seal_key_file $seal; rms_redis { $_[0] }") };
my $later = qr/comes in a later version/;
my $here = qr/directive is not allowed here/;
my $arity = qr/invalid number of arguments in "/;
my $auth = qr/write "rms_auth negotiate \[ntlm\] \[cert\];", "rms_auth cert;" or "rms_auth off;"/;
my @ntlm = (main => 'thread_pool rms_ntlm threads=1;', pool => 'rms_thread_pool krb5=rms_krb5 ntlm=rms_ntlm;');

my $ca = ca();
my $tls = join ' ', map { my $c = $_; "ssl_certificate $c->{cert}; ssl_certificate_key $c->{key};" } cert('one.rms.test');
my $odd = dir() . '/ed25519';
my ($failed, $why) = run([qw(openssl req -x509 -newkey ed25519 -nodes -days 30 -subj /CN=one.rms.test -keyout), "$odd.key", '-out', "$odd.pem"]);
die $why if $failed;
my $ed25519 = "ssl_certificate $odd.pem; ssl_certificate_key $odd.key;";

# [what, directive or value the message must name, the message, parts...]
my @wrong = (
    # rms_zone, rms_thread_pool, rms_body_memory
    ['zone too small', 'rms_zone', qr/size "512k".*write .*"rms_zone rms 16m;"/, zone => 'rms_zone rms 512k;'],
    ['zone size no number', 'rms_zone', qr/size "big".*write/, zone => 'rms_zone rms big;'],
    ['zone without size', 'rms_zone', $arity, zone => 'rms_zone rms;'],
    ['zone without name', 'rms_zone', qr/name.*write .*"rms_zone rms 16m;"/, zone => 'rms_zone "" 2m;'],
    ['zone twice', 'rms_zone', qr/is duplicate/, zone => 'rms_zone a 2m; rms_zone b 2m;'],
    ['zone in a server', 'rms_zone', $here, server => 'rms_zone x 2m;'],
    ['thread pool undefined', 'nowhere', qr/unknown thread pool "nowhere"/, pool => 'rms_thread_pool krb5=nowhere;'],
    ['thread pool for NTLM undefined', 'nowhere', qr/unknown thread pool "nowhere"/, pool => 'rms_thread_pool krb5=rms_krb5 ntlm=nowhere;'],
    ['one thread pool for Kerberos and NTLM', 'rms_thread_pool', qr/"krb5" and "ntlm".*are one pool.*write a "thread_pool" of its own for "ntlm"/,
        pool => 'rms_thread_pool krb5=rms_krb5 ntlm=rms_krb5;'],
    ['thread pool for NTLM that Kerberos uses by default', 'rms_thread_pool', qr/"krb5" and "ntlm".*are one pool.*write a "thread_pool" of its own for "ntlm"/,
        main => 'thread_pool default threads=4;', pool => 'rms_thread_pool ntlm=default;'],
    ['thread pool without a name', 'rms_thread_pool', qr/"krb5=".*write "rms_thread_pool krb5=NAME \[ntlm=OTHER\];"/, pool => 'rms_thread_pool krb5=;'],
    ['thread pool for NTLM without a name', 'rms_thread_pool', qr/"ntlm=".*write "rms_thread_pool krb5=NAME \[ntlm=OTHER\];"/,
        pool => 'rms_thread_pool krb5=rms_krb5 ntlm=;'],
    ['thread pool of another kind', 'rms_thread_pool', qr/"ldap=x".*write "rms_thread_pool krb5=NAME \[ntlm=OTHER\];"/, pool => 'rms_thread_pool ldap=x;'],
    ['thread pool for NTLM twice', 'rms_thread_pool', qr/repeated value "ntlm=other"/,
        main => 'thread_pool other threads=1;', pool => 'rms_thread_pool ntlm=other ntlm=other;'],
    ['thread pool twice', 'rms_thread_pool', qr/is duplicate/, http => 'rms_thread_pool krb5=rms_krb5;'],
    ['two pools for one purpose', 'rms_thread_pool', qr/repeated value "krb5=other"/,
        main => 'thread_pool other threads=1;', pool => 'rms_thread_pool krb5=rms_krb5 krb5=other;'],
    ['thread pool in a server', 'rms_thread_pool', $here, server => 'rms_thread_pool krb5=rms_krb5;'],
    ['body memory below one body', 'rms_body_memory', qr/smaller than one request body.*write "rms_body_memory 16m;"/, http => 'rms_body_memory 15m;'],
    ['body memory no number', 'rms_body_memory', qr/invalid value/, http => 'rms_body_memory lots;'],
    ['body memory in a location', 'rms_body_memory', $here, location => 'rms_body_memory 64m;'],

    # rms_redis, rms_seal_key_file
    ['redis without a server', 'rms_redis', qr/names no server; write "server redis1.corp:6379;"/, $redis->('database 0;')],
    ['redis parameter unknown', 'rms_redis', qr/unknown parameter "cluster".*known are server, sentinel/, $redis->('server r:6379; cluster on;')],
    ['redis port missing', 'rms_redis', qr/"r" of "server".*write a host:port or unix:/, $redis->('server r;')],
    ['redis port too large', 'rms_redis', qr/"r:65536" of "server".*write/, $redis->('server r:65536;')],
    ['redis database negative', 'rms_redis', qr/"-1" of "database".*write a number/, $redis->('server r:6379; database -1;')],
    ['redis tls neither on nor off', 'rms_redis', qr/"maybe" of "tls".*write a on or off|"maybe" of "tls".*write on or off/, $redis->('server r:6379; tls maybe;')],
    ['redis timeout no time', 'rms_redis', qr/"soon" of "timeout".*write a time, as in 100ms/, $redis->('server r:6379; timeout soon;')],
    ['redis parameter without value', 'rms_redis', qr/number of values of "prefix"/, $redis->('server r:6379; prefix;')],
    ['redis password readable by all', 'file.', qr/holds a secret but has mode 0644; run: chmod 0640/,
        $redis->('server r:6379; password_file ' . file("x\n", 0644) . ';')],
    ['redis port missing at a sentinel', 'rms_redis', qr/address "s" in "rms_redis": write a host:port/, $redis->('sentinel rms s;')],
    ['redis sentinel without an address', 'rms_redis', qr/"sentinel" .*names no address; write "sentinel NAME HOST:26379/, $redis->('sentinel rms;')],
    ['redis server and sentinel', 'rms_redis', qr/has "server" and "sentinel"; write one of them/,
        $redis->('server 127.0.0.1:6379; sentinel rms 127.0.0.1:26379;')],
    ['redis address that is none', 'rms_redis', qr/address "\[::1:6379" in "rms_redis": invalid/, $redis->('server [::1:6379;')],
    ['redis name without a resolver', 'rms_redis', qr/the name "r:6379", and nobody to resolve it; write "resolver ADDRESS;" into "http", or an address instead of the name in \S+:\d+/,
        $redis->('server 127.0.0.1:6379; server r:6379;')],
    ['redis sentinel name without a resolver', 'rms_redis', qr/the name "s:26379", and nobody to resolve it/,
        $redis->('sentinel rms 127.0.0.1:26379 s:26379;')],
    ['redis parameter twice', 'rms_redis', qr/"prefix" is there twice/, $redis->('server 127.0.0.1:6379; prefix a:; prefix b:;')],
    ['redis timeout of nothing', 'rms_redis', qr/"0" of "timeout".*write a time/, $redis->('server 127.0.0.1:6379; timeout 0;')],
    ['redis user without a password', 'rms_redis', qr/has "username" without "password_file"/, $redis->('server 127.0.0.1:6379; username rms;')],
    ['redis password empty', 'file.', qr/"password_file" \S+ is not usable; write one line/,
        $redis->('server 127.0.0.1:6379; password_file ' . file("\n") . ';')],
    ['redis password of two lines', 'file.', qr/"password_file" \S+ is not usable; write one line/,
        $redis->('server 127.0.0.1:6379; password_file ' . file("a\nb\n") . ';')],
    ['redis TLS without a CA', 'rms_redis', qr/has "tls on" without "tls_ca"; write "tls_ca PATH;"/, $redis->('server 127.0.0.1:6379; tls on;')],
    ['redis CA that is none', 'file.', qr/SSL_CTX_load_verify_locations/, $redis->('server 127.0.0.1:6379; tls on; tls_ca ' . file("x\n") . ';')],
    ['redis CA without TLS', 'rms_redis', qr/has "tls_ca" or "tls_name" without "tls on"/, $redis->('server 127.0.0.1:6379; tls_name x;')],
    ['redis TLS to a socket without a name', 'rms_redis', qr/has "tls on" and a unix socket; write "tls_name NAME;"/,
        $redis->('server unix:/run/r.sock; tls on; tls_ca ' . ca() . ';')],
    ['redis twice', 'rms_redis', qr/is duplicate/, http => 'rms_redis { server r:6379; } rms_redis { server s:6379; }'],
    ['redis in a server', 'rms_redis', $here, server => 'rms_redis { server r:6379; }'],
    ['seal keys readable by all', 'file.', qr/holds a secret but has mode 0644; run: chmod 0640/,
        http => 'rms_seal_key_file ' . file("0" x 64 . "\n", 0644) . ';'],
    ['seal keys missing', 'seal.keys', qr/No such file/, http => 'rms_seal_key_file /nonexistent/seal.keys;'],
    ['seal key of the wrong length', 'rms_seal_key_file', qr/64 hex digits/, http => 'rms_seal_key_file ' . file("0123\n") . ';'],
    ['seal keys without a key', 'rms_seal_key_file', qr/64 hex digits/, http => 'rms_seal_key_file ' . file("# none\n") . ';'],
    ['seal key wrong in its third line', 'rms_seal_key_file', qr/file\.\d+:3: neither a key of 64 hex digits/,
        http => 'rms_seal_key_file ' . file("# one\n" . 'ab' x 32 . "\n" . 'xy' x 32 . "\n") . ';'],
    ['seal key twice', 'rms_seal_key_file', qr/file\.\d+:2: the key of a line above once more; take one out/,
        http => 'rms_seal_key_file ' . file('ab' x 32 . "\n" . 'AB' x 32 . "\n") . ';'],
    ['seal keys too many', 'rms_seal_key_file', qr/file\.\d+:17: more than 16 keys; take the oldest out/,
        http => 'rms_seal_key_file ' . file(join '', map { sprintf "%064x\n", $_ } 1 .. 17) . ';'],
    ['seal keys in too large a file', 'rms_seal_key_file', qr/file\.\d+: .*larger than 16 kilobytes/,
        http => 'rms_seal_key_file ' . file('ab' x 32 . "\n" . "#\n" x 8192) . ';'],
    ['seal keys twice', 'rms_seal_key_file', qr/is duplicate/,
        http => "rms_seal_key_file $seal; rms_seal_key_file $seal;"],
    ['redis without seal keys', 'rms_redis', qr/write "rms_seal_key_file [^"]+;" .*; a key: openssl rand -hex 32/,
        http => 'rms_redis { server 127.0.0.1:6379; }'],

    # rms_backend
    ['backend twice', 'azure', qr/duplicate rms_backend "azure", first in \S+:\d+/, backends => 'rms_backend azure { kind azure; pass @azure; base https://x/_wmcs; }'],
    ['backend without a name', 'rms_backend', $arity, backends => 'rms_backend { }'],
    ['backend with an empty name', 'rms_backend', qr/name of 1 to 63 bytes/, backends => 'rms_backend "" { kind azure; }'],
    ['backend name too long', 'rms_backend', qr/name of 1 to 63 bytes/, backends => 'rms_backend ' . 'x' x 64 . ' { kind azure; }'],
    ['backend parameter unknown', 'rms_backend "azure"', qr/unknown parameter "url".*known are kind, pass, base, path, licensor, read_only/, azure => 'url https://x;'],
    ['backend parameter with two values', 'rms_backend "azure"', qr/"kind".*takes one value/, kind => 'kind azure adrms;'],
    ['backend parameter twice', 'kind', qr/duplicate/, azure => 'kind adrms;'],
    ['pass twice', 'pass', qr/duplicate/, azure => 'pass @adrms;'],
    ['read_only twice', 'read_only', qr/duplicate/, legacy => 'read_only on; read_only off;'],
    ['backend without kind', 'rms_backend "azure"', qr/is incomplete; write "kind azure;"/, kind => ''],
    ['backend without pass', 'rms_backend "azure"', qr/is incomplete; write "pass \@NAME;"/, pass => ''],
    ['backend without base', 'rms_backend "azure"', qr/is incomplete; write "base https:/, base => ''],
    ['backend in a server', 'rms_backend', $here, server => 'rms_backend x { }'],
    ['kind unknown', 'kind', qr/"aws" of rms_backend "azure"; write "kind azure;"/, kind => 'kind aws;'],
    ['kind mde', 'kind mde', $later, kind => 'kind mde;'],
    ['kind gone', 'kind gone', $later, legacy_kind => 'kind gone;'],
    ['pass to no named location', 'pass', qr/"pass \/azure".*not a named location; write "pass \@azure;"/, pass => 'pass /azure;'],
    ['base no URL', 'base', qr/"tenant.rms.test\/_wmcs".*write an http or https URL/, base => 'base tenant.rms.test/_wmcs;'],
    ['base of another scheme', 'base', qr/"ftp:.*write an http or https URL/, base => 'base ftp://tenant.rms.test/_wmcs;'],
    ['base with a query', 'base', qr/query or fragment; write it without/, base => 'base https://tenant.rms.test/_wmcs?x=1;'],
    ['base without a tree', 'base', qr/has no path; write .*"base https:\/\/tenant.rms.test\/_wmcs;"/, base => 'base https://tenant.rms.test;'],
    ['path relative', 'path', qr/"_wmcs".*write .*"path \/_wmcs;"/, azure => 'path _wmcs;'],
    ['path with an escape', 'path', qr/"\/%2e%2e".*write/, azure => 'path /%2e%2e;'],
    ['path is the root', 'path', qr/write .*"path \/_wmcs;"/, azure => 'path /;'],
    ['licensor no GUID', 'licensor', qr/"harbourline".*write the GUID/, licensor => 'licensor harbourline;'],
    ['licensor twice in one rms_pass', 'licensor', qr/"azure".*"legacy".*same licensor/,
        azure => 'licensor 4F1A2B3C-0000-4000-8000-123456789ABC;'],
    ['read_only of a group', 'read_only', qr/"read_only sid=S-1-5-21-1-2-3-4" $later; write "read_only on;"/, legacy => 'read_only sid=S-1-5-21-1-2-3-4;'],
    ['read_only but a group', 'read_only', $later, legacy => 'read_only not_sid=S-1-5-21-1-2-3-4;'],
    ['read_only neither', 'read_only', qr/"yes".*write "read_only on;" or "read_only off;"/, legacy => 'read_only yes;'],
    ['read_only answer unknown', 'read_only_answer', qr/"403".*write "read_only_answer 401;"/, legacy => 'read_only_answer 403;'],
    (map { [ "identity $_", "identity $_", qr/$later; write "identity none;" or "identity file=PATH;"/, azure => "identity $_;" ] }
        qw(entra service delegate passthrough)),
    ['identity unknown', 'identity', qr/"token".*write "identity none;"/, azure => 'identity token;'],
    ['identity file without name', 'identity', qr/"file=".*write "identity none;"/, azure => 'identity file=;'],
    ['identity file missing', 'no.authorization', qr/No such file/, azure => 'identity file=/nonexistent/no.authorization;'],
    ['identity file readable by all', 'file.', qr/mode 0644; run: chmod 0640/, azure => 'identity file=' . file("Bearer x\n", 0644) . ';'],
    ['identity file writable by the group', 'file.', qr/mode 0660; run: chmod 0640/, azure => 'identity file=' . file("Bearer x\n", 0660) . ';'],
    ['identity file empty', 'identity file', qr/not usable; write one line/, azure => 'identity file=' . file("\n") . ';'],
    ['identity file of two lines', 'identity file', qr/not usable; write one line/, azure => 'identity file=' . file("Bearer x\nHost: evil\n") . ';'],
    ['identity file too large', 'identity file', qr/not usable; write one line/, azure => 'identity file=' . file('B' x 16385) . ';'],
    ['identity file a folder', dir(), qr/not a regular file; write the name/, azure => 'identity file=' . dir() . ';'],
    ['identity file a pipe', 'fifo', qr/not a regular file/, azure => "identity file=$fifo;"],
    ['two identities, one upstream', 'azure_rms', qr/"azure" and "two".*different identities.*write an "upstream" of its own/,
        azure => "identity file=$identity;", backends => $two->(''), rms_pass => 'rms_pass azure two;',
        locations => "location \@two { proxy_pass http://azure_rms; $handover }"],
    ['two identities, one upstream, two servers', 'azure_rms', qr/different identities.*write an "upstream" of its own/,
        azure => "identity file=$identity;", backends => $two->(''),
        more => $more->('location / { rms_auth negotiate; rms_pass two; }', "location \@two { proxy_pass http://azure_rms; $handover }")],

    # rms_auth, rms_keytab, rms_domain
    (map { [ "auth $_->[0]", 'rms_auth', qr/unknown or repeated value "$_->[1]".*$auth/, auth => "rms_auth $_->[0];" ] }
        ['basic', 'basic'], ['bearer', 'bearer'], ['negotiate bearer', 'bearer'], ['negotiate off', 'off'], ['off negotiate', 'off'],
        ['cert off', 'off'], ['negotiate negotiate', 'negotiate'], ['negotiate ntlm ntlm', 'ntlm'], ['negotiate cert cert', 'cert'],
        ['Negotiate', 'Negotiate'], ['""', '']),
    (map { [ "auth $_", 'rms_auth ntlm', qr/"rms_auth ntlm" without Kerberos; write "rms_auth negotiate ntlm;"/, auth => "rms_auth $_;" ] }
        'ntlm', 'ntlm cert', 'cert ntlm'),
    ['auth twice', 'rms_auth', qr/is duplicate/, auth => 'rms_auth negotiate; rms_auth off;'],
    ['auth without value', 'rms_auth', $arity, auth => 'rms_auth;'],
    ['keytab not given', 'rms_auth negotiate', qr/needs a keytab in location "\/"; write "rms_keytab/, keytab => ''],
    ['keytab not given for the status', 'rms_auth negotiate', qr/needs a keytab in location "\/rms\/status"/, keytab => '', auth => '',
        status => 'location = /rms/status { rms_auth negotiate; rms_status; }'],
    ['keytab twice', 'rms_keytab', qr/is duplicate; several SPNs go into one keytab/, server => "rms_keytab $keytab;"],
    ['keytab missing', 'rms_keytab', qr/does not exist; make it on the KDC/, keytab => 'rms_keytab /nonexistent/http.keytab;'],
    ['keytab empty', 'rms_keytab', qr/is empty/, keytab => 'rms_keytab ' . file('') . ';'],
    ['keytab without keys', 'rms_keytab', qr/holds no keys/, keytab => 'rms_keytab ' . file("\x05\x02") . ';'],
    ['keytab no keytab', 'rms_keytab', qr/is damaged or no keytab.*klist -kte/, keytab => 'rms_keytab ' . file("no keytab at all\n") . ';'],
    ['keytab cut short', 'rms_keytab', qr/is damaged|holds no keys/, keytab => 'rms_keytab ' . file(substr slurp($keytab), 0, 40) . ';'],
    ['keytab a folder', 'rms_keytab', qr/is not a regular file/, keytab => 'rms_keytab ' . dir() . ';'],
    ['keytab a pipe', 'rms_keytab', qr/is not a regular file/, keytab => "rms_keytab $fifo;"],
    ['keytab without HTTP/', 'rms_keytab', qr/no key of an HTTP\/ service.*"host\/x.rms.test\@RMS.TEST".*register HTTP\//,
        keytab => 'rms_keytab ' . made_keytab('host/x.rms.test', 18, 32) . ';'],
    ['keytab of weak keys', 'rms_keytab', qr/only weak keys: allow AES/, keytab => 'rms_keytab ' . made_keytab('HTTP/x.rms.test', 23, 16) . ';'],
    ['keytab readable by all', 'file.', qr/holds a secret but has mode 0644; run: chmod 0640/, keytab => 'rms_keytab ' . file(slurp($keytab), 0644) . ';'],
    ['domain without a realm', 'rms_domain', qr/"RMS".*write "rms_domain NETBIOS=REALM;"/, server => 'rms_domain RMS;'],
    ['domain with an empty realm', 'rms_domain', qr/"RMS=".*write/, server => 'rms_domain RMS=;'],
    ['domain with two realms', 'rms_domain', qr/"RMS".*(?:twice|two realms|duplicate)/, server => 'rms_domain RMS=RMS.TEST RMS=OTHER.TEST;'],

    # rms_allow, rms_grant, rms_revoke
    ['role unknown', 'admins', qr/unknown role "admins"; write exchange, sharepoint, fci/, server => 'rms_allow admins any;'],
    ['role none', 'none', qr/unknown role "none"; write/, server => 'rms_allow none any;'],
    ['rule without a kind', 'rms_allow', qr/"EXCH01\$" in "rms_allow": a rule is "account=name\@REALM"/, server => 'rms_allow fci EXCH01$;'],
    ['rule of another kind', 'rms_allow', qr/unknown kind of rule, write "account="/, server => 'rms_allow fci group=x;'],
    ['rule without a value', 'rms_allow', qr/"account=" in "rms_allow": nothing after "="/, server => 'rms_allow fci account=;'],
    ['account without a realm', 'rms_allow', qr/not an account, write name\@REALM/, server => 'rms_allow fci account=FS01$;'],
    ['account as DOMAIN\\name', 'rms_allow', qr/is not an account here, write name\@REALM/, server => 'rms_allow fci account=RMS\\\\FS01$;'],
    ['SID malformed', 'rms_allow', qr/not a SID, write it in string form/, server => 'rms_allow fci sid=S-1-x;'],
    ['certificate malformed', 'rms_allow', qr/not a certificate, write the SHA-256/, server => 'rms_allow fci cert=abcd;'],
    (map { [ "certificate $_->[0]", "cert=$_->[1]", qr/^.*invalid rule "cert=.*" in "rms_allow": .*$_->[2]/, server => "rms_allow fci cert=$_->[1];" ] }
        ['of one digit too few', 'ab' x 31 . 'a', 'write the SHA-256'], ['of one too many', 'ab' x 32 . 'a', 'write the SHA-256'],
        ['by a wildcard', 'dns:*.rms.test', 'write one dNSName'], ['by a name with a blank', 'dns:a\\ b', 'write one dNSName'],
        ['by no name', 'dns:', 'nothing after'], ['by half a user', 'upn:alice', 'write it as in the certificate, for example cert=upn:'],
        ['by another kind of name', 'cn:alice', 'write the SHA-256']),
    ['one certificate, two roles', 'cert=', qr/has role "fci" in .* and role "user" in .*remove one/,
        server => 'rms_allow fci cert=' . 'ab' x 32 . '; rms_allow user cert=' . join(':', ('AB') x 32) . ';'],
    ['one name of a certificate, two roles', 'cert=dns:fs.rms.test', qr/has role "fci" in .* and role "user" in .*remove one/,
        server => 'rms_allow fci cert=dns:fs.rms.test; rms_allow user cert=dns:FS.rms.test;'],
    ['pattern that does not compile', 'account=~', qr/closing parenthesis|missing \)/, server => 'rms_allow fci account=~(FS;'],
    ['pattern that leaves its anchors', 'account=~', qr/parenthes/, server => 'rms_allow fci "account=~FS01\$@RMS\.TEST)|(?:.*";'],
    ['one account, two roles', 'EXCH01$@RMS.TEST', qr/has role "exchange" in \S+:(\d+) and role "fci" in \S+:(?!\1\b)\d+; a caller has one role/,
        server => 'rms_allow fci account=EXCH01$@RMS.TEST;'],
    ['an account that a pattern above gives another role', 'EXCH09$@RMS.TEST', qr/has role "fci" in .* and role "user" in .*remove one/,
        server => 'rms_allow fci account=~EXCH\d+\$@RMS\.TEST; rms_allow user account=EXCH09$@RMS.TEST;'],
    ['pattern with a verb', 'account=~', qr/holds a verb, "\(\*"; write a pattern without/, server => 'rms_allow fci "account=~(*ACCEPT)x";'],
    ['one SID, two roles', 'sid=S-1-5-21-1-2-3-4', qr/has role "fci" in .* and role "user" in .*remove one/,
        server => 'rms_allow fci sid=S-1-5-21-1-2-3-4; rms_allow user sid=S-1-5-21-1-2-3-4;'],
    ['everybody, two roles', 'any', qr/has role "partner" in .* and role "user" in .*remove one/, server => 'rms_allow partner any; rms_allow user any;'],
    ['allow without a rule', 'rms_allow', $arity, server => 'rms_allow fci;'],
    (map { [ "grant of $_", "rms_grant exchange $_", qr/is refused: nobody may use this operation/, server => "rms_grant exchange $_;" ] }
        qw(SubEnroll AcquireContentKey Activate Enroll)),
    ['grant of nothing known', 'rms_grant', qr/unknown operation "Everything".*write the name of the operation/, server => 'rms_grant exchange Everything;'],
    ['grant to the administrator', 'rms_grant admin', qr/is refused/, server => 'rms_grant admin Precertify;'],
    ['grant to an unknown role', 'everyone', qr/unknown role "everyone"; write/, server => 'rms_grant everyone Precertify;'],
    ['revocation of nothing known', 'rms_revoke', qr/unknown operation "certify".*write/, server => 'rms_revoke fci certify;'],

    # rms_pass and its locations
    ['backend unknown', 'rms_pass', qr/unknown backend "nowhere".*write "rms_backend nowhere \{/, rms_pass => 'rms_pass azure nowhere;'],
    ['backend twice in rms_pass', 'rms_pass', qr/"azure".*twice/, rms_pass => 'rms_pass azure azure;'],
    ['rms_pass twice', 'rms_pass', qr/is duplicate; write all backends into one/, location => 'rms_pass legacy;'],
    ['rms_pass behind another handler', 'rms_pass', qr/beside another content handler; keep proxy_pass in/, rms_pass => 'proxy_pass http://azure_rms; rms_pass azure;'],
    ['another handler behind rms_pass', 'rms_pass', qr/another content handler/, location => 'proxy_pass http://azure_rms;'],
    ['rms_pass in a server', 'rms_pass', $here, server => 'rms_pass azure;'],
    ['rms_pass in an if', 'rms_pass', $here, location => 'if ($arg_x) { rms_pass azure; }'],
    ['rms_pass without a backend', 'rms_pass', $arity, rms_pass => 'rms_pass;'],
    ['named location missing', 'rms_pass', qr/server has no location "\@azure" for backend "azure"; write "location \@azure \{/, name_azure => '@other'],
    ['named location of another server', 'rms_pass', qr/server has no location "\@azure"/, name_azure => '@other',
        more => $more->('', "location \@azure { proxy_pass http://azure_rms; $handover }")],
    ['named location without proxy_pass', '@azure', qr/needs a "proxy_pass" without variables; write "proxy_pass https:/, azure_pass => 'return 204;'],
    ['proxy_pass with a variable', '@azure', qr/needs a "proxy_pass" without variables/, azure_pass => 'set $x azure_rms; proxy_pass http://$x;'],
    ['proxy_pass with a URI', 'proxy_pass', qr/cannot have URI part/, azure_pass => 'proxy_pass http://azure_rms/x;'],
    ['answers go to disk', '@azure', qr/not safe for licences; write "proxy_max_temp_file_size 0;"/, temp => '1m'],
    ['answers are not buffered', '@azure', qr/write "proxy_buffering on;"/, buffering => 'off'],
    ['faults are intercepted', '@azure', qr/write "proxy_intercept_errors off;"/, intercept => 'on'],
    ['answers are cached', '@azure', qr/write "proxy_cache off;"/, http => 'proxy_cache_path @PREFIX@/cache keys_zone=c:1m;', at_azure => 'proxy_cache c;'],
    ['answers are stored', '@azure', qr/write "proxy_store off;"/, at_azure => 'proxy_store on;'],
    ['a backend may redirect inside', '@azure', qr/write "proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering X-Accel-Charset X-Accel-Limit-Rate;"/, ignore => ''],
    ['a request is sent twice', '@azure', qr/write "proxy_next_upstream error timeout;"/, next => 'error timeout non_idempotent'],
    ['a fault is tried elsewhere', '@azure', qr/write "proxy_next_upstream error timeout;"/, next => 'error http_500'],
    ['the body is not passed', '@azure', qr/write "proxy_pass_request_body on;"/, at_azure => 'proxy_pass_request_body off;'],
    ['headers are not passed', '@azure', qr/write "proxy_pass_request_headers on;"/, at_azure => 'proxy_pass_request_headers off;'],
    ['second location unsafe', '@adrms', qr/write "proxy_store off;"/, at_adrms => 'proxy_store on;'],
    ['bodies go to disk', 'client_body_in_file_only', qr/would write licences to disk; write "client_body_in_file_only off;"/, location => 'client_body_in_file_only clean;'],

    # the rest
    ['deny unknown', 'rms_deny', qr/"404".*write .*fault/, server => 'rms_deny 404;'],
    ['inspect unknown', 'rms_inspect', qr/"off".*write .*on.*strict/, server => 'rms_inspect off;'],
    ['replay shared', 'rms_replay shared', qr/needs Redis; write an "rms_redis \{ server HOST:6379; \}" block, or leave it out/, server => 'rms_replay shared;'],
    ['replay unknown', 'rms_replay', qr/"on".*write "rms_replay local;", "rms_replay shared;" or "rms_replay off;"/, server => 'rms_replay on;'],
    ['replay twice', 'rms_replay', qr/is duplicate/, server => 'rms_replay off; rms_replay local;'],
    ['public URL with a path', 'rms_public_url', qr/"https:\/\/x\/y".*write scheme and host without a path/, server => 'rms_public_url https://x/y;'],
    ['public URL without a scheme', 'rms_public_url', qr/"x".*write scheme and host/, server => 'rms_public_url x;'],
    ['public URL with a query', 'rms_public_url', qr/write scheme and host/, server => 'rms_public_url https://x?y;'],
    ['public URL with a user', 'rms_public_url', qr/write scheme and host/, server => 'rms_public_url https://u:p@x;'],
    ['public URL twice', 'rms_public_url', qr/is duplicate/, server => 'rms_public_url https://x; rms_public_url https://y;'],

    # rms_session
    ['session of another kind', 'rms_session', qr/invalid value "on" in "rms_session"; write off, connection or cookie/, server => 'rms_session on;'],
    ['session without a kind', 'rms_session', $arity, server => 'rms_session;'],
    ['session twice', 'rms_session', qr/is duplicate/, server => 'rms_session off; rms_session cookie;'],
    (map { [ "session $_->[0]", $_->[1], qr/invalid parameter "\Q$_->[1]\E" in "rms_session"; write "rms_session connection ttl=8h idle=1h;" or "rms_session cookie name=/,
        server => "rms_session $_->[0];" ] }
        ['off ttl=1h', 'ttl=1h'], ['connection name=x', 'name=x'], ['cookie path=/', 'path=/'], ['cookie name', 'name'], ['cookie name=', 'name='],
        ['cookie name=a,b', 'name=a,b'], ['cookie name=a=b', 'name=a=b'], ['cookie name=x name=y', 'name=y'], ['cookie ttl=', 'ttl='],
        ['cookie ttl=0', 'ttl=0'], ['cookie ttl=soon', 'ttl=soon'], ['cookie ttl=-1h', 'ttl=-1h'], ['cookie ttl=8d', 'ttl=8d'],
        ['connection ttl=1h ttl=2h', 'ttl=2h'], ['connection idle=0s', 'idle=0s'], ['connection idle=169h', 'idle=169h'],
        ['cookie idle=1m idle=2m', 'idle=2m'], ['connection off', 'off']),
    ['a session idle for longer than it lasts', 'rms_session', qr/"idle" in "rms_session" is longer than "ttl"; write a shorter one/,
        server => 'rms_session cookie ttl=1h idle=61m;'],
    (map { [ "session of a connection behind $_", 'rms_session connection',
        qr/in location "\/" behind a proxy that sends the client's address in a header.*write "rms_session cookie;".*"real_ip_header proxy_protocol;"/,
        location => "rms_session connection; set_real_ip_from 127.0.0.0/8; real_ip_header $_;" ] } qw(X-Forwarded-For X-Real-IP X-Client)),
    ['session of a connection behind a proxy of the whole server', 'rms_session connection', qr/behind a proxy that sends.*write "rms_session cookie;"/,
        http => 'rms_session connection;', server => 'set_real_ip_from 127.0.0.1;'],
    ['cookies beside required bindings', 'rms_session cookie', qr/beside "rms_channel_binding require" in location "\/".*write "rms_session connection;"/,
        listen => 'ssl', server => "$tls rms_session cookie; rms_channel_binding require;"],
    ['a cookie that TLS alone may set, without TLS', 'name=__Host-rms', qr/"rms_session cookie name=__Host-rms" in location "\/" of a server without TLS: clients drop such a cookie; write/,
        server => 'rms_session cookie name=__Host-rms;'],

    # rms_channel_binding
    ['channel binding unknown', 'rms_channel_binding', qr/invalid value "on" in "rms_channel_binding"; write off or allow or require/, server => 'rms_channel_binding on;'],
    ['channel binding twice', 'rms_channel_binding', qr/is duplicate/, server => 'rms_channel_binding off; rms_channel_binding allow;'],
    ['channel binding without TLS', 'rms_channel_binding require', qr/in location "\/" of a server without TLS: nobody could log in; write "listen 443 ssl;".*or "rms_channel_binding off;"/,
        location => 'rms_channel_binding require;'],
    (map { [ "channel binding $_, a certificate by Ed25519", 'rms_channel_binding', qr/in location "\/": the signature of the server's certificate.*write a certificate that is signed with RSA or ECDSA/,
        listen => 'ssl', server => "$ed25519 rms_channel_binding $_;" ] } qw(allow require)),
    ['channel binding, a second certificate by Ed25519', 'rms_channel_binding', qr/the signature of the server's certificate.*write a certificate/,
        listen => 'ssl', server => "$tls $ed25519 rms_channel_binding allow;"],

    # rms_auth ntlm, rms_ntlm_user_file
    ['NTLM without a pool', 'rms_auth ... ntlm', qr/in location "\/" needs a thread pool of its own.*write "thread_pool rms_ntlm threads=16 max_queue=256;" and "rms_thread_pool krb5=NAME ntlm=rms_ntlm;"/,
        auth => 'rms_auth negotiate ntlm; rms_domain RMS=RMS.TEST;'],
    ['NTLM without a realm', 'rms_auth ... ntlm', qr/needs the realm of each domain; write "rms_domain CONTOSO=CONTOSO.COM;"/,
        @ntlm, auth => 'rms_auth negotiate ntlm;'],
    ['NTLM users missing', 'no.users', qr/No such file/, server => 'rms_ntlm_user_file /nonexistent/no.users;'],
    ['NTLM users readable by all', 'file.', qr/holds a secret but has mode 0644; run: chmod 0640/, server => 'rms_ntlm_user_file ' . file("RMS:a:b\n", 0644) . ';'],
    ['NTLM users twice', 'rms_ntlm_user_file', qr/is duplicate/,
        server => join ' ', map { "rms_ntlm_user_file $_;" } (file("RMS:a:b\n")) x 2],
    ['NTLM users without a name', 'rms_ntlm_user_file', $arity, server => 'rms_ntlm_user_file;'],

    # rms_auth cert
    (map { [ "certificates, the server verifies none: $_->[0]", 'rms_auth cert', qr/in location "\/", but its server verifies no certificates; write "ssl_verify_client optional;" and "ssl_client_certificate FILE;"/,
        listen => 'ssl', server => "$tls $_->[1]", auth => 'rms_auth ' . ($_->[2] || 'negotiate cert') . ';' ] }
        ['not set', ''], ['off', 'ssl_verify_client off;'], ['any certificate', "ssl_verify_client optional_no_ca; ssl_client_certificate $ca;"],
        ['alone', '', 'cert']),
    ['certificates without TLS', 'rms_auth cert', qr/but its server verifies no certificates; write/, auth => 'rms_auth cert;'],

    # rms_allow partner any
    ['partners where others log in', 'rms_allow partner any', qr/in \S+:\d+ is for anonymous partners, but location "\/" has other callers too; give partners a server or location of their own, with "rms_auth off;" and no other rule/,
        server => 'rms_allow partner any;'],
    ['partners where others log in, from a file', 'rms_allow partner any', qr/in \S+file\.\d+:2 is for anonymous partners, but location "\/" has other callers too; give/,
        location => 'rms_acl_file ' . file("fci account=FS01\$\@RMS.TEST\npartner any\n") . ';'],
    ['partners and a login', 'rms_allow partner any', qr/is for anonymous partners, but location "\/" asks for a login; give/, allow => 'rms_allow partner any;'],
    ['partners among others without a login', 'rms_allow partner any', qr/has other callers too; give/,
        auth => 'rms_auth off;', server => 'rms_allow partner any;'],

    # rms_acl_file
    ['list missing', '/nonexistent/x', qr/"rms_acl_file" "\/nonexistent\/x" is not there; write an empty file if nobody is to be listed/, server => 'rms_acl_file /nonexistent/x;'],
    ['list twice', 'rms_acl_file', qr/is duplicate; write all rules into one file/, server => join ' ', map { "rms_acl_file $_;" } (file('')) x 2],
    ['list without a name', 'rms_acl_file', $arity, server => 'rms_acl_file;'],
    ['list a folder', dir(), qr/"rms_acl_file" ".*" is not a regular file of 1 MiB at most/, server => 'rms_acl_file ' . dir() . ';'],
    ['list a pipe', 'fifo', qr/"rms_acl_file" ".*" is not a regular file/, server => "rms_acl_file $fifo;"],
    ['list too large', 'rms_acl_file', qr/is not a regular file of 1 MiB at most/, server => 'rms_acl_file ' . file("# x\n" x 262145) . ';'],
    (map { my ($what, $text, $line, $says) = @$_; [ "list with $what", 'rms_acl_file', qr/"rms_acl_file" \S+file\.\d+:$line: .*$says/, server => 'rms_acl_file ' . file($text) . ';' ] }
        ['a directive', "# a\nrms_allow fci any;\n", 2, 'role'], ['an unknown role', "fci sid=S-1-5-32-544\nadmins any\n", 2, 'unknown role.*admins'],
        ['a role alone', "fci\n", 1, 'rule'], ['a bad rule', "\n\nfci account=FS01\$\n", 3, 'write name\@REALM'],
        ['a semicolon', "fci any;\n", 1, 'no semicolon here'], ['quotes', qq(fci "account=FS01\$\@RMS.TEST"\n), 1, 'kind|quote'],
        ['a last line without an end', "fci account=FS01\$\@RMS.TEST", 1, 'end'], ['a bad pattern', "fci account=~(FS\n", 1, 'parenthes'],
        ['a line too long', 'fci' . ' account=FS01$@RMS.TEST' x 200 . "\n", 1, '4096'], ['no UTF-8', "fci account=\xff\@RMS.TEST\n", 1, 'UTF-8'],
        ['a control character', "fci account=a\x01\@RMS.TEST\n", 1, 'control|character'],
        ['two roles for one account', "fci account=FS01\$\@RMS.TEST\nuser account=FS01\$\@RMS.TEST\n", 2, 'role.*fci'],
        ['another role than rms_allow', "fci account=EXCH01\$\@RMS.TEST\n", 1, 'exchange.*nginx\.conf:\d+']),
    ['JSON API', 'rms_admin', qr/needs a login and an admin; write "rms_auth negotiate;" and "rms_allow admin account=NAME\@REALM;" into it/, locations => 'location /admin/ { rms_admin; }'],
    ['status with a value', 'rms_status', $arity, status => 'location /s { rms_status on; }'],
    ['status beside rms_pass', 'rms_status', qr/beside another content handler; give it a location/, location => 'rms_status;'],
    ['another handler behind the status', 'rms_status', qr/another content handler/, status => 'location /s { rms_status; proxy_pass http://127.0.0.1:9; }'],
    ['status in a server', 'rms_status', $here, server => 'rms_status;'],
    ['directive misspelt', 'rms_alow', qr/unknown directive/, server => 'rms_alow fci any;'],
);

if ($> == 0) {
    push @wrong,
        ['keytab the worker cannot read', 'file.', qr/cannot be read by user "\w+".*run: chgrp \w+ \S+ && chmod (?:0?640|g\+r) \S+/,
            keytab => 'rms_keytab ' . do { my $f = file(slurp($keytab), 0600); chown 0, 0, $f; $f } . ';'],
        ['list the worker cannot read', 'file.', qr/cannot be read by user "\w+".*run: chgrp/,
            server => 'rms_acl_file ' . do { my $f = file("fci any\n", 0600); chown 0, 0, $f; $f } . ';'],
        ['NTLM users the worker cannot read', 'file.', qr/cannot be read by user "\w+".*run: chgrp/,
            server => 'rms_ntlm_user_file ' . do { my $f = file("RMS:a:b\n", 0600); chown 0, 0, $f; $f } . ';'],
        ['identity file the worker cannot read', 'file.', qr/cannot be read by user "\w+".*run: chgrp/,
            azure => 'identity file=' . do { my $f = file("Bearer x\n", 0600); chown 0, 0, $f; $f } . ';'];
}

my ($status, $said) = nginx_t(text());
is($status, 0, 'the configuration all of these are made from is good') or BAIL_OUT($said);
like($said, qr/test is successful/, 'and nginx says so');

for my $case (@wrong) {
    my ($what, $names, $message, %part) = @$case;
    my $prefix = RMS::Nginx::prepare(text(%part));
    my ($rc, $text) = run(['timeout', '-k', '1', '10', @{ RMS::Nginx::command($prefix, 'warn', '-t') }],
        env => kdc()->env);
    my @emerg = $text =~ /^nginx: (\[emerg\] .*)$/mg;
    my $told = $emerg[0];
    my $good = $rc == 1 && @emerg == 1 && $told =~ $message && index($told, $names) >= 0;
    ok($good, $what) or diag "exit $rc, wanted $message naming $names:\n$text";
}
cmp_ok(scalar @wrong, '>=', 50, scalar(@wrong) . ' wrong configurations');

done_testing();
