#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the tests of the guest lab on this host: tests/vm/run.sh [NAME…]. Exit status 1 if one failed.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# Two cases need both kernels at hand; without network and cache they fail by themselves.
"${here%/*/*}/vm/lab" fetch >/dev/null || echo "the kernels are not all there" >&2
failed=0
for t in "$here"/*.t; do
    (($# == 0)) || [[ " $* " == *" $(basename "$t" .t) "* ]] || continue
    "$t" || failed=1
done
exit "$failed"
