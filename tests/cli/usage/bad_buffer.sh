# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" 0 -1 5x 1K 2G 1e6 99999999999999999999T; do "$MEMSCOPE" trace fault --buffer "$v"; echo "$?"; done
