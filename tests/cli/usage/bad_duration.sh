# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" 0 -1s 5x 1e3s 0.1ms 999999999h "1 s"; do "$MEMSCOPE" trace fault --duration "$v"; echo "$?"; done
