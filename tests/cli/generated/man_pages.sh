# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
command -v man >/dev/null || { echo "no man(1)"; exit 77; }
for page in "$SRC"/man/*.1; do
    MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -l "$page" 2>&1 >text | sed "s|$SRC/||"
    for part in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' 'SEE ALSO'; do
        grep -q "$part\$" text || echo "${page##*/}: no $part"
    done
done
if command -v mandoc >/dev/null; then
    # the date is left out, so that the pages are the same whenever they are made
    (cd "$SRC" && mandoc -T lint -W warning man/*.1 | grep -v 'missing date')
fi
exit 0
