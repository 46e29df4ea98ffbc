# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# trace fault against the kernel's own count of faults.

# ---- exact counts ----
pages=20000
faulter_start one $pages
tracer by trace fault --by pid --pid "${faulter_pid[one]}" --json
faulter_go one
tracer_stop
faulter_end one
want by-pid-exact "$(faulter_faults one)" "$(json "$work/by.out" 'r[-1]["faults"]')"
want by-pid-exit 0 "$tracer_code"
want by-pid-sum "$(json "$work/by.out" 'r[-1]["faults"]')" "$(json "$work/by.out" 'sum(g["faults"] for g in r[-1]["groups"])')"

faulter_start stream $pages
tracer st trace fault --pid "${faulter_pid[stream]}" --json
faulter_go stream
tracer_stop
faulter_end stream
want stream-exact "$(faulter_faults stream)" "$(json "$work/st.out" 'r[-1]["events"] + r[-1]["lost"]')"
want stream-lines "$(json "$work/st.out" 'r[-1]["events"]')" "$(grep -c '"page_fault"' "$work/st.out")"
check stream-fields test "$(json "$work/st.out" 'all(e["pid"] == e["tid"] and e["type"] == "user" and e["access"] == "write" and not e["present"] for e in r[:-1])')" = true

# two processes on two CPUs: what is delivered and what is lost are all that was faulted
for n in a b; do faulter_start $n 100000 $([ $n = a ] && echo 0 || echo 1); done
tracer two trace fault --pid "${faulter_pid[a]}" --pid "${faulter_pid[b]}" --csv
for n in a b; do eval "echo go >&\$faulter_fd_$n"; done
for n in a b; do wait_for 60 grep -q faults "$work/$n.out"; done
tracer_stop
for n in a b; do faulter_end $n; done
lines=$(grep -c '^page_fault' "$work/two.out")
lost=$(sed -n 's/.* faults, \([0-9]*\) lost.*/\1/p' "$work/two.err")
want two-cpus $(($(faulter_faults a) + $(faulter_faults b))) $((lines + lost))

# a ring that is far too small loses, says so, and still adds up
faulter_start small 100000
tracer sm trace fault --pid "${faulter_pid[small]}" --buffer 64K --symbols --json
faulter_go small
tracer_stop
faulter_end small
want small-buffer-adds-up "$(faulter_faults small)" "$(json "$work/sm.out" 'r[-1]["events"] + r[-1]["lost"]')"
if [ "$(json "$work/sm.out" 'r[-1]["lost"] > 0')" = true ]; then
    check small-buffer-tells grep -q 'lost .* events' "$work/sm.err"
else
    skip small-buffer-tells "nothing was lost"
fi

# ---- the end of faults ----
for means in auto fentry kprobe perf; do
    "$MEMSCOPE" trace fault --latency=$means --vma --json --by class,vma -- "$O/tests/helpers/faulter" 500 </dev/null >"$work/lat.out" 2>"$work/lat.err"
    code=$?
    grep -v '^ready\|^faults' "$work/lat.out" >"$work/lat.json"
    case $code in
    0) check "latency-$means" test "$(json "$work/lat.json" '
        sum(g["faults"] for g in r[-1]["groups"] if g["class"] == "anon") >= 500 and
        sum(l["count"] for l in r[-1]["latency"]) <= r[-1]["faults"] and
        all(g["avg_ns"] <= g["max_ns"] for g in r[-1]["groups"] if g["avg_ns"])')" = true ;;
    4) skip "latency-$means" "$(tail -1 "$work/lat.err" | cut -d: -f2-)" ;;
    *) fail "latency-$means" "exit $code" "$work/lat.err" ;;
    esac
done

# ---- filters ----
"$MEMSCOPE" trace fault --by pid,comm --json -- bash -c '/bin/true; /bin/true; :' >"$work/f.out" 2>"$work/f.err"
check children-followed test "$(json "$work/f.out" 'len({g["pid"] for g in r[-1]["groups"]}) == 3')" = true
"$MEMSCOPE" trace fault --by comm --comm true --json -- bash -c '/bin/true; /bin/echo x; :' >"$work/f.out" 2>"$work/f.err"
grep -v '^x$' "$work/f.out" >"$work/f.json"
want comm-filter "['true']" "$(json "$work/f.json" '[g["comm"] for g in r[-1]["groups"]]')"
"$MEMSCOPE" trace fault --uid 65534 --duration 500ms --by comm --json >"$work/u.out" 2>"$work/u.err" &
tracer_pid=$!
sleep 0.3
setpriv --reuid 65534 --clear-groups /bin/true
wait $tracer_pid
want uid-filter "{'true'}" "$(json "$work/u.out" 'set(g["comm"] for g in r[-1]["groups"]) - {"setpriv"}')"

