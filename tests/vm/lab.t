#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The larger subcommands, with a stand-in for memscope.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

stand_in() {
    cat >memscope <<'END'
#!/bin/bash
case "$*" in
--introspect) echo '{"schema":"memscope.commands/1","commands":[{"path":"memscope","group":true},{"path":"memscope doctor","group":false},
    {"path":"memscope workload run","brief":"a \"quoted\" text","group":false},{"path":"memscope arena bench","group":false}]}' ;;
--version) echo "memscope 0.0 stand-in" ;;
"doctor --json") echo '{"schema":"memscope.doctor/1","commands":[{"name":"trace fault","state":"ok","remedy":null}]}' ;;
doctor) echo "trace fault  ok" ;;
"workload run interactive_burst --use-mem-arena --json --seed 1") echo '{"schema":"stand-in/1","kernel":"'"$(uname -r)"'"}'; echo a notice >&2; exit 5 ;;
"workload run interactive_burst --use-mem-arena --json") echo nonsense ;;
*) exit 2 ;;
esac
END
    chmod +x memscope
    export MEMSCOPE=$T/memscope
}

case_validate() {
    local k
    stand_in
    for k in 6.12 6.1; do
        expect 0 "$LAB" validate --kernel "$k" --json
        grep -q '^{"schema":"memscope.lab-validate/1","kernel":"'"$k"'.*"pass":true}$' "$T.out" || fail "$k: $(cat "$T.out")"
        grep -q '"doctor":{"schema":"memscope.doctor/1"' "$T.out" || fail "$k: no doctor"
    done
    grep -q '"name":"damon","state":"expected-missing","required":false' "$T.out" || fail "6.1: $(cat "$T.out")"
    # A lack that is not expected fails.
    expect 5 env LAB_MODULES_EXEC="virtio_pci virtio_console 9pnet_virtio 9p overlay" "$LAB" validate
    grep -q '^zram  *missing' "$T.out" || fail "no zram was not noticed: $(cat "$T.out")"
}

case_experiment() {
    stand_in
    expect 5 "$LAB" experiment --out "$T/a bundle" -- --seed 1
    local f
    for f in bundle.json result.json stderr.txt command.txt dmesg.txt kernel-config.txt kernel-version.txt console.log \
        stats/before/vmstat stats/after/zram0.mm_stat; do
        [[ -e "a bundle/$f" ]] || fail "the bundle lacks $f"
    done
    grep -q '^{"schema":"stand-in/1","kernel":"6.12' "a bundle/result.json" || fail "result: $(cat "a bundle/result.json")"
    grep -q '"step":"workload run".*"lab_status":5,"command_status":5' "a bundle/bundle.json" || fail "$(cat "a bundle/bundle.json")"
    perl "$REPO/vm/lib/capabilities.pl" <"a bundle/bundle.json" >/dev/null || fail "bundle.json is not JSON"
    expect 2 "$LAB" experiment --out "$T/a bundle"
    expect 1 "$LAB" experiment --out "$T/other"
    says "not a JSON object"
}

case_image() {
    local p
    for p in mmdebstrap mke2fs qemu-img ssh ssh-keygen; do command -v $p >/dev/null || skip "$p is not installed"; done
    borrow_cache "$T/a cache"
    export MEMSCOPE_VM_CACHE="$T/a cache"
    expect 3 "$LAB" ssh -- true
    says "lab image"
    expect 0 "$LAB" image --size 1G
    expect 3 "$LAB" ssh -- true
    says "lab boot"
    expect 0 "$LAB" boot
    trap '"$LAB" boot --stop' EXIT
    expect 1 "$LAB" boot
    says "running already"
    expect 1 "$LAB" clean --images
    expect 37 "$LAB" ssh -- sh -c 'printf "[%s]" "$@"; exit 37' x "a b" "it's" '$x' ''
    [[ $(cat "$T.out") == "[a b][it's][\$x][]" ]] || fail "arguments: $(cat "$T.out")"
    echo content >"a file"
    expect 0 "$LAB" put "a file" "/root/in there"
    expect 0 "$LAB" get "/root/in there" "back:1"
    cmp -s "a file" back:1 || fail "a file changed on its way"
    # Only loopback listens, and the guest reaches nothing.
    local port
    port=$("$LAB" boot --status | sed 's/.*127.0.0.1://')
    ss -ltn 2>/dev/null | grep ":$port " | grep -qv "127.0.0.1:$port" && fail "the port listens elsewhere"
    expect 0 "$LAB" ssh -- sh -c "test -w '$REPO' && ! timeout 3 bash -c 'exec 3<>/dev/tcp/10.0.2.2/22' 2>/dev/null"
    expect 0 "$LAB" boot --stop
    trap - EXIT
    expect 1 "$LAB" boot --status
}

run_cases lab
