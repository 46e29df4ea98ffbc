# SPDX-License-Identifier: BSD-2-Clause
# Each refusal names the option, the value and what it may be.
try() {
    echo "\$ $*"
    "$MEMSCOPE" "$@" </dev/null 2>&1 | sed '/^Try /,$d'
    "$MEMSCOPE" "$@" </dev/null >/dev/null 2>&1
    echo "exit $?"
}
try pool
try pool stauts
try pool setup --device sda
try pool setup --device zram01
try pool setup --size 5x
try pool setup --size -1
try pool setup --size 0%
try pool setup --size abc%
try pool setup --size ''
try pool setup --mem-limit 0
try pool setup --priority 32768
try pool setup --priority -1
try pool setup --recompress a --recompress b --recompress c --recompress d
try pool setup --fail-at nowhere
try pool setup extra
try pool status --interval 1ns
try pool status --duration 1s
try pool status --device zram
try pool reset --device /dev/null
try pool undo extra
try pool explain --watch
try pool trigger
try pool trigger explode
try pool trigger compress --profile huge
try pool trigger compress --duration-sec 0
try pool trigger compress --duration-sec 5x
try pool trigger compress --size 1K
try pool trigger compress --size 8M --limit 8M
try pool trigger compress --dataset lorem
try pool trigger decompress --profile light
try pool trigger decompress --seed -1
try pool maintain --recompress all
try pool maintain --threshold 5K
try pool maintain --cpu-budget 0
try pool maintain --every 1ms
try pool maintain --rounds 3
try pool maintain --idle-age 0
