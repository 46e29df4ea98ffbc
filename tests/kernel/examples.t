# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Every example of the command table: those that end must end with exit code 0, the others after SIGINT.
# Those of commands that need nothing of the kernel run in the cli suite.

mkdir "$work/bin" "$work/dir"
ln -s "$MEMSCOPE" "$work/bin/memscope"
PATH=$work/bin:$PATH

run_example() { # LINE
    (cd "$work/dir" && timeout -k 5 120 bash -c "$1") >"$work/out" 2>"$work/err" </dev/null
}

# LINE: prints what went wrong. A background job of a script ignores SIGINT; env undoes that.
interrupt_example() {
    local code=0 pid
    (cd "$work/dir" && exec env --default-signal=INT bash -c "exec $1") >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    children+=("$pid")
    sleep 1.5
    if kill -INT "$pid" 2>/dev/null; then
        wait_for 30 ended "$pid" || kill -KILL "$pid"
        wait "$pid" || code=$?
        [ "$code" = 0 ] || echo "exit code $code after SIGINT"
    else
        wait "$pid" || code=$?
        echo "ended by itself with exit code $code"
        code=1
    fi
    return "$code"
}
ended() { # PID: gone, or waiting to be reaped
    [ "$(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null)" = Z ] || ! kill -0 "$1" 2>/dev/null
}

"$MEMSCOPE" --introspect | python3 -c 'import json, sys
for c in json.load(sys.stdin)["commands"]:
    for i, e in enumerate(c.get("examples", [])):
        if not c["needs"] and e["test"] == "run": continue
        name = c["path"].removeprefix("memscope ").replace(" ", "-") + "-%d" % (i + 1)
        print(e["test"], name, e["line"].replace("sudo ", ""))' >"$work/examples"
while read -r -u 9 how name line; do
    if [ "$how" != sigint ]; then
        run_example "$line"
        code=$?
        if [ $code = 0 ]; then
            pass "$name"
        elif [ "$how$code" = prepared3 ]; then
            skip "$name" "$(tail -n 1 "$work/err")"
        else
            fail "$name" "exit code $code: $line" "$work/err"
        fi
    elif why=$(interrupt_example "$line"); then
        pass "$name"
    else
        fail "$name" "$why: $line" "$work/err"
    fi
done 9<"$work/examples"
[ -s "$work/examples" ] || fail none "--introspect gives no examples"
