# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
"$MEMSCOPE" doctor | awk 'NR == 1 || /^(COMMAND|FEATURE)/ { print $1, $2, $3 }' | sed 's/ [0-9.]* / VERSION /'
