# SPDX-License-Identifier: BSD-2-Clause
# Inputs that cannot be measured or ranked, and what is said of them.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
try() {
    echo "\$ $*"
    "$MEMSCOPE" "$@" 2>&1
    echo "exit $?"
}
: >empty
printf 'too short' >short
printf 'not a dictionary at all, nor a sweep\nbut two lines\n' >junk
try codec sweep --quick empty
try codec sweep --quick short
try codec sweep --quick absent
try codec sweep --quick /
try codec sweep --quick --pid 2147483647
try codec sweep --quick --dict junk --codec zstd:3 --dataset heap
try codec sweep --quick --dict junk --codec lz4 --dataset heap
try codec sweep --quick --cpu 1023
try codec rank --from absent
try codec rank --from empty
try codec rank --from junk
echo '{"schema":"memscope.codec-sweep/2","results":[]}' >json
try codec rank --from json
echo '{"schema":"memscope.codec-sweep/1","results":[{"codec":"lz4","mode":"fast","level":"?"}]}' >json
try codec rank --from json
printf 'codec,mode,level\nlz4,fast,1\n' >csv
try codec rank --from csv
try codec train --output dict short
head -c 65536 /dev/zero >zeros
try codec train --output dict zeros
try codec train --output /dev/full --force --dataset text --max-size 1M
"$MEMSCOPE" codec list >/dev/full 2>/dev/null
echo "to /dev/full: exit $?"
