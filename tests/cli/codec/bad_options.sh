# SPDX-License-Identifier: BSD-2-Clause
# Values that codec commands refuse: each names the option, the value and what it may be.
try() {
    echo "\$ $*"
    "$MEMSCOPE" "$@" </dev/null 2>&1 | grep -v '^Try \|^information'
    "$MEMSCOPE" "$@" </dev/null >/dev/null 2>&1
    echo "exit $?"
}
try codec sweep --codec foo
try codec sweep --codec zstd:99
try codec sweep --codec lz4:1x
try codec sweep --codec lz4,lz4hc:0
try codec sweep --codec ''
try codec sweep --max-size -1
try codec sweep --max-size 1x
try codec sweep --runs 0
try codec sweep --dataset lorem
try codec sweep --pid 0
try codec sweep --pid 12abc
try codec sweep --page-size 5000
try codec sweep --size 512
try codec sweep --unit both --max-size 1K --unit page
try codec sweep --min-savings-pct 100
try codec sweep --plot front.pdf
try codec sweep --cpu -1
try codec rank --profile boiling
try codec rank --readback-factor -1
try codec rank --readback-factor nan
try codec rank --from x --pid 1
try codec train --dataset heap
try codec train --output x --codec lz4 --dataset heap
try codec train --output x
