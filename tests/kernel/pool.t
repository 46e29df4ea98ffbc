# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# memscope pool on real zram devices: everything is as it was before at the end, whatever happened meanwhile.

ulimit -c 0
state() { # of all devices and swap areas
    for d in /sys/block/zram*; do
        echo "$d $(cat "$d/comp_algorithm" "$d/disksize" "$d/initstate" 2>/dev/null | tr '\n' ' ') $(awk '{ print $4 }' "$d/mm_stat")"
    done
    cat /proc/swaps
    # a draft that a killed setup left is overwritten by the next one
    find /run/memscope -name '*.undo' 2>/dev/null
}
# For the foreground: in the background it would be a shell that gets the signals.
pool() { "$MEMSCOPE" pool "$@"; }
# What this test sets up is on one device; another user's pools are left alone.
mine() { sed -n 's/.*"device":"\(zram[0-9]*\)".*/\1/p' "$work/$1"; }
drop() { [ -n "$1" ] && pool reset --device "$1" -q >/dev/null 2>&1; }

if ! pool setup --raw --size 16M --json >"$work/first" 2>"$work/err"; then
    skip all "no zram device can be set up: $(tail -n 1 "$work/err")"
    exit 0
fi
drop "$(mine first)"
before=$(state)

# ---- setup and reset ----
pool setup --algo lz4 --size 64M --mem-limit 32M --priority 321 --json >"$work/s" 2>"$work/err"
want setup-code 0 $?
dev=$(mine s)
check setup-algo grep -q '\[lz4\]' "/sys/block/$dev/comp_algorithm"
want setup-size $((64 << 20)) "$(cat "/sys/block/$dev/disksize")"
want setup-limit $((32 << 20)) "$(awk '{ print $4 }' "/sys/block/$dev/mm_stat")"
want setup-swap "321" "$(awk -v d="/dev/$dev" '$1 == d { print $5 }' /proc/swaps)"
check header test "$(dd "if=/dev/$dev" bs=1 skip=4086 count=10 2>/dev/null)" = SWAPSPACE2
want json true "$(json "$work/s" 'r[0]["mem_limit_bytes"] == 32 << 20 and r[0]["priority"] == 321 and len(r[0]["uuid"]) == 36')"
pool status --device "$dev" --json >"$work/st"
want status true "$(json "$work/st" 'r[0]["devices"][0]["state"] == "swap" and r[0]["devices"][0]["swap_priority"] == 321')"
pool setup --device "$dev" --size 64M >"$work/o" 2>"$work/e"
want busy-code 3 $?
check busy-remedy grep -q -- --force "$work/e"
pool setup --device "$dev" --size 64M --force >"$work/o" 2>"$work/e"
want own-is-kept 3 $?
if su nobody -s /bin/sh -c "'$MEMSCOPE' pool status" >"$work/o" 2>"$work/e"; then pass nobody-status; else
    # the build may lie where nobody cannot read
    su nobody -s /bin/sh -c "test -x '$MEMSCOPE'" && fail nobody-status "exit $?" "$work/e" || pass nobody-status
fi
pool reset --device "$dev" --json >"$work/r" 2>"$work/e"
want reset-code 0 $?
want restored "$before" "$(state)"
pool reset --device "$dev" >"$work/o" 2>&1
want reset-again 3 $?

# ---- a failure at each step ----
for at in hot_add record claim algo disksize mem_limit header release swapon; do
    pool setup --algo lz4 --size 64M --mem-limit 32M --fail-at $at >"$work/o" 2>"$work/e"
    want "fail-$at-code" 1 $?
    want "fail-$at-state" "$before" "$(state)"
    check "fail-$at-says" grep -q 'as it was before' "$work/e"
done
# The kernel's own refusals, which no check of ours foresees.
pool setup --size 64M --mem-limit 4096 >"$work/o" 2>"$work/e"
code=$?
if [ $code = 0 ]; then pool undo --all -q >/dev/null; fi
want limit-one-page "$before" "$(state)"
pool setup --size 64M --mem-limit 100 >"$work/o" 2>"$work/e"
want limit-below-page 2 $?
pool setup --size 500% >"$work/o" 2>"$work/e"
want larger-than-memory 2 $?
check larger-says grep -q -- --mem-limit "$work/e"
pool setup --size 64M --algo nosuch >"$work/o" 2>"$work/e"
want algo-code 4 $?
pool setup --size 64M --device zram4000 >"$work/o" 2>"$work/e"
want no-device 3 $?
want refusals-state "$before" "$(state)"

