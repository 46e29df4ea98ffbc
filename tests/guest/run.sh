#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs tests/guest/*.t inside a guest, all of one kernel in one boot.
#
#   tests/guest/run.sh [--kernel 6.12|6.1|PATH] [--mem SIZE] [--timeout S] [NAME…]
#
# A test is an executable with these lines near its top:
#   # kernels: 6.12 6.1     the series it is for (needed)
#   # timeout: 60           seconds that it may take in the guest (60)
# It runs as root in the root of the repository, with TMPDIR a folder of its own and LAB_SERIES the series.
# Exit status 0 passes, 77 skips (its last line of output is the reason), anything else fails; then its
# output is shown. One line per test: PASS|FAIL|SKIP guest-<kernel>/<name>[: reason]. Exit status 1 if one failed.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
repo=${here%/*/*}
kernel=6.12 mem=1G timeout=900 names=()

usage() {
    sed -n '3,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit "$1"
}

while (($#)); do
    case $1 in
    --kernel | --mem | --timeout)
        (($# >= 2)) || usage 2 >&2
        case $1 in --kernel) kernel=$2 ;; --mem) mem=$2 ;; --timeout) timeout=$2 ;; esac
        shift
        ;;
    -h | --help) usage 0 ;;
    -*) usage 2 >&2 ;;
    *) names+=("$1") ;;
    esac
    shift
done

header() { sed -n "1,15s/^# $1: *//p" "$2" | head -n 1; }

series=${kernel##*/}
suite=guest-$series
chosen=()
for t in "$here"/*.t; do
    [[ -x $t ]] || continue
    name=$(basename "$t" .t)
    ((${#names[@]} == 0)) || [[ " ${names[*]} " == *" $name "* ]] || continue
    # A kernel that is given by its path runs the tests of 6.12.
    want=$series
    [[ $series =~ ^[0-9]+\.[0-9]+$ ]] || want=6.12
    [[ " $(header kernels "$t") " == *" $want "* ]] || continue
    limit=$(header timeout "$t")
    chosen+=("$name" "${limit:-60}")
done
if ((${#chosen[@]} == 0)); then
    echo "no test in $here is for the kernel $kernel" >&2
    exit 2
fi

# The guest's lines go through as they come; what has no line at the end was lost with the guest.
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
status=0
cd "$repo" || exit 1
"$repo/vm/lab" exec --kernel "$kernel" --mem "$mem" --timeout "$timeout" --env MEMSCOPE --env "LAB_SERIES=$series" \
    -- "$here/inside.sh" "$suite" "${chosen[@]}" | tee "$log" || status=$?
failed=0
grep -q "^FAIL $suite/" "$log" && failed=1
for ((i = 0; i < ${#chosen[@]}; i += 2)); do
    if ! grep -qE "^(PASS|FAIL|SKIP) $suite/${chosen[i]}(:|\$)" "$log"; then
        echo "FAIL $suite/${chosen[i]}: the guest ended before this test did (status $status)"
        failed=1
    fi
done
((status == 0 || status == 1)) || failed=1
exit "$failed"
