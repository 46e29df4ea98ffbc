# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
exec 2>&1
for o in "--region 0" "--region -1" "--region 5x" "--cap 1" "--runs 0" "--hot-pct 101" "--phase-model x" \
    "--dataset x" "--sample-step 0" "--plot x.txt" "--tier hot" "--chunk 8K" "--access x" "--idle -1s"; do
    # shellcheck disable=SC2086 # an option and its value
    "$MEMSCOPE" arena bench $o | head -1
done
"$MEMSCOPE" arena bench --image /nowhere --runs 1
echo "$?"
"$MEMSCOPE" arena bench --image /dev/null --runs 1
echo "$?"
"$MEMSCOPE" arena demo --size 1M >/dev/full
echo "$?"
