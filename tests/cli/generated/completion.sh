# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source=/dev/null
. "$SRC/completions/memscope.bash"
words() { # as bash would when TAB is pressed after the last word
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _memscope
    printf '%s:' "$*"
    printf ' %s' "${COMPREPLY[@]}"
    echo
}
words memscope trace f
words memscope doc
words memscope help trace s
words memscope trace fault --max
words memscope trace fault --by pi
words memscope trace fault --by pid,c
words memscope trace fault --by = vm
words memscope trace fault --format j
words memscope trace fault --latency = k
words memscope trace fault --latency --by
words memscope trace fault --duration ''
words memscope trace fault --vma --sy
words memscope doctor --js
touch page.bin
words memscope codec rank pa
words memscope codec rank --profile c
words memscope nothing --js
words memscope trace fault -- no-such-program-
