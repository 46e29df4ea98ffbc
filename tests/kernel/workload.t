# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The workloads on the running kernel: what they claim, limits, ends of all kinds, and outside tools.

run() { # NAME ARGS…: output in $work/NAME.{out,err}, code in $code
    local name=$1
    shift
    timeout -k 5 60 "$MEMSCOPE" workload "$@" >"$work/$name.out" 2>"$work/$name.err"
    code=$?
}
start() { # NAME ARGS…: in the background, SIGINT as a shell would leave it
    local name=$1
    shift
    env --default-signal=INT "$MEMSCOPE" workload "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pid=$!
    children+=("$pid")
}
below() { # PID: all its descendants
    local child
    for child in $(pgrep -P "$1"); do
        echo "$child"
        below "$child"
    done
}
filled() { # PID PAGES: some descendant has so much resident
    local p
    for p in $(below "$1"); do
        [ "$(awk '{ print $2 }' "/proc/$p/statm" 2>/dev/null || echo 0)" -ge "$2" ] && return 0
    done
    return 1
}
gone() { # PID…
    local p
    for p; do
        [ -e "/proc/$p" ] && ! grep -q '^State:.Z' "/proc/$p/status" && return 1
    done
    return 0
}
cgroups() { find /sys/fs/cgroup -maxdepth 3 -type d -name 'memscope-workload-*' 2>/dev/null; }

names=$("$MEMSCOPE" workload list --csv | tail -n +2 | cut -d, -f1)
want list 7 "$(echo "$names" | wc -w)"
for name in $names; do
    for mode in plain arena; do
        arena=()
        [ $mode = arena ] && arena=(--use-mem-arena)
        run "$name" run "$name" -d 0.4 --region 8M -w 2 --verify --json "${arena[@]}"
        if [ "$code$mode" = 4arena ] || [ "$code$mode" = 3arena ]; then
            skip "smoke-$name-$mode" "$(cat "$work/$name.err")"
            continue
        fi
        want "smoke-$name-$mode" "0 true" "$code $(json "$work/$name.out" 'r[0]["ops"] > 0 and r[0]["mismatches"] == 0 and
            r[0]["verified_bytes"] >= 8 << 20 and r[0]["p50_ns"] <= r[0]["p99_ns"] <= r[0]["max_ns"] and r[0]["failed"] == 0')"
    done
done

# touched before the clock starts: the touches themselves fault no more
run first run random_touch_heap -d 0.5 --region 64M --json
want no-first-touch-faults true "$(json "$work/first.out" 'r[0]["minor_faults"] < 1000 and r[0]["rss_ready_bytes"] >= 64 << 20')"
# never more than asked
want rate true "$(json "$work/first.out" '0 < r[0]["ops"] <= 10000')"
run seeds run random_touch_heap -d 0.2 --region 1M --seed 0 --rate 100000 -w 1 --verify --json
want seed-0 true "$(json "$work/seeds.out" 'r[0]["verified_bytes"] > 2 << 20 and r[0]["mismatches"] == 0')"

# arena statistics into a file
run stats run interactive_burst -d 0.5 --region 8M --use-mem-arena --arena-cap-mb 64 --arena-stats-json "$work/stats.json" -q
if [ $code = 0 ]; then
    want arena-stats-json true "$(python3 -c 'import json, sys; s = json.load(open(sys.argv[1]))
print("true" if s["admitted_bytes"] > 0 and s["capacity_bytes"] == 64 << 20 else s)' "$work/stats.json")"
fi

# a byte changed from outside
start poked run random_touch_heap -d 30 --region 4M -w 1 --verify
wait_for 10 filled "$pid" 1024
sleep 0.3
python3 - $(below "$pid") <<'PY'
import sys
for pid in sys.argv[1:]:
    for line in open("/proc/%s/maps" % pid):
        range_, mode, _, dev, inode = line.split()[:5]
        a, b = (int(x, 16) for x in range_.split("-"))
        if mode == "rw-p" and inode == "0" and b - a == 4 << 20:
            with open("/proc/%s/mem" % pid, "r+b", 0) as m:
                for page in range(1024):
                    m.seek(a + page * 4096 + 2000)
                    m.write(b"\x5a\xa5")
            sys.exit()
