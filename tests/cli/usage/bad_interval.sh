# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for c in fault swap; do for v in "" 0 1ms 5x 99999h; do "$MEMSCOPE" trace $c --interval "$v"; echo "$?"; done; done
