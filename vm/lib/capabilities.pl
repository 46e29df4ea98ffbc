#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Reads what `memscope --introspect` prints and writes the full name of each runnable command, one per line
# ("trace fault"). A command is an object with a "name"; its own commands are in an array "commands" (or
# "subcommands"). perl-base has no JSON module, so the little that is needed of JSON is parsed here.
use strict;
use warnings;

local $/;
my $text = <STDIN>;

sub bad { die "not JSON near byte " . (pos($text) // 0) . "\n" }

sub value {
    $text =~ /\G\s+/gc;
    if ($text =~ /\G\{/gc) {
        my %o;
        return \%o if $text =~ /\G\s*\}/gc;
        while (1) {
            my $k = value();
            bad() if ref $k || $text !~ /\G\s*:/gc;
            $o{$k} = value();
            next if $text =~ /\G\s*,/gc;
            last if $text =~ /\G\s*\}/gc;
            bad();
        }
        return \%o;
    }
    if ($text =~ /\G\[/gc) {
        my @a;
        return \@a if $text =~ /\G\s*\]/gc;
        while (1) {
            push @a, value();
            next if $text =~ /\G\s*,/gc;
            last if $text =~ /\G\s*\]/gc;
            bad();
        }
        return \@a;
    }
    return $1 if $text =~ /\G"((?:[^"\\]|\\.)*)"/gcs;
    return $1 if $text =~ /\G(-?[0-9][-+.0-9eE]*|true|false|null)/gc;
    bad();
}

sub walk {
    my ($node, $path) = @_;
    my $subs = $node->{commands} // $node->{subcommands};
    if (ref $subs eq 'ARRAY' && @$subs) {
        for my $c (@$subs) {
            next if ref $c ne 'HASH' || !defined $c->{name};
            walk($c, length $path ? "$path $c->{name}" : $c->{name});
        }
    }
    elsif (length $path) { print "$path\n" }
}

my $root = value();
$text =~ /\G\s*\z/gc or bad();
bad() if ref $root ne 'HASH';
walk($root, '');
