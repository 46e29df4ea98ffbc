# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" no-such-user -1 4294967295 5x; do "$MEMSCOPE" trace fault --uid "$v"; echo "$?"; done
