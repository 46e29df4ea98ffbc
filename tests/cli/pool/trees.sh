# SPDX-License-Identifier: BSD-2-Clause
# A machine without zram, a device that is not there, output that nobody takes.
want=4
grep -qs /zram/zram.ko /lib/modules/"$(uname -r)"/modules.dep /lib/modules/"$(uname -r)"/modules.builtin && want=3
for c in status explain; do
    "$MEMSCOPE" pool $c --sysroot "$SRC/tests/sysroot/no-zram" >out 2>err
    code=$?
    [ $code = $want ] || echo "$c without zram: exit $code, wanted $want"
    grep -q 'modprobe zram' err || cat err
    [ -s out ] && echo "$c without zram printed something"
done
"$MEMSCOPE" pool status --sysroot "$SRC/tests/sysroot/zram-6.18" --device zram7 2>&1
echo "exit $?"
"$MEMSCOPE" pool explain --sysroot "$SRC/tests/sysroot/zram-6.18" --device zram7 2>&1
echo "exit $?"
for c in 'status' 'status --json' 'explain' 'explain --csv' 'status --watch --duration 10ms' 'status --watch --duration 10ms --json'; do
    # shellcheck disable=SC2086
    "$MEMSCOPE" pool $c --sysroot "$SRC/tests/sysroot/zram-6.18" >/dev/full 2>err
    echo "$c >/dev/full: exit $?, $(grep -c 'No space left' err) message"
done
"$MEMSCOPE" pool status --watch --interval 10ms --duration 100ms --csv -q --sysroot "$SRC/tests/sysroot/zram-6.12" >out
echo "watch: $(grep -c '^ts_ns,device,' out) heading, rows: $([ "$(wc -l <out)" -ge 2 ] && echo yes)"
"$MEMSCOPE" pool status --watch --interval 10ms --duration 10s --csv -q --sysroot "$SRC/tests/sysroot/zram-6.12" | head -n 1 >out
echo "reader gone: ${PIPESTATUS[0]}"
# 64 devices
for i in $(seq 0 63); do
    mkdir -p "tree/sys/block/zram$i"
    cp -r "$SRC"/tests/sysroot/zram-6.18/sys/block/zram0/. "tree/sys/block/zram$i/"
done
mkdir -p tree/proc
cp "$SRC"/tests/sysroot/zram-6.18/proc/* tree/proc/
"$MEMSCOPE" pool status --sysroot tree --csv -q | awk -F, '{ print $1 }' | tr '\n' ' '
echo
