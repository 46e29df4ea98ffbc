# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in 0 -1 5x; do "$MEMSCOPE" trace fault --tid "$v"; echo "$?"; done
