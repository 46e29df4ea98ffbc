# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for v in "" sixteen-bytes-oh ; do "$MEMSCOPE" trace fault --comm "$v"; echo "$?"; done
