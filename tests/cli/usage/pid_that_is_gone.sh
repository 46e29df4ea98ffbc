# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# a process that has just ended, so that its number names none
sh -c : &
wait $!
"$MEMSCOPE" trace fault --pid $! 2>&1 | sed "s/ $!:/ PID:/"
echo "${PIPESTATUS[0]}"
