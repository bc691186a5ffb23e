#!/usr/bin/perl
# Every member of the configuration structs has its value: of loc_conf in
# create (or in its list of what ngx_pcalloc() sets) and in merge, of main_conf
# in create and, where it is made UNSET, in init.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;

my $file = 'ngx_rms_module/ngx_http_rms_conf.c';
my $header = 'ngx_rms_module/ngx_http_rms_module.h';

# loc_conf members that are not inherited, and what sets them instead
my %own = (
    pass      => 'of this location alone; merge_nameless() hands it to "if"',
    policies  => 'made from pass by the directive; merge_nameless()',
    acceptor  => 'made from keytab in merge_auth()',
    ntlm      => 'made from the domains in merge_auth()',
    scope     => 'made from keytab, domains and users in merge_auth()',
    list      => 'made from allow and acl_file in merge_loc_conf()',
    status    => 'of this location alone; merge_nameless() hands it to "if"',
    admin     => 'of this location alone; merge_nameless() hands it to "if"',
    health    => 'of this location alone; its handler asks nothing of an "if"',
    handover  => 'set by ngx_http_rms_check()',
    pass_file => 'where pass stands; merge_nameless()',
    pass_line => 'where pass stands; merge_nameless()',
);

my $h = slurp($header);
my %body = map { $_->[0] => $_ } map { bodies(slurp($_)) } $file, 'ngx_rms_module/ngx_http_rms_session.c';

# members($struct) - [name, line] of each
sub members {
    my ($struct) = @_;
    (my $tag = $struct) =~ s/_t$/_s/;
    $h =~ /^typedef struct \{\n((?:(?!^\}).*\n)*)^\} \Q$struct\E;/m
        or $h =~ /^struct \Q$tag\E \{\n((?:(?!^\}).*\n)*)^\};/m
        or do { wrong($header, "no struct $struct"); return };
    my ($inside, $first) = (plain($1), line_of($h, $-[1]));
    my @found;
    for my $line (split /\n/, $inside) {
        push @found, [$1, $first] if $line =~ /(\w+)(?:\[\w+\])?\s*;/;
        $first++;
    }
    return @found;
}

sub text {
    my ($name) = @_;
    wrong($file, "no function $name()") if !$body{$name};
    return $body{$name} ? $body{$name}[3] : '';
}

my $create = text('ngx_http_rms_create_loc_conf');
my $merge = join "\n", map { text("ngx_http_rms_$_") } qw(merge_loc_conf merge_auth merge_nameless);

# of one directive with many values, which are inherited together
my $together = text('ngx_http_rms_session_merge');
my @loc = members('ngx_http_rms_loc_conf_t');

for my $m (@loc) {
    my ($name, $line) = @$m;
    my ($unset) = $create =~ /^    conf->$name = (\w+);/m;

    wrong("$header:$line", "$name is not set in ngx_http_rms_create_loc_conf()")
        if !$unset && $create !~ /^     \*     conf->$name = /m;

    if ($own{$name}) {
        wrong("$header:$line", "$name is UNSET, but not merged") if $unset;

    } elsif ($together =~ /^        conf->$name = prev->$name;/m) {
        wrong("$header:$line", "$name has no default in ngx_http_rms_session_merge()")
            if $together !~ /conf->$name(?:\.data)? == (?:NGX_CONF_UNSET\w*|NULL)\) \{\n(?! +conf->$name = prev->)/;

    } elsif ($merge !~ /\bngx_conf_merge_\w+\(conf->$name,\s*prev->$name,/) {
        wrong("$header:$line", "$name is not merged in ngx_http_rms_merge_loc_conf()");

    } elsif (!$unset && $merge !~ /\bngx_conf_merge_str_value\(conf->$name,/) {
        wrong("$header:$line", "$name is merged, but not made UNSET in create");
    }
}

for my $name (sort keys %own) {
    wrong("$FindBin::Script", "$name is no member of loc_conf") if !grep { $_->[0] eq $name } @loc;
}

$create = text('ngx_http_rms_create_main_conf');
my $init = text('ngx_http_rms_init_main_conf');
my @main = members('ngx_http_rms_main_conf_t');

for my $m (@main) {
    my ($name, $line) = @$m;
    my ($unset) = $create =~ /^    rmcf->$name = NGX_CONF_UNSET\w*;/m;

    wrong("$header:$line", "$name is not set in ngx_http_rms_create_main_conf()")
        if !$unset && $create !~ /^     \*     rmcf->$name = |ngx_array_init\(&rmcf->$name,|^    rmcf->$name = /m;
    wrong("$header:$line", "$name is UNSET, but not set in ngx_http_rms_init_main_conf()")
        if $unset && $init !~ /\bngx_conf_init_\w+\(rmcf->$name,/;
}

finish(@loc . ' members of loc_conf, ' . @main . ' of main_conf');
