# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
for f in table json pretty csv kv; do "$MEMSCOPE" doctor --format $f >/dev/full; echo "$f $?"; done
