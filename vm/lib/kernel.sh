# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# From an unpacked kernel to something that QEMU boots quickly: an uncompressed vmlinux and a small initramfs.
#
# A prepared kernel is a folder with
#   boot/vmlinuz-R or boot/vmlinux   as it came
#   lib/modules/R                    its modules (may be absent for a kernel of one's own)
#   vmlinux                          ELF for a PVH boot (saves the guest's own decompression), or absent
#   initrd.<hash>                    the initramfs; the hash covers vm/init, vm/guest, busybox and the module lists
#   release                          its version

# Applets of busybox that vm/init and vm/guest use.
readonly LAB_APPLETS='sh [ cat chmod cp echo env grep hostname ifconfig insmod ip kill ln ls lsmod mkdir mkfifo mkswap modprobe
    mount pgrep poweroff printf reboot rm rmmod setsid sleep stty swapoff swapon switch_root sync tr umount uname'

# le_bytes FILE OFFSET COUNT - a little-endian number.
le_bytes() { od -An -v -t "u$3" -j "$2" -N "$3" "$1" 2>/dev/null | tr -d ' '; }

# bzimage_release FILE - the version in a bzImage's header.
bzimage_release() {
    local at
    at=$(le_bytes "$1" 526 2)
    [[ $at =~ ^[0-9]+$ ]] && ((at > 0)) || return 1
    dd if="$1" bs=1 skip=$((at + 512)) count=100 2>/dev/null | tr '\0' '\n' | head -n 1 | cut -d' ' -f1
}

is_elf() { [[ $(head -c 4 "$1" 2>/dev/null | tr -d '\0') == $'\177ELF' ]]; }
is_bzimage() { [[ $(dd if="$1" bs=1 skip=514 count=4 2>/dev/null | tr -d '\0') == HdrS ]]; }

# extract_vmlinux BZIMAGE OUT - by the offsets in the boot header. Fails if the payload's tool is missing.
extract_vmlinux() {
    local image=$1 out=$2 setup at size magic tool
    setup=$(le_bytes "$image" 497 1)
    at=$(le_bytes "$image" 584 4)
    size=$(le_bytes "$image" 588 4)
    [[ $setup && $at && $size ]] && ((size > 0)) || return 1
    at=$(((setup + 1) * 512 + at))
    magic=$(od -An -v -t x1 -j "$at" -N 4 "$image" | tr -d ' ')
    case $magic in
    fd377a58) tool=(xz -dc --single-stream) ;;
    28b52ffd) tool=(zstd -dcq) ;;
    1f8b*) tool=(gzip -dc) ;;
    02214c18) tool=(lz4 -dcq) ;;
    *) return 1 ;;
    esac
    have "${tool[0]}" || return 1
    # The kernel appends the size of the original, which the tools report as trailing garbage.
    (tail -c "+$((at + 1))" "$image" || true) | (head -c "$size" || true) | "${tool[@]}" >"$out" 2>/dev/null || true
    is_elf "$out" || { rm -f "$out"; return 1; }
}

# prepare_kernel DIR RELEASE - vmlinux and modules.dep.
prepare_kernel() {
    local dir=$1 release=$2 image
    image=$dir/boot/vmlinuz-$release
    printf '%s\n' "$release" >"$dir/release" || return 1
    # Debian's 6.1 carries System.map; nothing here reads it.
    rm -f "$dir/boot/System.map-$release"
    if is_bzimage "$image" && ! extract_vmlinux "$image" "$dir/vmlinux"; then
        note "cannot take the plain kernel out of $image; it boots about a second slower"
    fi
    [[ ! -d $dir/lib/modules/$release ]] || make_modules_dep "$dir" "$release"
}

# make_modules_dep DIR RELEASE - by kmod's depmod where there is one; busybox has its own, which reads no zstd.
make_modules_dep() {
    local dep=$1/lib/modules/$2/modules.dep depmod
    [[ ! -s $dep ]] || return 0
    if depmod=$(PATH=$PATH:/usr/sbin:/sbin command -v depmod); then
        "$depmod" -b "$1" "$2" >/dev/null 2>&1
    elif [[ -n $(find "$1/lib/modules/$2" -name '*.ko.zst' -print -quit) ]]; then
        say "the modules are compressed with zstd: $(install_hint kmod)"
        return 1
    else
        need_busybox
        "$BUSYBOX" depmod -b "$1" "$2" >/dev/null 2>&1
    fi
    [[ -s $dep ]]
}

