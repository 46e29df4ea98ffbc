# SPDX-License-Identifier: BSD-2-Clause
# more memory than there is: both numbers are named
for args in "run anon_streamer --region 4096G" "external stress-ng fork-vm --region 4096G"; do
    # shellcheck disable=SC2086 # words
    "$MEMSCOPE" workload $args 2>&1 | sed -E 's/[0-9.]+[MGT] \([0-9]+ bytes\)/SIZE/g'
    echo "exit ${PIPESTATUS[0]}"
done
