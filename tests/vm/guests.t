#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Diskless guests: what goes in comes out, and whatever happens, nothing stays behind.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# A copy of the lab below a path that a careless quote or QEMU option would break.
odd_repo() {
    ODD="$T/a repo, it's here"
    mkdir -p "$ODD/sub dir"
    cp -r "$REPO/vm" "$ODD/"
}

case_arguments() {
    odd_repo
    cd "$ODD/sub dir" || fail "no folder"
    # shellcheck disable=SC2016 # expanded in the guest
    expect 37 "$ODD/vm/lab" exec --kernel 6.12 --env "ODD=a 'b' \$c" -- bash -c 'printf "%s\0" "$@" >"args out"; pwd; echo "$ODD"; echo problem >&2; exit 37' \
        x "a b" "it's" '$HOME `id`' $'new\nline\ttab\n' '' '*' '\' '"q"' $'\001\377' 'é' -- --kernel -n a=b
    printf '%s\0' "a b" "it's" '$HOME `id`' $'new\nline\ttab\n' '' '*' '\' '"q"' $'\001\377' 'é' -- --kernel -n a=b |
        cmp -s - "args out" || fail "the arguments differ"
    [[ $(cat "$T.out") == "$ODD/sub dir"$'\n'"a 'b' \$c" ]] || fail "folder or environment: $(cat "$T.out")"
    [[ $(cat "$T.err") == problem ]] || fail "stderr: $(cat "$T.err")"
}

case_stdin_and_bytes() {
    head -c 3000000 /dev/urandom >in
    expect 0 bash -c '"$1" exec --stdin -- sh -c "cat; sleep 900 &" <in' x "$LAB"
    cmp -s in "$T.out" || fail "3 MB through stdin and stdout came back different"
}

case_signals() {
    # The command and what it starts get signals as usual.
    expect 130 "$LAB" exec -- sh -c 'sh -c "kill -INT \$\$"; echo $?; kill -INT $$'
    [[ $(cat "$T.out") == 130 ]] || fail "SIGINT is ignored: $(cat "$T.out")"
}

case_shell() {
    command -v script >/dev/null || skip "script is not installed"
    expect 2 "$LAB" shell </dev/null
    expect 9 bash -c '(sleep 15; printf "\\003"; sleep 2; printf "word\n"; sleep 2) | script -qec "stty rows 33 cols 99; \"$1\" shell -- sh -c \"
        trap \\\"echo caught\\\" INT; stty size; tty; sleep 60; read x; echo got \\\$x; exit 9\"" /dev/null' x "$LAB"
    local want
    for want in "33 99" /dev/hvc0 caught "got word"; do
        grep -q "^$want" <(tr -d '\r' <"$T.out" | sed 's/^\^C//') || fail "no '$want': $(tr -d '\r' <"$T.out" | tail -n 8 | tr '\n' ' ')"
    done
}

case_panic() {
    expect 125 "$LAB" exec -- sh -c 'echo before; echo c >/proc/sysrq-trigger; sleep 30'
    [[ $(cat "$T.out") == before ]] || fail "the output before the panic was lost"
    says "Kernel panic"
    expect 125 "$LAB" exec --append rdinit=/nonexistent -- true
    says "without a status"
}

case_hang() {
    local start=$SECONDS
    expect 124 "$LAB" exec --timeout 9 -- sh -c 'echo started; sleep 1000'
    ((SECONDS - start < 15)) || fail "took $((SECONDS - start)) s"
    [[ $(cat "$T.out") == started ]] || fail "the output was lost"
    says "--timeout"
}

case_flood() {
    local sum rc
    sum=$("$LAB" exec -- sh -c 'yes flood | head -c 100000000; dmesg -n 7; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo "<2>flooding the console with line $i" >/dev/kmsg; done; exit 5' | sha256sum)
    rc=${PIPESTATUS[0]}
    [[ $sum == "$(yes flood | head -c 100000000 | sha256sum)" ]] || fail "100 MB of output came out different"
    # A reader that goes away ends it.
    "$LAB" exec -- yes 2>"$T.err" | head -n 1 >/dev/null
    rc=${PIPESTATUS[0]}
    [[ $rc == 141 ]] || fail "status $rc when the reader went away"
    expect 1 bash -c '"$1" exec -- yes >/dev/full' x "$LAB"
    says "No space left"
}

