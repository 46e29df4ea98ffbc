# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# a reader that has had enough is no error worth a message
set -o pipefail
"$MEMSCOPE" doctor --json | head -c 1 >/dev/null
