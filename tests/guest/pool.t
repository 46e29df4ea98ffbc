#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels: 6.12 6.1
# timeout: 120
#
# A pool with zstd on a Debian kernel with cgroup2: trigger verifies its pages, a failure at each step and a reset
# leave the device as it was, maintain names what this kernel lacks.
set -u
M=${MEMSCOPE:-build/memscope}
state() { cat /sys/block/zram0/{comp_algorithm,disksize,backing_dev} /proc/swaps; find /run/memscope -name '*.undo' 2>/dev/null; }
bad=0
want() { [[ $2 == "$3" ]] || { echo "$1: wanted '$2', got '$3'"; bad=1; }; }
before=$(state)
for at in record claim algo disksize mem_limit header release swapon; do
    $M pool setup --device zram0 --algo zstd --size 64M --mem-limit 32M --fail-at $at >/dev/null 2>&1
    want "fail at $at" 1 $?
    want "state after $at" "$before" "$(state)"
done
$M pool setup --device zram0 --algo zstd --recompress lz4 --size 64M >/dev/null 2>"$TMPDIR/e"
want "no recompression here" 4 $?
grep -q CONFIG_ZRAM_MULTI_COMP "$TMPDIR/e" || { cat "$TMPDIR/e"; bad=1; }
$M pool setup --device zram0 --algo zstd --size 96M -q || bad=1
$M pool trigger decompress --size 24M --duration-sec 1 --json >"$TMPDIR/t" 2>"$TMPDIR/e"
want trigger 0 $?
grep -q '"algorithm":"zstd".*"bad_pages":0' "$TMPDIR/t" || { cat "$TMPDIR/t" "$TMPDIR/e"; bad=1; }
$M pool trigger compress --size 24M --duration-sec 1 >/dev/null 2>"$TMPDIR/e"
want "trigger compress" 0 $?
$M pool maintain --csv -q >"$TMPDIR/m" 2>"$TMPDIR/e"
want maintain 0 $?
grep -q 'recompress,lacking' "$TMPDIR/m" && grep -q 'mark_idle,done' "$TMPDIR/m" && grep -q 'compact,done' "$TMPDIR/m" || { cat "$TMPDIR/m"; bad=1; }
[[ $(find /sys/fs/cgroup -maxdepth 1 -name 'memscope-*') == "" ]] || { echo "a cgroup is left"; bad=1; }
$M pool explain -q >/dev/null || bad=1
$M pool reset -q >/dev/null || bad=1
want end "$before" "$(state)"
exit $bad
