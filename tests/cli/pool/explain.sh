# SPDX-License-Identifier: BSD-2-Clause
for k in 5.10 6.1 6.12 6.18; do
    echo "# $k"
    "$MEMSCOPE" pool explain --sysroot "$SRC/tests/sysroot/zram-$k" -q
done
"$MEMSCOPE" pool explain --sysroot "$SRC/tests/sysroot/zram-6.18" --json
"$MEMSCOPE" pool explain --sysroot "$SRC/tests/sysroot/zram-6.12" --csv
"$MEMSCOPE" pool explain --sysroot "$SRC/tests/sysroot/zram-6.18" --device zram1