case_interrupt() {
    local pid i sig rc
    for sig in INT TERM KILL; do
        # An asynchronous job of a script ignores SIGINT unless it is told not to.
        TMPDIR=$T env --default-signal=INT "$LAB" exec -- sh -c 'echo up; sleep 1000' >"$T.out" 2>"$T.err" &
        pid=$!
        for ((i = 0; i < 300; i++)); do
            grep -q up "$T.out" && break
            sleep 0.1
        done
        local qemu
        qemu=$(pgrep -P "$pid" qemu-system) || fail "no QEMU below the lab"
        kill -$sig "$pid"
        rc=0
        wait "$pid" 2>/dev/null || rc=$?
        for ((i = 0; i < 30; i++)); do
            kill -0 "$qemu" 2>/dev/null || break
            sleep 0.1
        done
        ! kill -0 "$qemu" 2>/dev/null || { kill -KILL "$qemu"; fail "SIG$sig left QEMU running"; }
        case $sig in
        INT) [[ $rc == 130 ]] || fail "status $rc after SIGINT" ;;
        TERM) [[ $rc == 143 ]] || fail "status $rc after SIGTERM" ;;
        esac
        [[ $sig == KILL || -z $(compgen -G "$T/memscope-lab.*") ]] || fail "SIG$sig left files behind"
    done
}

case_two_at_once() {
    local a b
    "$LAB" exec --kernel 6.12 -- uname -r >a 2>a.err &
    a=$!
    "$LAB" exec --kernel 6.1 -- uname -r >b 2>b.err &
    b=$!
    wait $a || fail "the first failed: $(tail -n 1 a.err)"
    wait $b || fail "the second failed: $(tail -n 1 b.err)"
    [[ $(cat a) == 6.12.* && $(cat b) == 6.1.* ]] || fail "outputs: $(cat a b)"
}

case_normal_user() {
    [[ $EUID == 0 ]] || skip "runs as a normal user anyway"
    local real=${MEMSCOPE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/memscope-vm} release
    mkdir -p repo cache/kernels cache/series
    cp -r "$REPO/vm" repo/
    release=$(cat "$real/series/6.12")
    cp -r "$real/kernels/$release" cache/kernels/
    cp "$real/series/6.12" cache/series/
    chown -R 65534:65534 repo cache
    chmod 711 "${T%/*}" "$T"
    cd repo || fail "no repo"
    expect 7 setpriv --reuid 65534 --regid 65534 --clear-groups env -u TMPDIR HOME=/nonexistent MEMSCOPE_VM_CACHE="$T/cache" \
        vm/lab exec -- sh -c 'id -u; echo written >file; exit 7'
    [[ $(cat "$T.out") == 0 && $(cat file) == written && $(stat -c %u file) == 65534 ]] || fail "output: $(cat "$T.out")"
}

case_kvm_that_aborts() {
    [[ -w /dev/kvm ]] || skip "no /dev/kvm here"
    borrow_cache "$T/cache"
    cat >qemu <<END
#!/bin/bash
[[ " \$* " != *" -accel kvm "* ]] || { echo trial >>'$T/trials'; kill -ABRT \$\$; }
exec qemu-system-x86_64 "\$@"
END
    chmod +x qemu
    export MEMSCOPE_VM_CACHE=$T/cache LAB_QEMU=$T/qemu
    expect 0 "$LAB" exec -- true
    expect 0 "$LAB" exec -- true
    [[ $(wc -l <trials) == 1 ]] || fail "KVM was tried $(wc -l <trials) times"
    [[ $(cat cache/accel/*) == tcg ]] || fail "the answer was not kept"
    # And one that hangs costs the trial's limit, once.
    rm cache/accel/*
    sed -i 's/kill -ABRT.*; }/exec sleep 1000; }/' qemu
    expect 0 env LAB_KVM_TRIAL=1 "$LAB" exec -- true
    [[ $(cat cache/accel/*) == tcg ]] || fail "the answer was not kept"
}

run_cases guests
