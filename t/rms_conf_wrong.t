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
        legacy_pass => 'pass @adrms;', legacy => '', backends => '',
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
        listen $listen;
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
my $redis = sub { (http => "rms_redis { $_[0] }") };
my $later = qr/comes in a later version/;
my $here = qr/directive is not allowed here/;
my $arity = qr/invalid number of arguments in "/;

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
    ['thread pool for NTLM', 'rms_thread_pool', qr/"ntlm=x".*NTLM comes in a later version; leave it out/,
        pool => 'rms_thread_pool krb5=rms_krb5 ntlm=x;'],
    ['thread pool without a name', 'rms_thread_pool', qr/"krb5=".*write "rms_thread_pool krb5=NAME;"/, pool => 'rms_thread_pool krb5=;'],
    ['thread pool of another kind', 'rms_thread_pool', qr/"ldap=x".*write "rms_thread_pool krb5=NAME;"/, pool => 'rms_thread_pool ldap=x;'],
    ['thread pool twice', 'rms_thread_pool', qr/is duplicate/, http => 'rms_thread_pool krb5=rms_krb5;'],
    ['two pools for one purpose', 'rms_thread_pool', qr/"krb5=other".*(?:twice|duplicate)/,
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
    ['redis twice', 'rms_redis', qr/is duplicate/, http => 'rms_redis { server r:6379; } rms_redis { server s:6379; }'],
    ['redis in a server', 'rms_redis', $here, server => 'rms_redis { server r:6379; }'],
    ['seal keys readable by all', 'file.', qr/holds a secret but has mode 0644; run: chmod 0640/,
        http => 'rms_seal_key_file ' . file("0" x 64 . "\n", 0644) . ';'],
    ['seal keys missing', 'seal.keys', qr/No such file/, http => 'rms_seal_key_file /nonexistent/seal.keys;'],
    ['seal key of the wrong length', 'rms_seal_key_file', qr/64 hex digits/, http => 'rms_seal_key_file ' . file("0123\n") . ';'],
    ['seal keys without a key', 'rms_seal_key_file', qr/64 hex digits/, http => 'rms_seal_key_file ' . file("# none\n") . ';'],

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
    ['auth unknown', 'rms_auth', qr/unknown value "basic".*write "rms_auth negotiate;" or "rms_auth off;"/, auth => 'rms_auth basic;'],
    (map { [ "auth $_", "rms_auth $_", qr/$later; write "rms_auth negotiate;"/, auth => "rms_auth negotiate $_;" ] } qw(ntlm cert bearer)),
    ['auth off and more', 'rms_auth', qr/"off"/, auth => 'rms_auth negotiate off;'],
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
    ['certificate', 'cert=', qr/client certificates come in a later version; write account=/, server => 'rms_allow fci cert=' . 'ab' x 32 . ';'],
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
    ['replay shared', 'rms_replay shared', qr/$later; write "rms_replay local;"/, server => 'rms_replay shared;'],
    ['replay unknown', 'rms_replay', qr/"on".*write "rms_replay local;" or "rms_replay off;"/, server => 'rms_replay on;'],
    ['replay twice', 'rms_replay', qr/is duplicate/, server => 'rms_replay off; rms_replay local;'],
    ['public URL with a path', 'rms_public_url', qr/"https:\/\/x\/y".*write scheme and host without a path/, server => 'rms_public_url https://x/y;'],
    ['public URL without a scheme', 'rms_public_url', qr/"x".*write scheme and host/, server => 'rms_public_url x;'],
    ['public URL with a query', 'rms_public_url', qr/write scheme and host/, server => 'rms_public_url https://x?y;'],
    ['public URL with a user', 'rms_public_url', qr/write scheme and host/, server => 'rms_public_url https://u:p@x;'],
    ['public URL twice', 'rms_public_url', qr/is duplicate/, server => 'rms_public_url https://x; rms_public_url https://y;'],
    ['session cookie', 'rms_session cookie', qr/$later; write "rms_session off;"/, server => 'rms_session cookie name=x;'],
    ['session connection', 'rms_session connection', qr/$later; write "rms_session off;"/, server => 'rms_session connection;'],
    ['channel binding require', 'rms_channel_binding require', qr/$later; write "rms_channel_binding off;"/, server => 'rms_channel_binding require;'],
    ['list from a file', 'rms_acl_file', qr/$later; leave it out and write its lines as "rms_allow"/, server => 'rms_acl_file /etc/x;'],
    ['JSON API', 'rms_admin', qr/$later; leave it out/, locations => 'location /admin/ { rms_admin; }'],
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
