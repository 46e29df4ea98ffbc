# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel tests share. Sourced; $0 is "kernel/NAME".
set -u
work=$(mktemp -d)
children=()
cleanup() {
    disown -a # or the shell tells of each
    for pid in "${children[@]:-}"; do
        [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap cleanup EXIT
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
suite=$0

pass() { echo "PASS $suite-$1"; }
fail() {
    echo "FAIL $suite-$1: $2"
    shift 2
    for file; do sed 's/^/    /' "$file" | head -20; done
}
skip() { echo "SKIP $suite-$1: $2"; }
# check NAME CONDITION-COMMAND…: passes when the command does
check() {
    local name=$1
    shift
    if "$@"; then pass "$name"; else fail "$name" "$*"; fi
}
# want NAME WANTED GOT
want() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "wanted '$2', got '$3'"; fi
}
# json FILE EXPRESSION: python's value of an expression over the list r of the file's JSON lines
json() {
    python3 -c 'import json, sys
r = [json.loads(l) for l in open(sys.argv[1])]
v = eval("(" + sys.argv[2] + ")")
print("true" if v is True else "false" if v is False else v)' "$1" "$2"
}
# wait_for SECONDS COMMAND…
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.02
    done
}
# A faulter on fifos: faulter_start NAME PAGES [CPU]; faulter_go NAME; faulter_end NAME
declare -A faulter_pid
faulter_start() {
    mkfifo "$work/$1.in"
    # opened read-write so that neither side waits for the other
    exec {fd}<>"$work/$1.in"
    eval "faulter_fd_$1=$fd"
    : >"$work/$1.out"
    "$O/tests/helpers/faulter" "${@:2}" <"$work/$1.in" >"$work/$1.out" &
    children+=($!)
    faulter_pid[$1]=$!
    wait_for 10 grep -q ready "$work/$1.out"
}
faulter_go() {
    eval "echo go >&\$faulter_fd_$1"
    wait_for 60 grep -q faults "$work/$1.out"
}
faulter_end() {
    eval "echo end >&\$faulter_fd_$1"
    wait "${faulter_pid[$1]}"
}
faulter_faults() { awk '/^faults/ { print $2 }' "$work/$1.out"; }
# tracer NAME ARGS…: starts memscope in the background, waits until it is attached
tracer() {
    local name=$1
    shift
    : >"$work/$name.err"
    "$MEMSCOPE" "$@" -v >"$work/$name.out" 2>"$work/$name.err" &
    tracer_pid=$!
    children+=($!)
    wait_for 20 grep -q 'tracing' "$work/$name.err" || {
        fail "$name-start" "no trace began" "$work/$name.err"
        return 1
    }
}
tracer_stop() {
    kill -"${1:-INT}" $tracer_pid 2>/dev/null
    wait $tracer_pid
    tracer_code=$?
}
