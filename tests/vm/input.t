#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Bad input and missing things; nothing is booted here.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case_usage() {
    expect 2 "$LAB"
    expect 2 "$LAB" nonsense
    says "unknown subcommand 'nonsense'"
    expect 2 "$LAB" --nonsense
    expect 2 "$LAB" exec
    says "no command was given"
    expect 2 "$LAB" exec --mem 5x -- true
    says "'5x' is not a size"
    expect 2 "$LAB" exec --mem 1M -- true
    expect 2 "$LAB" exec --cpus 0 -- true
    expect 2 "$LAB" exec --cpus -1 -- true
    expect 2 "$LAB" exec --timeout abc -- true
    expect 2 "$LAB" exec --timeout 99999999999999999999 -- true
    expect 2 "$LAB" exec --timeout
    says "needs a value"
    expect 2 "$LAB" exec --accel fast -- true
    expect 2 "$LAB" exec --share /nonexistent -- true
    expect 2 "$LAB" exec --env 1x=2 -- true
    expect 2 "$LAB" exec --kernel /nonexistent -- true
    expect 2 "$LAB" exec --kernel /etc/passwd -- true
    expect 2 "$LAB" fetch 6.x
    expect 2 "$LAB" clean
    expect 2 "$LAB" boot --port 99999
    expect 2 "$LAB" image --name ../x
    expect 2 "$LAB" --config /nonexistent check
    expect 2 env LAB_MEM=lots "$LAB" exec -- true
    expect 2 "$LAB" put one
}

case_help() {
    local s
    expect 0 "$LAB" --help
    for s in check fetch exec shell validate experiment image boot ssh put get clean; do
        expect 0 "$LAB" "$s" --help
        grep -q "^usage: lab $s" "$T.out" || fail "no usage of $s"
        grep -q "^  $s\|^  put, get" <("$LAB" --help) || fail "lab --help lacks $s"
    done
}

case_no_qemu() {
    expect 3 env LAB_QEMU=/nonexistent/qemu "$LAB" exec -- true
    says qemu-system-x86
    # All of PATH but QEMU.
    mkdir bin
    local d p
    for d in /usr/local/bin /usr/bin /bin /usr/sbin /sbin; do
        for p in "$d"/*; do
            [[ $p == */qemu-system-* || -e bin/${p##*/} ]] || ln -s "$p" bin/
        done
    done
    expect 3 env PATH="$T/bin" "$LAB" exec -- true
    says "is not installed"
    expect 3 env PATH="$T/bin" "$LAB" check
    grep -q MISSING "$T.out" || fail "check does not show it"
}

# fake_apt FAILS|NONE - an apt that cannot download, or knows nothing.
fake_apt() {
    mkdir -p bin
    cat >bin/apt-get <<'END'
#!/bin/sh
echo "E: Failed to fetch: network is unreachable" >&2
exit 100
END
    cat >bin/apt-cache <<END
#!/bin/sh
[ $1 = NONE ] && exit 0
case "\$*" in
*pkgnames*) echo linux-image-6.12.1+deb12-amd64 ;;
*show*) printf 'Package: x\nSize: 1000\nSHA256: %064d\n' 1 ;;
esac
END
    chmod +x bin/apt-get bin/apt-cache
    export PATH=$T/bin:$PATH
}

case_no_network() {
    fake_apt FAILS
    expect 3 env MEMSCOPE_VM_CACHE="$T/cache" LAB_QUIET=0 "$LAB" fetch 6.12
    says "network is unreachable"
    says "$T/cache/deb"
    says linux-image-6.12
    expect 3 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" exec -- true
    [[ -z $(ls -A cache/kernels) ]] || fail "something was left in the cache"
}

case_no_lists() {
    fake_apt NONE
    expect 3 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" fetch 6.1
    says "apt-get update"
}

case_wrong_hash() {
    fake_apt NONE
    mkdir -p cache/deb
    echo "no package" >cache/deb/linux-image-6.12.117+deb12-amd64_1_amd64.deb
    expect 1 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" fetch 6.12
    says "does not have the SHA-256"
    echo "no package" >cache/deb/linux-image-6.1.0-99-amd64_1_amd64.deb
    printf '%064d  x\n' 7 >cache/deb/linux-image-6.1.0-99-amd64_1_amd64.deb.sha256
    expect 1 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" fetch 6.1
    says "does not have the SHA-256"
    # With no record at all it is not used either.
    rm cache/deb/*.sha256
    expect 3 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" fetch 6.1
    says "no hash is known"
    # The right hash of something that is no package.
    (cd cache/deb && sha256sum linux-image-6.1.*.deb >linux-image-6.1.0-99-amd64_1_amd64.deb.sha256)
    expect 1 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" fetch 6.1
    says "cannot unpack"
    [[ -z $(ls -A cache/kernels) ]] || fail "something was left in the cache"
}

case_wrong_download() {
    fake_apt FAILS
    cat >bin/apt-get <<'END'
#!/bin/sh
echo something else >linux-image-6.12.1+deb12-amd64_1_amd64.deb
END
    expect 1 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" fetch 6.12
    says "wrong SHA-256"
    [[ -z $(ls -A cache/deb) ]] || fail "the wrong file was kept"
}

case_offline_from_cache() {
    # A package that lies in the cache is enough.
    local real=${MEMSCOPE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/memscope-vm} deb
    deb=$(compgen -G "$real/deb/linux-image-6.12.*.deb" | sort -V | tail -n 1)
    [[ -n $deb ]] || skip "no package of 6.12 in the cache"
    mkdir -p cache/deb
    ln -s "$deb" cache/deb/
    [[ ! -e $deb.sha256 ]] || cp "$deb.sha256" cache/deb/
    fake_apt NONE
    expect 0 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" fetch 6.12
    grep -q "^6.12	6.12." "$T.out" || fail "no release was printed"
}

case_disk_full() {
    local real=${MEMSCOPE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/memscope-vm}
    unshare -m true 2>/dev/null || skip "needs root, to mount a small tmpfs"
    mkdir small
    # shellcheck disable=SC2016 # expanded inside
    expect 1 unshare -m bash -c 'mount -t tmpfs -o size=20M small "$1/small" && ln -s "$2/deb" "$1/small/deb" &&
        { MEMSCOPE_VM_CACHE="$1/small" "$3" fetch 6.12; rc=$?; ls -A "$1/small/kernels" >"$1/left"; exit $rc; }' x "$T" "$real" "$LAB"
    says "full?"
    [[ ! -s left ]] || fail "left behind: $(cat left)"
}

case_experiment_without_steps() {
    printf '#!/bin/sh\necho %s\n' "'{\"commands\":[{\"path\":\"memscope\",\"group\":true},{\"path\":\"memscope doctor\",\"group\":false}]}'" >memscope
    chmod +x memscope
    expect 3 env MEMSCOPE="$T/memscope" "$LAB" experiment --out "$T/bundle"
    says "neither 'workload run' nor 'arena bench'"
    says doctor
    [[ ! -e bundle ]] || fail "a bundle was made"
    printf '#!/bin/sh\necho nonsense\n' >memscope
    expect 3 env MEMSCOPE="$T/memscope" "$LAB" experiment --out "$T/bundle"
    expect 2 env MEMSCOPE=/nonexistent "$LAB" experiment
}

run_cases input
