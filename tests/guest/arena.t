#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels: 6.12 6.1
# timeout: 120
#
# The arena on kernels with UFFDIO_MOVE (6.12) and without it (6.1: pages leave by mremap): every call, and
# the model in each way it can be set up.
set -u
O=${O:-build}
[[ -x $O/tests/unit/test_arena ]] || { echo "the unit tests are not built"; exit 77; }
export CK_VERBOSITY=normal MEMSCOPE_MODEL_OPS=3000
"$O/tests/unit/test_arena" || exit 1
"$O/tests/unit/test_arena_model" || exit 1
"$O/memscope" arena bench --region 8M --runs 1 --warmups 0 --idle 0 || exit 1
if [[ $LAB_SERIES == 6.1 ]]; then
    "$O/memscope" arena demo --size 1M --eviction move
    (($? == 4)) || { echo "--eviction move must say that the kernel cannot do that"; exit 1; }
fi
