# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
"$MEMSCOPE" doctor --csv | python3 -c 'import csv, sys
rows = list(csv.DictReader(sys.stdin))
print(list(rows[0]))
print(sorted({r["command"] for r in rows if r["command"].startswith(("trace", "doctor"))}))
assert all(r["state"] in ("ok", "reduced", "missing") for r in rows)'
