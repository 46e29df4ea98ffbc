# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" -1 5x 1000001; do "$MEMSCOPE" trace fault --by pid --top "$v"; echo "$?"; done
