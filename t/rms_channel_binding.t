# D14: a login counts only over the TLS connection it was made for.  Off, allow
# and require, for Kerberos and NTLM, with clients that bind, that do not, that
# bind to something else; and always with the certificate the client saw.

use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256 sha384);
use MIME::Base64 qw(decode_base64);
use RMS::Test;
use RMS::NTLM;
use RMS::TLS;

my @MODES = qw(off allow require);
my ($PLAIN, $STRONG, $DUAL) = qw(rmsconnector.rms.test strong.rms.test dual.rms.test);
my $BOTH = 'negotiate ntlm';
my $next = 0;

# each from an address of its own: failures of one would make its answers wait
sub from { return '127.201.' . int(++$next / 250) . '.' . (1 + $next % 250) }

sub openssl {
    my ($status, $text) = run(['openssl', @_]);
    die "openssl @_: $text" if $status;
    return $text;
}

# a certificate that signs itself
sub own_cert {
    my ($name, $key, $hash) = @_;
    my %c = map { $_ => dir() . "/$name.$hash.$_" } qw(cert key);
    my @ec = $key eq 'ec' ? qw(-pkeyopt ec_paramgen_curve:P-256) : ();
    openssl(qw(req -x509 -nodes -days 30 -newkey), $key, @ec, "-$hash", '-subj', "/CN=$name",
        '-keyout', $c{key}, '-out', $c{cert});
    return \%c;
}

sub der {
    my ($text) = @_;
    return decode_base64(($text =~ /-BEGIN CERTIFICATE-+\n(.*?)-/s)[0]);
}

# the binding to a certificate, by the hash of its own signature
sub bound_to {
    my ($text) = @_;
    my $strong = openssl(qw(x509 -noout -text -in), spew(dir() . '/seen.pem', $text))
        =~ /Signature Algorithm: \S*sha384/i;
    return 'tls-server-end-point:' . ($strong ? sha384(der($text)) : sha256(der($text)));
}

# connect_tls($port, %o) - tls(), from an address of its own
sub connect_tls { my ($port, %o) = @_; return tls($port, name => $PLAIN, from => from(), %o) }

# login($client, $mech, $path, %o) - the status of a login
sub login {
    my ($c, $mech, $path, %o) = @_;
    my %request = (path => $path, host => $c->{name} || $PLAIN);
    return $mech eq 'Kerberos'
        ? http(client => $c, %request, authorization => gss(%o)->header)->status
        : ntlm_request($c, ntlm($mech =~ /SPNEGO/ ? (spnego => ['ntlm']) : (), %o), %request)->status;
}

sub finished {
    my ($name) = @_;
    unlike(nginx()->error_log, qr/\[(?:alert|emerg|crit)\]/, "$name: nothing alarming in the log");
    is_deeply([no_secrets()], [], "$name: no secrets");
}

my %modes = map { $_ => "rms_channel_binding $_;\n" } @MODES;
my $locations = join '', map {"location = /$_ { rms_auth $BOTH; $modes{$_} rms_session connection; rms_status; }\n"} @MODES;
my $users = 'rms_ntlm_user_file ' . ntlm_user_file(['RMS', 'EXCH01$', 'EXCH01$-pass']) . ";\n";
my $rules = "rms_allow exchange account=EXCH01\$\@RMS.TEST;\nrms_domain RMS=RMS.TEST;\n"
    . 'rms_keytab ' . kdc()->keytab . ";\n$users";
my %cert = (rsa => own_cert($STRONG, 'rsa', 'sha384'), ec => own_cert($DUAL, 'ec', 'sha256'));

# server($port, $name, [keys of %cert | files], $more)
sub server {
    my ($port, $name, $certs, $more) = @_;
    my $text = "server { listen ${\addr()}:$port ssl; server_name $name; $rules";
    for my $c (@$certs) {
        my $files = $cert{$c} || { cert => "$c.cert", key => "$c.key" };
        $text .= "ssl_certificate $files->{cert}; ssl_certificate_key $files->{key};\n";
    }
    return $text . ($more || '') . "add_header X-Reused \$ssl_session_reused always;\n$locations}\n";
}

# the certificate that is loaded when the name is known, by workers
my $sni = "map \$ssl_server_name \$sni { default ${\dir()}/$DUAL.sha256; $STRONG ${\dir()}/$STRONG.sha384; }\n";
share_with_worker(map { $_->{key} } values %cert);

