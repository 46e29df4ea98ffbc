#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The part of run.sh that runs in the guest: inside.sh SUITE (NAME SECONDS)…
set -u
suite=$1
shift
here=$(dirname -- "$0")
[[ ${MEMSCOPE_LAB:-} == 1 ]] || { echo "this runs in a guest of the lab" >&2; exit 2; }
failed=0
while (($#)); do
    name=$1 limit=$2
    shift 2
    work=$(mktemp -d) || exit 1
    status=0
    TMPDIR=$work timeout -k 5 "$limit" "$here/$name.t" >"$work.out" 2>&1 </dev/null || status=$?
    case $status in
    0) echo "PASS $suite/$name" ;;
    77) echo "SKIP $suite/$name: $(tail -n 1 "$work.out")" ;;
    *)
        why="status $status"
        ((status != 124 && status != 137)) || why="not done after $limit s"
        echo "FAIL $suite/$name: $why"
        tail -n 60 "$work.out" | sed 's/^/  | /'
        failed=1
        ;;
    esac
    rm -rf "$work" "$work.out"
done
exit "$failed"
