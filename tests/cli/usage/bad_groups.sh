# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" 0 15 -1 262145; do "$MEMSCOPE" trace fault --by pid --groups "$v"; echo "$?"; done