# need_busybox - sets BUSYBOX to a static busybox; the guest's first programs are it.
need_busybox() {
    local b applet
    for b in "${LAB_BUSYBOX:-}" "$(command -v busybox || true)" /bin/busybox /usr/bin/busybox /usr/bin/busybox.static; do
        [[ -n $b && -x $b ]] || continue
        # Debian has a dynamic busybox too; a static one needs no loader.
        if ! LC_ALL=C grep -qa -E '/ld-(linux|musl)[-a-z0-9_.]*' <(head -c 4096 "$b"); then
            BUSYBOX=$b
            applet=$("$b" --list | grep -cxE 'switch_root|insmod|cpio|depmod|setsid|mkfifo')
            ((applet == 6)) && return
        fi
    done
    die "$E_MISSING" "no static busybox is installed; $(install_hint busybox-static)"
}

# resolve_modules MODULES.DEP NAME… - paths of the modules and of what they need, in load order.
resolve_modules() {
    local dep=$1
    shift
    awk -v want="$*" '
        function key(p) { sub(/.*\//, "", p); sub(/\.ko.*/, "", p); gsub(/-/, "_", p); return p }
        { split($0, f, ":"); line[key(f[1])] = $0 }
        END {
            n = split(want, w, " ")
            for (i = 1; i <= n; i++) {
                k = w[i]; gsub(/-/, "_", k)
                if (!(k in line)) continue
                m = split(line[k], f, " ")
                for (j = m; j >= 1; j--) { p = f[j]; sub(/:$/, "", p); if (!seen[p]++) print p }
            }
        }' "$dep"
}

# initrd_for DIR - builds the initramfs of a prepared kernel if it is not there; prints its path.
initrd_for() {
    local dir=$1 release hash out
    need_busybox
    read -r release <"$dir/release"
    hash=$({
        cat "$LAB_DIR/init" "$LAB_DIR/guest" "$LAB_DIR/lib/kernel.sh" "$BUSYBOX"
        echo "$LAB_MODULES_EXEC/$LAB_MODULES_DISK"
    } | sha256sum | cut -c1-16)
    out=$dir/initrd.$hash
    [[ -e $out ]] || with_lock build_initrd "$dir" "$release" "$out" >&2 || exit
    printf '%s' "$out"
}

build_initrd() {
    local dir=$1 release=$2 out=$3 stage modules mode path name
    [[ ! -e $out ]] || return 0
    modules=$dir/lib/modules/$release
    stage=$(mktemp -d "$dir/.stage.XXXXXX") || die "$E_FAIL" "cannot write $dir"
    # shellcheck disable=SC2064 # the name is fixed now
    trap "rm -rf '${stage//\'/\'\\\'\'}'" EXIT
    mkdir -p "$stage"/{bin,dev,proc,sys,lab/modules}
    cp "$BUSYBOX" "$stage/bin/busybox"
    for name in $LAB_APPLETS; do
        ln -s busybox "$stage/bin/$name"
        printf '%s\n' "$name"
    done >"$stage/lab/applets"
    install -m 755 "$LAB_DIR/init" "$stage/init"
    install -m 755 "$LAB_DIR/guest" "$stage/lab/guest"
    for mode in exec disk; do
        : >"$stage/lab/modules.$mode"
        [[ -e $modules/modules.dep ]] || continue
        name=LAB_MODULES_${mode^^}
        # shellcheck disable=SC2086 # a list of words
        while read -r path; do
            name=${path##*/}
            name=${name%.ko*}.ko
            printf '%s\n' "$name" >>"$stage/lab/modules.$mode"
            [[ -e $stage/lab/modules/$name ]] || decompress "$modules/$path" >"$stage/lab/modules/$name" ||
                die "$E_FAIL" "cannot unpack the module $path (disk full?)"
        done < <(resolve_modules "$modules/modules.dep" ${!name})
    done
    (cd "$stage" && find . | LC_ALL=C sort | "$BUSYBOX" cpio -o -H newc -R 0:0 2>/dev/null) >"$out.new.$$" ||
        { rm -f "$out.new.$$"; die "$E_FAIL" "cannot write the initramfs $out (disk full?)"; }
    mv "$out.new.$$" "$out"
    # Another checkout or configuration may be using today's others.
    find "$dir" -maxdepth 1 -name 'initrd.*' -mtime +0 -delete 2>/dev/null || true
}

decompress() {
    case $1 in
    *.xz) need xz xz-utils && xz -dc "$1" ;;
    *.zst) need zstd zstd && zstd -dcq "$1" ;;
    *.gz) gzip -dc "$1" ;;
    *) cat "$1" ;;
    esac
}

