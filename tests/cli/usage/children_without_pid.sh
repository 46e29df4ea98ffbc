# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
"$MEMSCOPE" trace fork --children
