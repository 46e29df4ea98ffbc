#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels: 6.12 6.1
# timeout: 120
#
# The traces on a stock kernel: fentry and kprobes for the end of a fault, swap-ins told from new pages.
set -u
bad=0
fail() {
    echo "$*"
    bad=1
}
O=$(dirname "$MEMSCOPE")

"$MEMSCOPE" trace life --csv -- sh -c '/bin/true; exit 3' >"$TMPDIR/life" 2>"$TMPDIR/err"
[ $? = 3 ] || fail "life: $(cat "$TMPDIR/err")"
[ "$(grep -c '^exec' "$TMPDIR/life")" = 2 ] || fail "life: $(cat "$TMPDIR/life")"

for means in fentry kprobe perf; do
    "$MEMSCOPE" trace fault --latency=$means --by class,vma --csv -- "$O/tests/helpers/faulter" 3000 </dev/null \
        >"$TMPDIR/fault" 2>"$TMPDIR/err" || fail "$means: $(cat "$TMPDIR/err")"
    grep -q "seen by $means" "$TMPDIR/err" || fail "$means is not what was used: $(cat "$TMPDIR/err")"
    anon=$(awk -F, '$1 == "anon" && $2 == "anon" { print $4 }' "$TMPDIR/fault")
    [ "${anon:-0}" -ge 3000 ] || fail "$means: ${anon:-no} new anonymous pages: $(cat "$TMPDIR/fault")"
    grep -q '^cow,' "$TMPDIR/fault" || fail "$means: no copy on write"
done

# swap: pages that a small group pushed out come back as class swap
echo 1 >/sys/block/zram0/reset
echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 || fail "no swap"
group=/sys/fs/cgroup/trace-test
mkdir $group && echo 24M >$group/memory.max
"$MEMSCOPE" trace swap --interval 200ms --csv -- "$MEMSCOPE" trace fault -q --latency --by class --csv -- \
    sh -c 'echo $$ >"$1/cgroup.procs"; exec perl -e '\''my @m = map { "x" x 1048576 } 1 .. 64; my $n = 0; $n += length($_ . "") for @m'\''' sh $group \
    >"$TMPDIR/both" 2>"$TMPDIR/err" || fail "swap: $(cat "$TMPDIR/err")"
awk -F, '$1 == "swap" && $2 > 100 { ok = 1 } END { exit !ok }' "$TMPDIR/both" || fail "no swap-ins: $(cat "$TMPDIR/both")"
awk -F, '$1 == "swap_probe" { written += $10; out += $16 } END { exit !(written > 1000 && out > 1000) }' "$TMPDIR/both" ||
    fail "nothing written: $(cat "$TMPDIR/both")"
swapoff /dev/zram0
echo 1 >/sys/block/zram0/reset
rmdir $group
exit $bad
