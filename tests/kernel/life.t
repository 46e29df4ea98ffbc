# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# trace fork and trace life: every event of known processes, once.

"$MEMSCOPE" trace life --json -- bash -c 'for i in 1 2 3; do /bin/true; done; (exit 3); bash -c "kill -TERM \$\$"; exit 4' >"$work/l.out" 2>"$work/l.err"
want code 4 $?
want forks 5 "$(json "$work/l.out" 'sum(e["event"] == "fork" for e in r)')"
want execs 5 "$(json "$work/l.out" 'sum(e["event"] == "exec" for e in r)')"
want exits 6 "$(json "$work/l.out" 'sum(e["event"] == "exit" for e in r)')"
want exit-codes "[0, 0, 0, 3, 4]" "$(json "$work/l.out" 'sorted(e["exit_code"] for e in r if e["event"] == "exit" and e["exit_code"] is not None)')"
want exit-signal "[15]" "$(json "$work/l.out" '[e["exit_signal"] for e in r if e["event"] == "exit" and e["exit_signal"] is not None]')"
check exec-file test "$(json "$work/l.out" 'any(e["file"] == "/bin/true" for e in r if e["event"] == "exec")')" = true
check parent test "$(json "$work/l.out" 'all(e["pid"] == r[0]["pid"] for e in r if e["event"] == "fork")')" = true
check lifetime test "$(json "$work/l.out" 'all(0 < e["lifetime_ns"] < 60e9 for e in r if e["event"] == "exit")')" = true

# threads are told from processes
"$MEMSCOPE" trace life --threads --json -- "$O/tests/helpers/threads" 4 >"$work/t.out" 2>"$work/t.err"
want threads 4 "$(json "$work/t.out" 'sum(e["event"] == "fork" and e["kind"] == "thread" for e in r)')"
want thread-exits 4 "$(json "$work/t.out" 'sum(e["event"] == "exit" and e["kind"] == "thread" for e in r)')"
"$MEMSCOPE" trace fork --json -- "$O/tests/helpers/threads" 4 >"$work/t.out" 2>"$work/t.err"
want no-threads 0 "$(json "$work/t.out" 'r[-1]["events"]')"

# a storm: nothing is lost with the default buffer
"$MEMSCOPE" trace fork --csv -- bash -c 'for i in $(seq 2000); do : & done; wait' >"$work/s.out" 2>"$work/s.err"
want storm 2001 "$(wc -l <"$work/s.out" | awk '{ print $1 - 1 + 0 + ('"$(sed -n 's/.* forks, \([0-9]*\) lost.*/\1/p' "$work/s.err")"') }')"
check storm-no-loss grep -q ', 0 lost' "$work/s.err"

# --pid with --children
bash -c 'read -r _; /bin/true; bash -c "/bin/true; :"; :' < <(sleep 1; echo) &
shell=$!
"$MEMSCOPE" trace life --pid $shell --children --json --duration 3s >"$work/c.out" 2>"$work/c.err"
want children 3 "$(json "$work/c.out" 'sum(e["event"] == "fork" for e in r)')"

# trace_pipe, in a mount namespace of our own so that nothing of the machine's changes
if unshare -m sh -c 'mount -t tracefs tracefs /sys/kernel/tracing' 2>/dev/null; then
    unshare -m bash -c '
        mount -t tracefs tracefs /sys/kernel/tracing
        timeout 3 cat /sys/kernel/tracing/trace_pipe >"$1/pipe" &
        sleep 0.3
        "$MEMSCOPE" trace fork --trace-pipe -- bash -c "/bin/true; /bin/true" 2>"$1/pipe.err"
        "$MEMSCOPE" trace fault --trace-pipe -- /bin/true 2>>"$1/pipe.err"
        sleep 0.3
        kill %1' _ "$work"
    check trace-pipe-fork grep -qE 'bpf_trace_printk: hello world [0-9]+$' "$work/pipe"
    check trace-pipe-fault grep -qE 'bpf_trace_printk: page_fault pid=[0-9]+ comm=true type=user addr=0x[0-9a-f]+ ip=0x[0-9a-f]+$' "$work/pipe"
else
    skip trace-pipe "tracefs cannot be mounted here"
fi
if [ ! -e /sys/kernel/tracing/trace_pipe ] && [ ! -e /sys/kernel/debug/tracing/trace_pipe ]; then
    "$MEMSCOPE" trace fork --trace-pipe --duration 100ms 2>"$work/e"
    want trace-pipe-unmounted 3 $?
    check trace-pipe-says grep -q 'mount -t tracefs' "$work/e"
fi
