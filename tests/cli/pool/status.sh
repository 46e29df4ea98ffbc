# SPDX-License-Identifier: BSD-2-Clause
# The figures of trees of four kernels, in every format.
for k in 5.10 6.1 6.12 6.18; do
    echo "# $k"
    "$MEMSCOPE" pool status --sysroot "$SRC/tests/sysroot/zram-$k" -q
    "$MEMSCOPE" pool status --sysroot "$SRC/tests/sysroot/zram-$k" -q --blocks --csv
done
"$MEMSCOPE" pool status --sysroot "$SRC/tests/sysroot/zram-6.12" --pretty
"$MEMSCOPE" pool status --sysroot "$SRC/tests/sysroot/zram-5.10" --format kv
"$MEMSCOPE" pool status --sysroot "$SRC/tests/sysroot/zram-6.18" --device zram1
