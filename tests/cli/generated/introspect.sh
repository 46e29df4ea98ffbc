# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
"$MEMSCOPE" --introspect | python3 -c 'import json, sys
t = json.load(sys.stdin)
assert t["schema"] == "memscope.commands/1"
for c in t["commands"]:
    assert c["brief"] and not c["brief"].endswith("."), c["path"]
    if c["group"]: continue
    assert c["examples"], c["path"] + ": no example"
    for e in c["examples"]:
        line = e["line"].replace("sudo ", "")
        assert line.startswith(("memscope ", "sh -c \x27memscope ")) and c["path"] in line, line
        assert e["test"] in ("run", "sigint", "prepared") and e["what"], line
    seen = set()
    for o in c["options"]:
        assert o["doc"] and not o["doc"].endswith("."), o
        for name in (o["short"], o["long"]):
            assert name is None or name not in seen, c["path"] + " has two " + name
            seen.add(name)
    assert {"json", "csv", "help", "format"} <= seen
    for f in c["needs"] + c["uses"]: assert f in t["features"], f
print("ok")'
