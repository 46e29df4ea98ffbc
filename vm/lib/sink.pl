#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The host's end of a guest's output.
#
#   sink.pl stream MARK      copy stdin to stdout until MARK or end of file; MARK is not copied
#   sink.pl log FILE BYTES   copy stdin to FILE; beyond BYTES/2 the older half moves to FILE.1
#
# The mark exists because a virtio-serial port has no end of file that is ordered after its data: without
# it the last bytes of a slow reader would be lost when QEMU stops.
use Errno;
use strict;
use warnings;

sub put {
    my ($fh, $data) = @_;
    while (length $data) {
        my $n = syswrite $fh, $data;
        if (!defined $n) {
            next if $!{EINTR};
            print STDERR "lab: cannot write the guest's output: $!\n";
            exit 1;
        }
        substr $data, 0, $n, '';
    }
}

sub stream {
    my ($mark) = @_;
    my ($held, $chunk) = ('', '');
    while (1) {
        my $n = sysread STDIN, $chunk, 65536;
        next if !defined $n && $!{EINTR};
        if (!$n) {
            put(\*STDOUT, $held);
            return;
        }
        $held .= $chunk;
        my $at = index $held, $mark;
        if ($at >= 0) {
            put(\*STDOUT, substr $held, 0, $at);
            return;
        }
        # Keep back only what may be the beginning of the mark.
        my $keep = length $mark;
        $keep = length $held if $keep > length $held;
        $keep-- while $keep && substr($held, -$keep) ne substr($mark, 0, $keep);
        put(\*STDOUT, substr $held, 0, length($held) - $keep);
        $held = $keep ? substr $held, -$keep : '';
    }
}

sub logfile {
    my ($file, $bytes) = @_;
    my ($size, $chunk, $out) = (0, '', undef);
    open $out, '>', $file or die "lab: cannot write $file: $!\n";
    while (1) {
        my $n = sysread STDIN, $chunk, 65536;
        next if !defined $n && $!{EINTR};
        last if !$n;
        if ($size + $n > $bytes / 2) {
            close $out;
            rename $file, "$file.1";
            open $out, '>', $file or die "lab: cannot write $file: $!\n";
            $size = 0;
        }
        # A full disk must not stop the guest: what cannot be kept of its console is dropped.
        my $w = syswrite $out, $chunk;
        $size += $w if defined $w;
    }
}

my $mode = shift @ARGV // '';
if ($mode eq 'stream') { stream(@ARGV) }
elsif ($mode eq 'log') { logfile(@ARGV) }
else { die "usage: sink.pl stream MARK | log FILE BYTES\n" }