PY
kill -INT "$pid"
wait "$pid"
want wrong-byte-code 5 $?
check wrong-byte-told grep -qE 'address 0x[0-9a-f]+ \(worker 0, page [0-9]+\): expected 0x[0-9a-f]{2}, found 0x(5a|a5)' "$work/poked.err"

# ends of all kinds leave nothing
for sig in INT TERM; do
    start "end-$sig" run fork_exec_storm --exec "$(command -v sleep)" -d 30 --region 4M --json
    wait_for 10 filled "$pid" 100
    sleep 0.3
    tree=$(below "$pid")
    kill -"$sig" "$pid"
    wait "$pid"
    code=$?
    want "SIG$sig" "0 true" "$code $(json "$work/end-$sig.out" 'r[0]["interrupted"]')"
    # shellcheck disable=SC2086 # words
    if wait_for 10 gone $tree; then pass "SIG$sig-leaves-no-process"; else fail "SIG$sig-leaves-no-process" "$tree"; fi
done
tail_tree() { start "$1" "${@:2}"; wait_for 10 filled "$pid" 400; sleep 0.3; tree=$(below "$pid"); }
TMPDIR=$work tail_tree killed run fork_exec_storm -d 30 --region 8M --exec "$(command -v yes)"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
# shellcheck disable=SC2086
if wait_for 10 gone $tree; then pass SIGKILL-leaves-no-process; else fail SIGKILL-leaves-no-process "$tree"; fi

# memory cgroup
run limited run anon_streamer -d 0.5 --region 48M --cgroup-limit 80M --json
if [ $code = 3 ] || [ $code = 4 ]; then
    skip cgroup "$(cat "$work/limited.err")"
else
    want cgroup "0 true" "$code $(json "$work/limited.out" 'r[0]["cgroup_limit_bytes"] == 80 << 20 and
        48 << 20 <= r[0]["cgroup_peak_bytes"] <= 80 << 20')"
    want cgroup-removed "" "$(cgroups)"
    if [ "$(awk 'NR > 1' /proc/swaps | wc -l)" = 0 ]; then
        run refused run anon_streamer -d 0.5 --region 100M --cgroup-limit 80M
        want cgroup-too-small 3 $code
        check cgroup-two-numbers grep -qE 'needs [0-9]+ ?M? ?.*--cgroup-limit without any swap is 80.0M' "$work/refused.err"
    fi
    tail_tree cgkill run interactive_burst -d 30 --region 8M --cgroup-limit 80M
    check cgroup-there test -n "$(cgroups)"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    # shellcheck disable=SC2086
    wait_for 10 gone $tree
    want cgroup-removed-after-SIGKILL "" "$(cgroups)"
    # both killed at once: the next start cleans up
    tail_tree both run interactive_burst -d 30 --region 8M --cgroup-limit 80M
    kill -KILL "$(pgrep -P "$pid")" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    # shellcheck disable=SC2086
    wait_for 10 gone $tree || fail both-killed-leave-no-process "$tree"
    run next run interactive_burst -d 0.2 --region 1M
    want stale-cgroup-swept "" "$(cgroups)"
fi

# RLIMIT_NPROC in mid-storm is counted; root is above it
if nobody=$(id -u nobody 2>/dev/null) && install -m 755 "$MEMSCOPE" /tmp/memscope-nobody-$$; then
    timeout 30 setpriv --reuid "$nobody" --regid "$nobody" --clear-groups /tmp/memscope-nobody-$$ workload run fork_exit_storm \
        -d 0.3 --region 1M --nproc-limit 3 --json >"$work/nproc.out" 2>"$work/nproc.err"
    want nproc-limit "0 true" "$? $(json "$work/nproc.out" 'r[0]["limit_hits"] > 0')"
    rm -f /tmp/memscope-nobody-$$
fi

# compare and matrix
run compare compare random_touch_heap -d 0.2 --region 4M --runs 3 --base plain --with plain --out "$work/cmp" --json
want compare "0 true" "$code $(json "$work/compare.out" 'len(r[0]["results"]) == 6 and len(r[0]["aggregate"]) == 8 and
    all(a["ratio_low"] <= a["ratio"] <= a["ratio_high"] for a in r[0]["aggregate"] if a["ratio"] is not None)')"