my $cache = "ssl_session_tickets off; ssl_session_cache";
my ($port, $http, $cached, $variable, $variable_cached, $builtin) = map { free_port() } 1 .. 6;
standin(azure => {});
nginx(ssl => 1, http2 => 1, port => $port, auth => $BOTH, locations => $locations,
    allow => ['exchange account=EXCH01$@RMS.TEST'], domain => 'RMS=RMS.TEST', http => "ssl_protocols TLSv1.2 TLSv1.3;\n$sni",
    server => "listen ${\addr()}:$http;\nadd_header X-Reused \$ssl_session_reused always;\n" . $users,
    more_servers => server($port, $STRONG, ['rsa']) . server($port, $DUAL, [qw(rsa ec)])
        . server($cached, $DUAL, [qw(rsa ec)], "$cache shared:s:1m;\n") . server($builtin, $DUAL, [qw(rsa ec)], "$cache builtin;\n")
        . server($variable, "$STRONG $DUAL", ['$sni']) . server($variable_cached, "$STRONG $DUAL", ['$sni'], "$cache shared:v:1m;\n"));

# every mode, every client
my $c = connect_tls($port);
my $ours = bound_to(seen($c));
is($ours, endpoint_binding(cert($PLAIN)->{cert}), 'the certificate of the first server');
my %client = (bound => [binding => $ours], unbound => [], 'wrongly bound' => [binding => "$ours!"],
    'bound to nothing' => [binding => '']);
my %admitted = (off => [keys %client], allow => ['bound', 'unbound', 'bound to nothing'], require => ['bound']);
for my $mech ('Kerberos', 'NTLM', 'NTLM in SPNEGO') {
    for my $mode (@MODES) {
        my %in = map { $_ => 1 } @{ $admitted{$mode} };
        for my $who (sort keys %client) {
            next if $mech eq 'Kerberos' && $who eq 'bound to nothing';
            is(login(connect_tls($port), $mech, "/$mode", @{ $client{$who} }), $in{$who} ? 200 : 401, "D14: $mode: $mech, $who");
        }
    }
}
my $said = nginx()->error_log;
is(scalar(() = $said =~ /the client sent no channel binding, and it is required/g), 1 + 2 + 2, 'the log says who sent none');
is(scalar(() = $said =~ /event=2000 no usable principal: .*channel binding/gi), 5 + 2 * 3, 'and who sent a wrong one');

# plain HTTP
for my $mech ('Kerberos', 'NTLM') {
    is(login(client(addr(), $http, from => from()), $mech, '/allow'), 200, "allow: $mech without TLS");
    is(login(client(addr(), $http, from => from()), $mech, '/allow', binding => $ours), 200, "allow: $mech without TLS, bound to our TLS");
    is(login(client(addr(), $http, from => from()), $mech, '/require', binding => $ours), 401, "require: $mech without TLS");
}
is(scalar(() = nginx()->error_log =~ /a channel binding is required, and this connection is not TLS/g), 2, 'the log says why');

# HTTP/2
for my $case ([200, binding => $ours], [401], [401, binding => "$ours!"]) {
    my ($status, @binding) = @$case;
    my $r = curl(nginx()->url('/require'), from => from(), args => ['--http2'],
        headers => ['Authorization: ' . gss(@binding)->header]);
    is($r->{version} . ' ' . $r->status, "HTTP/2 $status", 'HTTP/2: ' . (@binding ? $status == 200 ? 'bound' : 'wrongly bound' : 'unbound'));
}

# a session is as good as the login that it began with
for my $mech ('Kerberos', 'NTLM') {
    for my $case (['/allow', 'bound', 200], ['/allow', 'unbound', 401], ['/off', 'bound', 401]) {
        my ($path, $who, $status) = @$case;
        $c = connect_tls($port);
        is(login($c, $mech, $path, @{ $client{$who} }), 200, "$mech, $who: logs in at $path");
        is(http(client => $c, path => $path)->status, 200, 'and has a session');
        is(http(client => $c, path => '/require')->status, $status,
            'which is ' . ($status == 200 ? 'good' : 'no good') . ' where a binding is required');
        is(login($c, $mech, '/require', binding => $ours), 200, 'a bound login is') if $status == 401;
    }
}

# the certificate is the one that SNI selects, by the hash of its signature
$c = connect_tls($port, name => $STRONG);
my $strong = bound_to(seen($c));
is(length $strong, length('tls-server-end-point:') + 48, 'a certificate signed with SHA-384');
for my $mech ('Kerberos', 'NTLM') {
    is(login(connect_tls($port, name => $STRONG), $mech, '/require', binding => $strong), 200, "$mech: bound to the certificate of SNI");
    is(login(connect_tls($port, name => $STRONG), $mech, '/require', binding => $ours), 401, "$mech: bound to that of the first server");
    is(login(connect_tls($port), $mech, '/require', binding => $strong), 401, "$mech: and the other way round");
}

