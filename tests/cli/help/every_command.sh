# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# "help X", "X --help" and "X -h" say the same, on stdout, with exit code 0
"$MEMSCOPE" --introspect | python3 -c 'import json, sys
for c in json.load(sys.stdin)["commands"]: print(c["path"])' | while read -r _ words; do
    # shellcheck disable=SC2086 # words of a command
    {
        "$MEMSCOPE" help $words >a || echo "help $words: exit $?"
        "$MEMSCOPE" $words --help >b || echo "$words --help: exit $?"
        "$MEMSCOPE" $words -h >c || echo "$words -h: exit $?"
    }
    cmp a b
    cmp a c
    [ -s a ] || echo "$words: no help"
    awk -v words="$words" 'length > 80 && !/^  *(sudo )?memscope/ { print words ": longer than 80: " $0 }' a
done
