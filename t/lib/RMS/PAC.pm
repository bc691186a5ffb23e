package RMS::PAC;

# The logon information of a PAC, KERB_VALIDATION_INFO of [MS-PAC] 2.5, as NDR:
# made for tickets that no domain controller would make, and read by Samba.

use strict;
use warnings;

use Carp qw(croak);
use Encode qw(encode);
use Exporter qw(import);
use JSON::PP;

use RMS::Env;

our @EXPORT = qw(logon_info packed_sid read_logon_info);

my $NEVER = "\xff" x 7 . "\x7f";

sub padded { my ($bytes) = @_; return $bytes . "\0" x (-length($bytes) & 3) }

# packed_sid($text) - a SID, [MS-DTYP] 2.4.2.2.
sub packed_sid {
    my (undef, $revision, $authority, @parts) = split /-/, shift;
    return pack 'CC nN V*', $revision, scalar @parts, 0, $authority, @parts;
}

sub sid {
    my ($bytes) = packed_sid(@_);
    return pack('V', unpack 'x C', $bytes) . $bytes;
}

# What a pointer points to comes after the structure, in the order of pointers.
sub pointer {
    my ($s, $bytes) = @_;
    return "\0" x 4 unless defined $bytes;
    $s->{after} .= $bytes;
    return pack 'V', $s->{referent} += 4;
}

sub string {
    my ($s, $text) = @_;
    my $bytes = encode('UTF-16LE', $text);
    my $n = length $bytes;
    return pack('vv', $n, $n) . pointer($s, padded(pack('VVV', $n / 2, 0, $n / 2) . $bytes));
}

# rids($s, $attributes, @rids) - a counted list of memberships, or of none.
sub rids {
    my ($s, $attributes, @rids) = @_;
    my $list = pack 'V', scalar @rids;
    $list .= pack 'VV', $_, $attributes for @rids;
    return pointer($s, @rids ? $list : undef);
}

# sids($s, @sids) - the pointers of a list come first, then all it points to.
sub sids {
    my ($s, @sids) = @_;
    return "\0" x 4 unless @sids;
    my $list = pack 'V', scalar @sids;
    my $own = pack 'V', $s->{referent} += 4;
    $list .= pack 'VV', $s->{referent} += 4, 7 for @sids;
    $s->{after} .= $list . join '', map { sid($_) } @sids;
    return $own;
}

# logon_info(account => 'EXCH01$', domain => 'RMS', domain_sid => 'S-1-5-21-...',
# rid => 1111, primary => 515, groups => [rid, ...], extra => [sid, ...],
# resource_sid => sid of a domain, resources => [rid, ...]) - the bytes.
sub logon_info {
    my (%o) = @_;
    my @groups = @{ $o{groups} || [] };
    my @extra = @{ $o{extra} || [] };
    my @resources = @{ $o{resources} || [] };
    my $s = { referent => 0x20000, after => '' };
    my $flags = 0x20 | (@resources ? 0x200 : 0);    # extra SIDs, resource groups
    my $b = "\0" x 8 . $NEVER x 2 . "\0" x 16 . $NEVER;
    $b .= string($s, $o{account} || 'EXCH01$');
    $b .= string($s, '') for 1 .. 5;
    $b .= pack 'vv VVV', 0, 0, $o{rid} || 1111, $o{primary} || 515, scalar @groups;
    $b .= rids($s, 7, @groups) . pack('V', $flags) . "\0" x 16;
    $b .= string($s, 'DC1') . string($s, $o{domain} || 'RMS');
    $b .= pointer($s, sid($o{domain_sid}));
    $b .= "\0" x 8 . pack('VV', 0x210, 0) . "\0" x 24;
    $b .= pack('V', scalar @extra) . sids($s, @extra);
    $b .= pointer($s, @resources ? sid($o{resource_sid} || $o{domain_sid}) : undef);
    $b .= pack('V', scalar @resources) . rids($s, 0x20000007, @resources);
    my $body = pack('V', 0x20000) . $b . $s->{after};
    $body .= "\0" x (-length($body) & 7);
    return pack('CCvV', 1, 0x10, 8, 0xcccccccc) . pack('VV', length $body, 0) . $body;
}

# read_logon_info($bytes) - {account} {domain} {user} {sids}, see t/realm/pac.py.
sub read_logon_info {
    my ($bytes) = @_;
    my ($status, $text) = run(['/usr/bin/python3', '-B', root() . '/t/realm/pac.py'], in => $bytes);
    croak "pac.py: $text" if $status;
    return JSON::PP->new->decode($text);
}

1;
