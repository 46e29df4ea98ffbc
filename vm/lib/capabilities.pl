#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Reads what `memscope --introspect` prints and writes the full name of each runnable command, one per line
# ("trace fault"). Fails on what is not JSON.
use strict;
use warnings;
use JSON::PP;

local $/;
my $root = decode_json(<STDIN>);
for my $c (@{ $root->{commands} // [] }) {
    next if $c->{group} || !defined $c->{path};
    print $c->{path} =~ s/^memscope //r, "\n";
}