# find_kernel WHAT - WHAT is a series (6.12), a folder or a file. Sets KERNEL_DIR, KERNEL_IMAGE, KERNEL_RELEASE.
find_kernel() {
    local what=$1
    if [[ $what =~ ^[0-9]+\.[0-9]+$ ]]; then
        KERNEL_RELEASE=$(ready_release "$what") || KERNEL_RELEASE=$(with_lock fetch_series "$what" 0) || exit
        KERNEL_DIR=$CACHE/kernels/$KERNEL_RELEASE
    elif [[ -d $what ]]; then
        adopt_folder "$(cd -- "$what" && pwd)"
    elif [[ -f $what ]]; then
        adopt_file "$(cd -- "$(dirname -- "$what")" && pwd)/$(basename -- "$what")"
    elif [[ -e $CACHE/kernels/$what/package ]]; then
        KERNEL_RELEASE=$what KERNEL_DIR=$CACHE/kernels/$what
    else
        die "$E_USAGE" "--kernel: '$what' is neither a series like 6.12, nor a release in the cache, nor a file or folder"
    fi
    KERNEL_IMAGE=$KERNEL_DIR/vmlinux
    [[ -e $KERNEL_IMAGE ]] || KERNEL_IMAGE=$KERNEL_DIR/boot/vmlinuz-$KERNEL_RELEASE
    [[ -e $KERNEL_IMAGE ]] || die "$E_MISSING" "the cache has no kernel in $KERNEL_DIR; run: lab fetch --refresh"
}

# adopt_file FILE - a .deb, a bzImage or a vmlinux that the user names. Modules come from /lib/modules/R if there.
adopt_file() {
    local file=$1 release dir
    if [[ $file == *.deb ]]; then
        release=$(with_lock adopt_deb "$file") || exit
        KERNEL_RELEASE=$release KERNEL_DIR=$CACHE/kernels/$release
        return
    fi
    if is_bzimage "$file"; then
        release=$(bzimage_release "$file") || die "$E_USAGE" "--kernel: $file tells no version"
    elif is_elf "$file"; then
        # grep -m would close the pipe early; the first match of the banner is enough.
        release=$(LC_ALL=C grep -aoE -m1 'Linux version [0-9][^ ]*' "$file" | head -n 1 | cut -d' ' -f3)
        [[ -n $release ]] || die "$E_USAGE" "--kernel: $file is an ELF file without a Linux version"
    else
        die "$E_USAGE" "--kernel: $file is neither a .deb, nor a bzImage, nor a vmlinux"
    fi
    dir=$CACHE/kernels/own-$(printf '%s' "$file" | cat - "$file" | sha256sum | cut -c1-16)
    with_lock adopt_copy "$file" "$release" "$dir" "/lib/modules/$release" || exit
    KERNEL_RELEASE=$release KERNEL_DIR=$dir
}

# A file that the user names is the user's to trust: no hash is asked for.
adopt_deb() { unpack_deb "$1"; }

# adopt_folder DIR - an unpacked package or a root folder: boot/vmlinuz-R and lib/modules/R.
adopt_folder() {
    local image release dir
    image=$(compgen -G "$1/boot/vmlinuz-*" | sort -V | tail -n 1) || true
    [[ -n $image ]] || die "$E_USAGE" "--kernel: $1 has no boot/vmlinuz-*"
    release=${image##*/vmlinuz-}
    dir=$CACHE/kernels/own-$(printf '%s' "$image" | cat - "$image" | sha256sum | cut -c1-16)
    with_lock adopt_copy "$image" "$release" "$dir" "$1/lib/modules/$release" || exit
    KERNEL_RELEASE=$release KERNEL_DIR=$dir
}

# adopt_copy IMAGE RELEASE DIR MODULES
adopt_copy() {
    local tmp
    [[ ! -e $3/package ]] || return 0
    tmp=$(mktemp -d "$CACHE/kernels/.new.XXXXXX") || die "$E_FAIL" "cannot write $CACHE/kernels"
    mkdir -p "$tmp/boot"
    if is_bzimage "$1"; then cp "$1" "$tmp/boot/vmlinuz-$2"; else cp "$1" "$tmp/vmlinux"; fi || die "$E_FAIL" "cannot copy $1"
    if [[ -d $4 ]]; then
        mkdir -p "$tmp/lib/modules"
        cp -r "$4" "$tmp/lib/modules/$2" || die "$E_FAIL" "cannot copy $4 (disk full?)"
    else
        note "no modules at $4: 9p, overlay and virtio must be built into $2"
    fi
    if ! prepare_kernel "$tmp" "$2"; then
        rm -rf "$tmp"
        die "$E_FAIL" "cannot prepare the kernel $1"
    fi
    printf '%s\n' "$1" >"$tmp/package"
    rm -rf "$3"
    mv "$tmp" "$3"
}
