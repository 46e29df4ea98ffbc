# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
"$MEMSCOPE" doctor --json >one && "$MEMSCOPE" doctor --pretty >two && wc -l <one && python3 - one two <<'P'
import json, sys
one, two = (json.load(open(f)) for f in sys.argv[1:])
assert one == two
assert one["schema"] == "memscope.doctor/1"
assert {c["state"] for c in one["commands"]} <= {"ok", "reduced", "missing"}
for c in one["commands"]:
    assert bool(c["lacks"]) == (c["state"] != "ok"), c
    assert all(l["what"] and l["remedy"] for l in c["lacks"]), c
for f in one["features"]:
    assert f["state"] in ("ok", "no privilege", "not set up", "not in this kernel"), f
    assert f["state"] == "ok" or f["remedy"], f
print(sorted(c["name"] for c in one["commands"] if c["name"].startswith(("trace", "doctor"))))
P
