#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels: 6.12 6.1
# timeout: 60
#
# Swap on zram with zstd takes pages from a group that meets its memory limit, and gives them back intact.
set -u
pages() { awk -v k="$1" '$1 == k { print $2 }' /proc/vmstat; }

echo 1 >/sys/block/zram0/reset
echo zstd >/sys/block/zram0/comp_algorithm || { echo "no zstd"; exit 1; }
echo 256M >/sys/block/zram0/disksize || exit 1
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 || exit 1
group=/sys/fs/cgroup/zram-swap
mkdir $group && echo 24M >$group/memory.max || exit 1
out=$(pages pswpout) in=$(pages pswpin)
# 48 MiB of pages that all differ, summed up twice; the first half has been swapped out by then.
# shellcheck disable=SC2016 # perl's variables
sh -c 'echo $$ >"$1/cgroup.procs"; exec perl -e '\''
    my $page = substr join("", map { sprintf "%06d memscope\n", $_ } 0 .. 300), 0, 4088;
    my @m = map { my $mb = $_; join "", map { pack("NN", $mb, $_) . $page } 0 .. 255 } 0 .. 47;
    for my $round (1, 2) { my $s = 0; $s = ($s * 31 + unpack("%32N*", $_)) % 1000003 for @m; print "$s\n" }'\''' \
    sh $group >"$TMPDIR/sums" || { echo "the filler failed"; exit 1; }
out=$(($(pages pswpout) - out)) in=$(($(pages pswpin) - in))
echo "swapped out $out pages, in $in; mm_stat $(cat /sys/block/zram0/mm_stat)"
bad=0
((out > 4096 && in > 4096)) || bad=1
[[ $(sort -u "$TMPDIR/sums" | wc -l) == 1 && $(wc -l <"$TMPDIR/sums") == 2 ]] || { echo "sums differ"; bad=1; }
swapoff /dev/zram0
echo 1 >/sys/block/zram0/reset
rmdir $group
exit $bad
