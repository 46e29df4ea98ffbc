# SPDX-License-Identifier: BSD-2-Clause
# one header and one row, one object, and a full disk
"$MEMSCOPE" workload run random_touch_heap -d 0.1 --region 1M -w 1 --csv >csv || echo "exit $?"
wc -l <csv
"$MEMSCOPE" workload run random_touch_heap -d 0.1 --region 1M -w 1 --verify --pretty >json || echo "exit $?"
python3 -c 'import json, csv
r = json.load(open("json"))
c = next(csv.reader(open("csv")))
print(r["schema"], sorted(set(c) - set(r)), sorted(set(r) - set(c)))'
"$MEMSCOPE" workload run random_touch_heap -d 0.1 --region 1M -w 1 >/dev/full
echo "exit $?"
"$MEMSCOPE" workload run random_touch_heap -d 0.1 --region 1M -w 1 | head -1
