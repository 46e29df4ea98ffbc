#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels: 6.12
# timeout: 60
#
# DAMON sees the accesses of a busy process, and goes on seeing them. Under emulation the lab boots with
# pti=on for this: without it the counts of most pages were seen to fall to 0 after some seconds.
set -u
root=/sys/kernel/mm/damon/admin/kdamonds
[[ ${MEMSCOPE_LAB:-} == 1 && $(cat $root/nr_kdamonds) == 0 ]] || { echo "kdamonds are in use"; exit 1; }
# shellcheck disable=SC2016 # perl's variables
perl -e 'my $m = "x" x (8 << 20); while (1) { for (my $i = 0; $i < length $m; $i += 4096) { substr($m, $i, 1) = "y" } }' &
busy=$!
end() { kill $busy; echo off >$root/0/state; echo 0 >$root/nr_kdamonds; } 2>/dev/null
trap end EXIT
sleep 1
echo 1 >$root/nr_kdamonds && echo 1 >$root/0/contexts/nr_contexts || exit 1
c=$root/0/contexts/0
echo vaddr >$c/operations
echo 5000 >$c/monitoring_attrs/intervals/sample_us
echo 100000 >$c/monitoring_attrs/intervals/aggr_us
echo 1 >$c/targets/nr_targets
echo $busy >$c/targets/0/pid_target
echo 1 >$c/schemes/nr_schemes
s=$c/schemes/0
echo stat >$s/action
for what in sz nr_accesses age; do echo 18446744073709551615 >$s/access_pattern/$what/max 2>/dev/null || echo 4294967295 >$s/access_pattern/$what/max; done
echo on >$root/0/state || exit 1
sleep 6
good=0
for _ in 1 2 3 4 5; do
    ((good < 3)) || break
    echo update_schemes_tried_regions >$root/0/state || exit 1
    hot=0
    for r in "$s"/tried_regions/[0-9]*; do
        [[ -d $r ]] || continue
        (($(cat "$r/nr_accesses") > 0)) && hot=$((hot + $(cat "$r/end") - $(cat "$r/start")))
    done
    echo "bytes with accesses: $hot"
    ((hot >= 6 << 20)) && good=$((good + 1))
    sleep 0.5
done
((good >= 3))
