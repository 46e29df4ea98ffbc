#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh MMTESTS CONFIG OUT: runs a config of MMTests, then writes what its extractor says of each of
# its benchmarks into OUT/result.txt. The logs stay where MMTests keeps them, below work/log.
set -eu
cd "$1"
config=$2
[ -f "$config" ] || config=configs/$2
[ -f "$config" ] || { echo "no config '$2' below $1/configs" >&2; exit 2; }
name=memscope-$$
./run-mmtests.sh --no-monitor --config "$config" "$name"
# A config names its benchmarks in MMTESTS="…".
benchmarks=$(sed -n 's/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}MMTESTS=["'\'']\{0,1\}\([^"'\'']*\).*/\2/p' "$config" | tail -n 1)
for benchmark in $benchmarks; do
    echo "# $benchmark"
    perl bin/extract-mmtests.pl -d work/log -n "$name" -b "$benchmark"
done >"$3/result.txt"
