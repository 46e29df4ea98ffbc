# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# after a change of the command table: make generate
mkdir man completions
python3 "$SRC/man/generate" "$MEMSCOPE" .
for file in man/*.1 completions/*; do
    diff -u "$SRC/$file" "$file" || echo "$file is not what make generate writes"
done
for file in "$SRC"/man/memscope*.1; do
    [ -e "man/${file##*/}" ] || echo "man/${file##*/} is left over"
done