# ---- --force on a pool of someone else, and back ----
id=$(cat /sys/class/zram-control/hot_add)
echo lzo >"/sys/block/zram$id/comp_algorithm" 2>/dev/null
echo 32M >"/sys/block/zram$id/disksize"
echo 8M >"/sys/block/zram$id/mem_limit"
if mkswap -L theirs "/dev/zram$id" >/dev/null 2>&1 && swapon -p 5 "/dev/zram$id"; then
    theirs=$(state)
    header=$(head -c 4096 "/dev/zram$id" | sha256sum)
    pool reset --device "zram$id" >"$work/o" 2>"$work/e"
    want foreign-reset 3 $?
    pool setup --device "zram$id" --size 64M --algo lz4 >"$work/o" 2>"$work/e"
    want foreign-setup 3 $?
    for at in swapoff_old reset_old claim algo disksize header swapon; do
        pool setup --device "zram$id" --size 64M --algo lz4 --force --fail-at $at >"$work/o" 2>"$work/e"
        want "force-$at-state" "$theirs" "$(state)"
    done
    want force-header "$header" "$(head -c 4096 "/dev/zram$id" | sha256sum)"
    pool setup --device "zram$id" --size 64M --algo lz4 --force >"$work/o" 2>"$work/e"
    want force-code 0 $?
    pool undo --device "zram$id" >"$work/o" 2>"$work/e"
    want force-undo "$theirs" "$(state)"
    want force-undo-header "$header" "$(head -c 4096 "/dev/zram$id" | sha256sum)"
    pool setup --device "zram$id" --size 64M --force >"$work/o" 2>"$work/e"
    swapoff "/dev/zram$id"
    echo 1 >"/sys/block/zram$id/reset"
    echo 48M >"/sys/block/zram$id/disksize"
    pool undo --device "zram$id" >"$work/o" 2>"$work/e"
    want foreign-since 3 $?
    check foreign-since-says grep -q anew "$work/e"
    pool undo --device "zram$id" --force >"$work/o" 2>"$work/e"
    want foreign-since-force "$theirs" "$(state)"
    swapoff "/dev/zram$id"
else
    skip force "no mkswap or swapon"
fi
echo 1 >"/sys/block/zram$id/reset"
echo "$id" >/sys/class/zram-control/hot_remove
want foreign-gone "$before" "$(state)"

# ---- two at once, and killed in the midst ----
for i in 1 2 3 4; do
    "$MEMSCOPE" pool setup --raw --size 16M --json >"$work/c$i" 2>"$work/ce$i" &
    eval "p$i=$!"
done
for i in 1 2 3 4; do
    eval "wait \$p$i" || cat "$work/ce$i" >>"$work/ce"
done
want concurrent 4 "$(cat "$work"/c[1-4] | sed -n 's/.*"device":"\(zram[0-9]*\)".*/\1/p' | sort -u | wc -l)"
for i in 1 2 3 4; do drop "$(mine c$i)"; done
want concurrent-state "$before" "$(state)"
left=0
for delay in 0 0.002 0.004 0.006 0.008 0.01 0.015 0.02 0.03; do
    "$MEMSCOPE" pool setup --algo lz4 --size 64M >/dev/null 2>&1 &
    pid=$!
    sleep $delay
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    pool undo --all -q >/dev/null 2>"$work/e"
    # A device that was added and not yet recorded is left free: it is taken by the next setup.
    for d in /sys/block/zram*; do
        case $before in
        *"$d "*) ;;
        *) [ "$(cat "$d/disksize")" = 0 ] && echo "${d#/sys/block/zram}" >/sys/class/zram-control/hot_remove && left=$((left + 1)) ;;
        esac
    done
    [ "$(state)" = "$before" ] || break
done
want killed-state "$before" "$(state)"
for delay in 0 0.002 0.004 0.006 0.008 0.01 0.015; do
    # a shell that gets the signal before its exec would clean up after this whole test
    python3 -c 'import subprocess, sys, time
p = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(float(sys.argv[1]))
p.send_signal(2)
p.wait()' $delay "$MEMSCOPE" pool setup --size 64M --algo lz4
    # it has ended before the signal, or not begun, or gone back
    [ -e "/run/memscope/pool-$dev.undo" ] && pool undo --device "$dev" -q >/dev/null 2>&1
    [ "$(state)" = "$before" ] || break
done
want interrupted-state "$before" "$(state)"

