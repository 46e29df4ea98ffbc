#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The plumbing of vm/arch/bootstrap, against a repository of made-up packages: no Arch package is involved.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
BOOTSTRAP=$REPO/vm/arch/bootstrap

needs() {
    local p
    ((EUID == 0)) || skip "needs root"
    for p in pacman repo-add bsdtar unshare "$@"; do command -v "$p" >/dev/null || skip "$p is not installed"; done
}

# package NAME VERSION DEPENDS FILE… - a package whose files hold their own names.
package() {
    local name=$1 version=$2 depends=$3 f
    shift 3
    mkdir -p "p/$name" server
    for f; do
        mkdir -p "p/$name/$(dirname "$f")"
        echo "$name $f" >"p/$name/$f"
    done
    { printf 'pkgname = %s\npkgbase = %s\npkgver = %s\npkgdesc = made up\nurl = none\nbuilddate = 1\npackager = nobody\nsize = 1\narch = any\n' \
        "$name" "$name" "$version" && for f in $depends; do echo "depend = $f"; done; } >"p/$name/.PKGINFO"
    (cd "p/$name" && bsdtar --zstd -cf "../../server/$name-$version-any.pkg.tar.zst" .PKGINFO *) || fail "cannot pack $name"
}

made_up_repository() {
    package glibc 1.0-1 '' usr/lib/libc.txt
    package base 2-1 glibc etc/arch-release usr/lib/systemd/system/sshd.service
    package linux 6.99.1-1 '' usr/lib/modules/6.99.1-arch1-1/vmlinuz usr/lib/modules/6.99.1-arch1-1/pkgbase
    repo-add -q server/core.db.tar.gz server/*.pkg.tar.zst >repo.log 2>&1 || fail "repo-add: $(tail -n 1 repo.log)"
    printf 'base # comment\n\nlinux\n' >list
    export MEMSCOPE_VM_CACHE=$T/cache
    COMMON=(--mirror "file://$T/server" --unsigned --repos core --packages list)
}

case_host_pacman() {
    needs
    made_up_repository
    expect 0 "$BOOTSTRAP" "${COMMON[@]}" --root-only "$T/root dir" --record lock
    [[ $(cat lock) == "base 2-1"$'\n'"glibc 1.0-1"$'\n'"linux 6.99.1-1" ]] || fail "recorded: $(cat lock)"
    [[ $(cat "root dir/etc/arch-release") == "base etc/arch-release" ]] || fail "no files"
    [[ -s "root dir/boot/vmlinuz-6.99.1-arch1-1" ]] || fail "the kernel is not where the lab looks"
    [[ -L "root dir/etc/systemd/system/multi-user.target.wants/sshd.service" ]] || fail "sshd is not enabled"
    [[ -s "root dir/root/.ssh/authorized_keys" ]] || fail "no key"
    if command -v systemd-escape >/dev/null; then
        grep -qx "Where=$REPO" "root dir/etc/systemd/system/$(systemd-escape -p --suffix=mount "$REPO")" || fail "no mount unit"
    fi
    [[ -z $(ls -A cache/images) ]] || fail "left behind: $(ls -A cache/images)"
    # The same versions pass, others do not.
    expect 0 "$BOOTSTRAP" "${COMMON[@]}" --root-only "$T/second" --lock lock
    sed -i 's/^glibc.*/glibc 0.9-1/' lock
    expect 5 "$BOOTSTRAP" "${COMMON[@]}" --root-only "$T/third" --lock lock
    says "glibc 0.9-1"
    [[ ! -e third ]] || fail "it was built all the same"
}

# environment DIR - a root with the pacman of this host in it, as a bootstrap tarball has one.
environment() {
    mkdir -p "$1"/{usr/bin,usr/lib,etc,var/lib/pacman}
    local f
    for f in /usr/bin/pacman /bin/bash; do
        cp "$f" "$1/usr/bin/"
        ldd "$f" | sed -n 's/.* \(\/[^ ]*\) (.*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p'
    done | sort -u | while read -r f; do
        mkdir -p "$1/$(dirname "$f")"
        cp -L "$f" "$1/$f"
    done
    mkdir -p "$1/bin"
    ln -sf ../usr/bin/bash "$1/bin/sh"
}

case_tarball() {
    needs zstd tar
    made_up_repository
    environment root.x86_64
    tar --zstd -cf bootstrap.tar.zst root.x86_64
    expect 0 "$BOOTSTRAP" "${COMMON[@]}" --tarball bootstrap.tar.zst --root-only "$T/root" --record lock
    [[ $(wc -l <lock) == 3 && -s root/etc/arch-release ]] || fail "not installed: $(cat lock)"
    expect 2 "$BOOTSTRAP" "${COMMON[@]}" --tarball /nonexistent
    echo junk >junk.tar
    expect 1 "$BOOTSTRAP" "${COMMON[@]}" --tarball junk.tar
}

case_iso() {
    needs mksquashfs unsquashfs
    made_up_repository
    environment airootfs
    mkdir -p iso/arch/x86_64
    mksquashfs airootfs iso/arch/x86_64/airootfs.sfs -quiet -no-progress >/dev/null 2>&1 || fail "mksquashfs failed"
    bsdtar --format iso9660 -cf arch.iso -C iso arch || fail "cannot make an ISO"
    expect 0 "$BOOTSTRAP" "${COMMON[@]}" --iso arch.iso --root-only "$T/root" --record lock
    [[ $(wc -l <lock) == 3 ]] || fail "not installed: $(cat lock)"
}

case_disk() {
    needs mke2fs qemu-img debugfs
    made_up_repository
    expect 0 "$BOOTSTRAP" "${COMMON[@]}" --size 256M
    [[ $(cat cache/images/arch/packages.lock) == *"linux 6.99.1-1" ]] || fail "no packages.lock"
    [[ -s cache/images/arch/kernel/boot/vmlinuz-6.99.1-arch1-1 ]] || fail "no kernel beside the disk"
    qemu-img convert -O raw cache/images/arch/base.qcow2 raw
    [[ $(debugfs -R "cat /etc/hostname" raw 2>/dev/null) == memscope-lab ]] || fail "the disk has no /etc/hostname"
    expect 1 env MEMSCOPE_VM_CACHE="$T/cache" "$LAB" boot --name arch --status
}

case_bad_input() {
    needs
    expect 2 "$BOOTSTRAP"
    expect 2 "$BOOTSTRAP" --mirror nonsense
    expect 2 "$BOOTSTRAP" --mirror "file:///nonexistent"
    export MEMSCOPE_VM_CACHE=$T/cache
    expect 1 "$BOOTSTRAP" --mirror "file:///nonexistent" --unsigned
    says "cannot read the repositories"
    # A checkout below a folder that others may not enter cannot be run by another user.
    setpriv --reuid 65534 --clear-groups test -x "$BOOTSTRAP" || return 0
    expect 3 setpriv --reuid 65534 --clear-groups "$BOOTSTRAP" --mirror "file:///nonexistent" --unsigned
    says "must run as root"
}

run_cases arch
