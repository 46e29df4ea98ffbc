# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" 0 -1 5x 18446744073709551616; do "$MEMSCOPE" trace fault --max-events "$v"; echo "$?"; done
