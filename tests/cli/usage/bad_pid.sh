# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for pid in '' 0 -1 5x ' 5' 0x10 1.5 4194305 99999999999999999999999 abc; do
    "$MEMSCOPE" trace fault --pid "$pid"
    echo "$?"
done
