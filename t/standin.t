#!/usr/bin/perl
# The stand-in is strict: one changed byte of a licence, another spelling of a
# path, a header too many is refused.  Its own checks, as a test of the suite.

use strict;
use warnings;

use FindBin;
use Test::More;

my @said = `/usr/bin/python3 $FindBin::Bin/standin/selftest.py 2>&1`;

is($?, 0, 'the stand-in passes its own checks') or diag(@said);
cmp_ok(scalar(grep {/^ok\b/} @said), '>', 80, 'and there are many of them') or diag(@said);

done_testing();