# two certificates for one name; a session of TLS that goes on has none
my %SIGNATURE = (rsa => 'RSA-PSS+SHA256:RSA+SHA384', ec => 'ECDSA+SHA256');
my %bound_to = map { $_ => bound_to(slurp($cert{$_}{cert})) } qw(rsa ec);
for my $version (qw(tls1_2 tls1_3)) {
    for my $keep (['a ticket', $port], ['the cache', $cached], ["OpenSSL's cache", $builtin]) {
        my ($kept, $at) = @$keep;
        for my $key (qw(rsa ec)) {
            my $other = $key eq 'rsa' ? 'ec' : 'rsa';
            my $name = "$version, $kept, $key";
            my %o = (name => $DUAL, args => ["-$version", '-sigalgs', $SIGNATURE{$key}], session => dir() . '/dual.' . ++$next);
            $c = connect_tls($at, %o);
            is(http(client => $c, path => '/require', host => $DUAL)->header('x-reused'), '.', "$name: a new session");
            is(der(seen($c)), der(slurp($cert{$key}{cert})), "$name: with the certificate we mean");
            is(login($c, 'Kerberos', '/require', binding => $bound_to{$key}), 200, "$name: bound");
            is(login(connect_tls($at, %o, session => undef), 'Kerberos', '/require', binding => $bound_to{$other}), 401,
                "$name: bound to the other certificate");
            for my $time (1, 2) {
                $c = connect_tls($at, %o);
                is(http(client => $c, path => '/require', host => $DUAL)->header('x-reused'), 'r', "$name: the session goes on, $time");
                is(login($c, 'Kerberos', '/require', binding => $bound_to{$key}), 200, "$name: bound");
                is(login(connect_tls($at, %o), 'Kerberos', '/require', binding => $bound_to{$other}), 401,
                    "$name: bound to the other certificate");
            }
            is(login(connect_tls($at, %o), 'NTLM', '/require', binding => $bound_to{$key}), 200, "$name: NTLM");
        }
    }
}

# a certificate whose file is found by the name the client sends
for my $version (qw(tls1_2 tls1_3)) {
    for my $keep (['a ticket', $variable], ['the cache', $variable_cached]) {
        my ($kept, $at) = @$keep;
        for my $case ([$STRONG, 'rsa', 'ec'], [$DUAL, 'ec', 'rsa']) {
            my ($sent, $key, $other) = @$case;
            my $name = "$version, $kept, $sent by a variable";
            my %o = (name => $sent, args => ["-$version"], session => dir() . '/variable.' . ++$next);
            $c = connect_tls($at, %o);
            is(http(client => $c, path => '/require', host => $sent)->header('x-reused'), '.', "$name: a new session");
            is(der(seen($c)), der(slurp($cert{$key}{cert})), "$name: with the certificate of that name");
            for my $time ('new', 'resumed') {
                $c = connect_tls($at, %o, $time eq 'new' ? (session => undef) : ());
                is(http(client => $c, path => '/require', host => $sent)->header('x-reused'), $time eq 'new' ? '.' : 'r', "$name: $time");
                is(login($c, 'Kerberos', '/require', binding => $bound_to{$key}), 200, "$name: bound, $time");
                for my $wrong (["bound to the other certificate, $time", binding => $bound_to{$other}], ["unbound, $time"]) {
                    my ($what, @binding) = @$wrong;
                    is(login(connect_tls($at, %o, $time eq 'new' ? (session => undef) : ()), 'Kerberos', '/require', @binding), 401,
                        "$name: $what");
                }
            }
        }
    }
}
finished('bindings');

# what cannot be
my $other = conf(ssl => 1, server => "rms_channel_binding require;\nrms_session cookie;\n");
my ($status, $text) = nginx_t($other);
ok($status, 'a cookie beside require is refused');
like($text, qr/"rms_session cookie" beside "rms_channel_binding require".*bound to no channel; write "rms_session connection;"/, 'and why');
($status, $text) = nginx_t(conf(server => "rms_channel_binding require;\n"));
ok($status, 'require without TLS is refused');
like($text, qr/"rms_channel_binding require" in location .* server without TLS/, 'and why');
my $ed = own_cert('ed.rms.test', 'ed25519', 'sha256');
for my $mode (@MODES) {
    ($status, $text) = nginx_t(conf(ssl => 1, server => "rms_channel_binding $mode;\n") =~
        s/ssl_certificate \S+;\nssl_certificate_key \S+;/ssl_certificate $ed->{cert};\nssl_certificate_key $ed->{key};/r);
    is($status ? 1 : 0, $mode eq 'off' ? 0 : 1, "$mode: a certificate that is signed with Ed25519");
}
like($text, qr/Ed25519, Ed448.*write a certificate that is signed with RSA or ECDSA/, 'and why');

done_testing();
