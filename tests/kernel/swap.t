# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# trace swap while a memory cgroup of our own is squeezed.

"$MEMSCOPE" trace swap --format kv --duration 300ms --interval 100ms >"$work/kv" 2>/dev/null
want kv-classic 3 "$(grep -cE '^swap_probe ts=[0-9]+ kswapd_wake=[0-9]+ kswapd_sleep=[0-9]+ direct_begin=[0-9]+ direct_end=[0-9]+ reclaim_pages=([0-9]+|-) write_folio=[0-9]+ last_pid=[0-9]+ last_comm=' "$work/kv")"

# Reclaim without swap: the page cache of a file, read in a cgroup that is smaller than it.
root=/sys/fs/cgroup/memory limit=memory.limit_in_bytes
if [ ! -d $root ]; then
    root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts) limit=memory.max
    echo +memory >"$root/cgroup.subtree_control" 2>/dev/null
fi
cgroup=$root/memscope-swap-test-$$
if ! mkdir "$cgroup" 2>/dev/null || ! echo 16M >"$cgroup/$limit"; then
    rmdir "$cgroup" 2>/dev/null
    skip memcg-reclaim "no memory cgroup can be made"
else
    head -c 96M /dev/zero >"$work/file"
    sync "$work/file"
    dd of="$work/file" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
    "$MEMSCOPE" trace swap --interval 200ms --json -- bash -c "echo \$\$ >$cgroup/cgroup.procs; cat $work/file >/dev/null; cat $work/file >/dev/null" >"$work/m.out" 2>"$work/m.err"
    want memcg-code 0 $?
    check memcg-begin test "$(json "$work/m.out" 'r[-2]["memcg_begin"] > 0')" = true
    check memcg-pairs test "$(json "$work/m.out" 'sum(e["memcg_begin"] for e in r[:-2]) == sum(e["memcg_end"] for e in r[:-2]) == r[-2]["memcg_begin"]')" = true
    check memcg-freed test "$(json "$work/m.out" 'sum(e["reclaimed_pages"] for e in r[:-2]) >= (96 - 16) * 256')" = true
    check memcg-process test "$(json "$work/m.out" 'r[-2]["processes"][0]["comm"]')" = cat
    check memcg-hist test "$(json "$work/m.out" 'sum(h["count"] for h in r[-2]["stall"]) == r[-2]["memcg_begin"] + r[-2]["direct_begin"]')" = true
    for _ in $(seq 100); do rmdir "$cgroup" 2>/dev/null && break || sleep 0.05; done
    check cgroup-removed test ! -d "$cgroup"
fi

"$MEMSCOPE" trace swap --duration 200ms >/dev/full 2>"$work/e"
want dev-full 1 $?
"$MEMSCOPE" trace swap --duration 200ms --csv --interval 100ms 2>/dev/null >"$work/csv"
want csv-header 1 "$(grep -c '^event,' "$work/csv")"