# ---- trigger ----
pool setup --size 128M --priority 30000 --json >"$work/s" 2>"$work/e"
dev=$(mine s)
for what in 'compress --profile light' 'decompress' 'decompress --profile burst'; do
    name=$(echo "$what" | tr -dc a-z)
    # shellcheck disable=SC2086
    pool trigger $what --device "$dev" --size 32M --duration-sec 1 --json >"$work/t" 2>"$work/e"
    want "trigger-$name-code" 0 $?
    want "trigger-$name" true "$(json "$work/t" 'r[-1]["bad_pages"] == 0 and r[-1]["verified_pages"] >= 256 and r[-1]["out_bytes"] >= 30 << 20 and r[-1]["swapin_pages"] > 0 and r[-1]["ratio"] > 1.5 and 0 < r[-1]["swapin_p50_ns"] <= r[-1]["swapin_p99_ns"] <= r[-1]["swapin_max_ns"]')"
done
pool trigger compress --device "$dev" --size 32M --dataset unique --duration-sec 1 --trace --json >"$work/t" 2>"$work/e"
want trigger-unique true "$(json "$work/t" 'r[-1]["huge_delta_pages"] > 7000 and len(r) > 2 and sum(e["swapped_out_pages"] for e in r[:-1]) >= 7000')"
"$MEMSCOPE" pool trigger compress --device "$dev" --size 32M --duration-sec 60 >"$work/t" 2>"$work/e" &
pid=$!
children+=("$pid")
wait_for 20 test -d /sys/fs/cgroup/memory/memscope-pool-$pid -o -d /sys/fs/cgroup/memscope-pool-$pid -o -d /sys/fs/cgroup/unified/memscope-pool-$pid
pool reset --device "$dev" >"$work/o" 2>"$work/e2"
want trigger-holds 3 $?
pool maintain --device "$dev" >"$work/o" 2>"$work/e2"
want maintain-beside 0 $?
kill -INT $pid
wait $pid
want trigger-sigint 0 $?
"$MEMSCOPE" pool trigger decompress --device "$dev" --size 32M --duration-sec 60 >/dev/null 2>&1 &
pid=$!
wait_for 20 pgrep -P $pid >/dev/null
child=$(pgrep -P $pid)
kill -KILL $pid
wait $pid 2>/dev/null
check child-dies wait_for 10 test ! -d "/proc/$child"
pool trigger compress --device "$dev" --size 16M --duration-sec 1 -q >/dev/null 2>"$work/e" # sweeps
want cgroups-gone "" "$(find /sys/fs/cgroup -maxdepth 2 -name 'memscope-pool-*' 2>/dev/null)"
pool trigger compress --device "$dev" --size 256M >"$work/o" 2>"$work/e"
want trigger-too-large 3 $?
pool trigger compress --device "$dev" --image /nonexistent >"$work/o" 2>"$work/e"
want trigger-no-image 3 $?
pool trigger compress --device "$dev" --size 16M --duration-sec 1 >/dev/full 2>"$work/e"
want trigger-dev-full 1 $?

# ---- reset while pages are swapped to it ----
mkfifo "$work/in"
exec {fd}<>"$work/in"
python3 -c 'import ctypes, mmap, sys
m = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, len(m), 4096):
    m[i:i + 8] = i.to_bytes(8, "little")
ctypes.CDLL(None).madvise(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m))), ctypes.c_size_t(len(m)), 21)
print("out", flush=True)
sys.stdin.readline()
print(all(m[i:i + 8] == i.to_bytes(8, "little") for i in range(0, len(m), 4096)))' <"$work/in" >"$work/py" &
py=$!
children+=("$py")
wait_for 20 grep -qs out "$work/py"
pool explain --device "$dev" --json >"$work/x"
want explain-sums true "$(json "$work/x" 'sum((-1 if l["subtracted"] else 1) * l["before_bytes"] for l in r[0]["lines"] if l["section"] == "slots" and l["kind"] != "total" and l["key"] != "also_in_memory") == r[0]["lines"][0]["before_bytes"] >= 15 << 20')"
pool reset --device "$dev" --json >"$work/r" 2>"$work/e"
want swapped-reset 0 $?
check swapped-came-back test "$(json "$work/r" 'r[0]["devices"][0]["swapped_back_bytes"] >= 15 << 20')" = true
echo >&$fd
wait $py
want swapped-contents True "$(tail -n 1 "$work/py")"
exec {fd}>&-
want end-state "$before" "$(state)"
