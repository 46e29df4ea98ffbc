# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Every model, way of access and tier on little memory: what was measured must fit together.
check='
import json, sys
d = json.load(sys.stdin)
assert d["schema"] == 1 and not d["partial"]
for r in d["medians"] + d["runs"]:
    assert r["verified"] is True, r
    assert r["attempted_bytes"] >= r["logical_bytes"] >= r["same_filled_bytes"]
    assert r["pool_resident_bytes"] >= r["pool_live_bytes"] >= r["compressed_bytes"]
    if r["dataset"] == "repetitive":
        assert r["ratio_e2e_post_comp"] > 5 and r["admit_rate_post_comp"] == 1, r
    if r["dataset"] == "unique":
        assert r["logical_bytes"] == 0 and r["ratio_e2e_post_comp"] > 0.9, r
    if r["dataset"] == "mixed_50_50":
        assert abs(r["admit_rate_post_comp"] - 0.5) < 0.01, r
print(len(d["medians"]), len(d["runs"]))'
run() {
    "$MEMSCOPE" arena bench --region 4M --warmups 0 --idle 0 --json "$@" | python3 -c "$check"
}
run --runs 2
run --runs 1 --phase-model single-bulk --access explicit
run --runs 1 --phase-model hot-idle-full-reread --eviction remap --checksum
run --runs 1 --dataset text --dataset heap --tier cold --chunk 64K
run --runs 1 --cap 256K --when-full restore --tier cool --dataset heap
run --runs 1 --image /bin/sh --sample-step 7 --seed 5
"$MEMSCOPE" arena bench --region 1M --runs 2 --warmups 0 --dataset text --csv | awk -F, '{ print NF }' | uniq -c |
    awk '{ print $1 }'