want compare-long 7 "$(wc -l <"$work/cmp/runs.csv")"
want compare-aggregate 9 "$(wc -l <"$work/cmp/aggregate.csv")"
if command -v gnuplot >/dev/null; then
    want compare-plots 3 "$(grep -l '</svg>' "$work"/cmp/*.svg | wc -l)"
fi
run again compare random_touch_heap -d 0.2 --runs 1 --out "$work/cmp"
want compare-keeps-old-results 3 $code
run matrix matrix random_touch_heap mmap_churn -d 0.2 --region 4M --modes plain --out "$work/matrix" -q
want matrix "0 3" "$code $(wc -l <"$work/matrix/results.csv")"

# outside tools
tool() { # TOOL PROFILE ARGS…
    command -v "$1" >/dev/null || {
        skip "$1-$2" "$1 is not installed"
        return
    }
    run tool external "$1" "$2" -d 1 --json "${@:3}"
    want "$1-$2" "0 true" "$code $(json "$work/tool.out" 'len(r[0]["results"]) > 0 and all(x["ops_per_s"] > 0 for x in r[0]["results"])')"
}
tool stress-ng fork-vm --region 16M
tool stress-ng mmap-churn --region 16M
tool sysbench memory-seq
tool sysbench memory-rnd
tool fio cache-churn --region 4M
if command -v fio >/dev/null; then
    TMPDIR=$work start fio external fio cache-churn -d 30 --region 4M
    wait_for 10 test -n "$(echo "$work"/memscope-workload-*)"
    sleep 1
    tree=$(below "$pid")
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    # shellcheck disable=SC2086
    if wait_for 10 gone $tree; then pass fio-SIGKILL; else fail fio-SIGKILL "$tree"; fi
    want fio-SIGKILL-files "" "$(find "$work" -name 'memscope-workload-*')"
fi
if command -v stress-ng >/dev/null; then
    run timeout external stress-ng fork-vm -d 30 --region 16M --timeout-sec 1
    want tool-timeout 1 $code
fi
# stand-ins with the layout of the two suites that are not packaged
suite=$work/mmtests
mkdir -p "$suite/bin" "$suite/configs" "$work/pts"
echo 'export MMTESTS="pft other"' >"$suite/configs/config-standin"
printf '#!/bin/sh\n[ "$1 $2" = "--no-monitor --config" ] && [ -f "$3" ] && mkdir -p "work/log/$4"\n' >"$suite/run-mmtests.sh"
printf 'print "faults 1 100.5\\nfaults 2 300.5\\n" if -d "$ARGV[1]/$ARGV[3]";\n' >"$suite/bin/extract-mmtests.pl"
cat >"$work/pts/phoronix-test-suite" <<'SH'
#!/bin/sh
[ "$1" = batch-run ] || exit 9
[ "$2" = pts/standin ] || exit 7
mkdir -p "$PTS_USER_PATH_OVERRIDE/test-results/$TEST_RESULTS_NAME"
echo "<Result><Title>Stand-in</Title><Scale>MB/s</Scale><Data><Entry><Value>42.5</Value></Entry></Data></Result>" \
    >"$PTS_USER_PATH_OVERRIDE/test-results/$TEST_RESULTS_NAME/composite.xml"
SH
chmod +x "$suite/run-mmtests.sh" "$work/pts/phoronix-test-suite"
run mmtests external mmtests config-standin --path "$suite" --json
want mmtests "0 true" "$code $(json "$work/mmtests.out" '[(x["workload"], x["score"]) for x in r[0]["results"]] ==
    [("mmtests/config-standin:pft-faults", 200.5), ("mmtests/config-standin:other-faults", 200.5)]')"
run mmtests external mmtests config-none --path "$suite"
want mmtests-code-passed-on 2 $code
PTS_USER_PATH_OVERRIDE=$work/pts run pts external phoronix pts/standin --path "$work/pts" --json
want phoronix "0 42.5" "$code $(json "$work/pts.out" 'r[0]["results"][0]["score"]')"
run pts external phoronix pts/other --path "$work/pts/phoronix-test-suite"
want phoronix-code-passed-on 7 $code
