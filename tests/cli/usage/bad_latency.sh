# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" x fentryy; do "$MEMSCOPE" trace fault --latency="$v"; echo "$?"; done
