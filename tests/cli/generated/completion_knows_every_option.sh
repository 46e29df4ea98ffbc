# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source=/dev/null
. "$SRC/completions/memscope.bash"
"$MEMSCOPE" --introspect | python3 -c 'import json, sys
for c in json.load(sys.stdin)["commands"]:
    for o in c.get("options", []): print(c["path"], "--" + o["long"])' >options
while read -r -a words; do
    COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
    _memscope
    [[ " ${COMPREPLY[*]} " == *" ${words[-1]} "* ]] || echo "${words[*]} is not offered"
done <options
[ -s options ] && echo complete
