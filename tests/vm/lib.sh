# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# For the tests of the guest lab. A test file has functions case_NAME and ends with `run_cases SUITE`. A case
# runs in a subshell with its own $T; `fail` and `skip` end it. One line each: PASS|FAIL|SKIP vm/<file>-<case>[: reason].
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
REPO=${HERE%/*/*}
LAB=$REPO/vm/lab
export LAB_QUIET=1

fail() {
    printf '%s\n' "$*" >"$T.reason"
    exit 1
}

skip() {
    printf '%s\n' "$*" >"$T.reason"
    exit 77
}

# expect STATUS CMD… - runs CMD with its output in $T.out and $T.err.
expect() {
    local want=$1 got=0
    shift
    "$@" >"$T.out" 2>"$T.err" || got=$?
    [[ $got == "$want" ]] || fail "status $got instead of $want: $* -- $(tail -n 2 "$T.err" | tr '\n' ' ')"
}

# says TEXT - the last command's stderr has TEXT in it.
says() { grep -qF -- "$1" "$T.err" || fail "stderr lacks '$1': $(head -n 3 "$T.err" | tr '\n' ' ')"; }

# A cache of the test's own that borrows the kernels of the real one.
borrow_cache() {
    local real=${MEMSCOPE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/memscope-vm}
    mkdir -p "$1"
    ln -s "$real/kernels" "$real/series" "$real/deb" "$1/"
}

# qemus_of PID - how many QEMU processes have PID as their parent.
qemus_of() { pgrep -c -P "$1" qemu-system || true; }

run_cases() {
    local suite=vm/$1 c rc failed=0 work
    work=$(mktemp -d "${TMPDIR:-/tmp}/lab-test.XXXXXX") || exit 1
    # shellcheck disable=SC2064 # the name is fixed now
    trap "rm -rf '$work'" EXIT
    for c in $(declare -F | sed -n 's/^declare -f case_//p'); do
        T=$work/$c
        mkdir "$T"
        rc=0
        (cd "$T" && "case_$c") || rc=$?
        case $rc in
        0) echo "PASS $suite-$c" ;;
        77) echo "SKIP $suite-$c: $(cat "$T.reason")" ;;
        *)
            echo "FAIL $suite-$c: $(cat "$T.reason" 2>/dev/null || echo "ended with $rc")"
            failed=1
            ;;
        esac
    done
    exit "$failed"
}
