#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels: 6.12 6.1
#
# What doctor says of a kernel is what that kernel is known to have.
set -u
"$MEMSCOPE" doctor --csv | sort -u >"$TMPDIR/commands" || exit 1
"$MEMSCOPE" doctor --pretty >"$TMPDIR/json" || exit 1
state() { perl -MJSON::PP -0777 -ne '
    my %f = map { $_->{feature} => $_->{state} } @{ decode_json($_)->{features} }; print $f{"'"$1"'"}' "$TMPDIR/json"; }
bad=0
want() {
    local got
    got=$(state "$1")
    [ "$got" = "$2" ] || { echo "$1: wanted '$2', got '$got'"; bad=1; }
}
for f in bpf btf tp_fault tp_sched tp_vmscan ringbuf fentry kprobe perf_sw tracefs psi uffd zram cgroup_mem; do want $f ok; done
want tp_reclaim "not in this kernel"
want zram_recomp "not in this kernel"
case $LAB_SERIES in
6.12) for f in uffd_move damon damon_vaddr; do want $f ok; done ;;
6.1) for f in uffd_move damon damon_vaddr; do want $f "not in this kernel"; done ;;
esac
grep -q '^trace swap,reduced,' "$TMPDIR/commands" || { echo "trace swap is not told to be reduced"; bad=1; }
grep -q '^trace fault,ok,' "$TMPDIR/commands" || { echo "trace fault is not ok"; bad=1; }
exit $bad