cgroup=/sys/fs/cgroup/memory/memscope-test-$$
[ -d /sys/fs/cgroup/memory ] || cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/memscope-test-$$
if mkdir "$cgroup" 2>/dev/null; then
    faulter_start cg 3000
    faulter_start out 3000
    mkdir "$cgroup/below"
    echo "${faulter_pid[cg]}" >"$cgroup/below/cgroup.procs"
    tracer cgt trace fault --by pid --cgroup "$cgroup" --json
    faulter_go cg
    faulter_go out
    tracer_stop
    faulter_end cg
    faulter_end out
    rmdir "$cgroup/below" "$cgroup"
    want cgroup-filter "[${faulter_pid[cg]}]" "$(json "$work/cgt.out" '[g["pid"] for g in r[-1]["groups"]]')"
else
    skip cgroup-filter "no cgroup can be made"
fi

# never our own process
tracer own trace fault --by comm --json
sleep 0.3
tracer_stop
check not-ourselves test "$(json "$work/own.out" 'all(g["comm"] != "memscope" for g in r[-1]["groups"])')" = true

# ---- formats, limits, ends ----
"$MEMSCOPE" trace fault --format kv --max-events 5 -- /bin/true >"$work/kv.out" 2>/dev/null
want max-events 5 "$(wc -l <"$work/kv.out")"
want kv-classic 5 "$(grep -cE '^page_fault pid=[0-9]+ comm=true type=(user|kernel) addr=0x[0-9a-f]+ ip=0x[0-9a-f]+$' "$work/kv.out")"
"$MEMSCOPE" trace fault --vma --json -- /bin/true >"$work/v.out" 2>/dev/null
check vma-file test "$(json "$work/v.out" 'any((e.get("file") or "").startswith("libc.so") for e in r)')" = true
check vma-stack test "$(json "$work/v.out" 'any(e.get("vma") == "stack" for e in r)')" = true
"$MEMSCOPE" trace fault --by ip --symbols --json -- "$O/tests/helpers/faulter" 3000 <<<$'go\nend' 2>/dev/null | grep -v '^ready\|^faults' >"$work/s.out"
check symbol-of-loop test "$(json "$work/s.out" 'r[-1]["groups"][0]["symbol"][:5]')" = touch
for sig in INT TERM; do
    tracer sig trace fault --by pid
    tracer_stop $sig
    want "sig$sig-code" 0 "$tracer_code"
    check "sig$sig-summary" grep -q 'own cost' "$work/sig.err"
done
"$MEMSCOPE" trace fault -q -- /bin/sh -c 'exit 7' >/dev/null 2>&1
want child-code 7 $?
"$MEMSCOPE" trace fault -q -- /bin/sh -c 'kill -9 $$' >/dev/null 2>&1
want child-signal 137 $?
"$MEMSCOPE" trace fault -q -- /no/such/command >/dev/null 2>"$work/e"
want child-missing 127 $?
sleep 0.1 &
"$MEMSCOPE" trace fault --by pid --pid $! >/dev/null 2>"$work/e"
want pid-exits 0 $?
"$MEMSCOPE" trace fault --pid 4000000 >/dev/null 2>"$work/e"
want pid-missing 1 $?
check pid-missing-says grep -q 'no such process' "$work/e"
"$MEMSCOPE" trace fault -- /bin/true >/dev/full 2>"$work/e"
want dev-full 1 $?
check dev-full-says grep -q 'No space left' "$work/e"
"$MEMSCOPE" trace fault -- /bin/true >&- 2>"$work/e"
want closed-stdout 1 $?
timeout 20 "$MEMSCOPE" trace fault -q 2>"$work/e" | head -1 >/dev/null
want head-1 "0 0" "${PIPESTATUS[*]}"
check head-1-quiet test ! -s "$work/e"
"$MEMSCOPE" trace fault --cgroup /no/such/group >/dev/null 2>"$work/e"
want cgroup-missing 1 $?
"$MEMSCOPE" trace fault --cgroup /tmp >/dev/null 2>"$work/e"
want cgroup-not-one 1 $?

# 64 processes, two instances at once
pids=()
for _ in $(seq 64); do
    sleep 20 &
    pids+=(--pid $!)
    children+=($!)
done
"$MEMSCOPE" trace fault "${pids[@]}" --duration 300ms --by pid >/dev/null 2>"$work/e"
want sixty-four-pids 0 $?
"$MEMSCOPE" trace fault --by pid --json -- /bin/true >"$work/i1" 2>/dev/null &
first=$!
"$MEMSCOPE" trace fault --by pid --json -- /bin/true >"$work/i2" 2>/dev/null
wait $first
check two-instances test "$(json "$work/i1" 'r[-1]["faults"] > 10')$(json "$work/i2" 'r[-1]["faults"] > 10')" = truetrue

# ---- without rights ----
cp "$MEMSCOPE" "$work/memscope" && chmod 755 "$work" "$work/memscope"
setpriv --reuid 65534 --regid 65534 --clear-groups "$work/memscope" trace fault --duration 100ms >/dev/null 2>"$work/e"
want nobody 3 $?
check nobody-says grep -q 'setcap' "$work/e"
(ulimit -l 0 && exec "$MEMSCOPE" trace fault --by pid --duration 100ms) >/dev/null 2>"$work/e"
want memlock-zero 0 $?
