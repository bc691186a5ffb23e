package RMS::Rules;

# Files of rules (rms_acl_file) that change while nginx runs, and locations that
# tell which role they give to whom.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use RMS::Env;
use RMS::Nginx;
use RMS::Samples;
use RMS::Standin;

our @EXPORT = qw(acl rules changed told list_file status role asks);

my ($made, $www) = (0);

# acl($name) - path of a file of rules.
sub acl { return dir() . "/$_[0].acl" }

# rules($name, @lines) - replaces a file of rules as an operator does.
sub rules {
    my ($name, @lines) = @_;
    my $next = spew(dir() . '/next.' . ++$made, join '', map {"$_\n"} @lines);
    share_with_worker($next);
    rename $next, acl($name) or croak acl($name) . ": $!";
    return acl($name);
}

# told($pattern) - how often the error log holds it.
sub told {
    my ($pattern) = @_;
    my $n = () = nginx()->error_log =~ /$pattern/g;
    return $n;
}

# changed($name, @lines) - rules(), and waits until event 1004 tells of it.
sub changed {
    my ($name, @lines) = @_;
    my $event = qr/event=1004 list changed: file="\Q@{[acl($name)]}\E"/;
    my $before = told($event);
    rules($name, @lines);
    return eval { wait_for(sub { told($event) > $before }, "$name changed", 8) };
}

# status() - what rms_status says.    list_file($name) - of a file of rules.
sub status { return $RMS::Standin::JSON->decode(http(path => '/rms/status')->body) }

sub list_file {
    my ($name) = @_;
    my ($row) = grep { $_->{file} eq acl($name) } @{ status()->{list_files} };
    return $row;
}

# asks() - what a location of role() holds beside its rules.
sub asks {
    if (!$www) {
        $www = dir() . '/www';
        mkdir $www;
        chmod 0755, $www;
        spew("$www/x", "inside\n");
        chmod 0644, "$www/x";
    }
    return "alias $www/; add_header X-Role \$rms_role always; rms_auth negotiate;";
}

# role($path, $account) - "200 exchange", "403 none".
sub role {
    my ($path, $account, %o) = @_;
    my $r = http(path => "$path/x", account => $account, %o);
    return $r->status . ' ' . ($r->header('x-role') || '');
}

1;
