# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" "," pidd pid,x PID "pid comm"; do "$MEMSCOPE" trace fault --by "$v"; echo "$?"; done
