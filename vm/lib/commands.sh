# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The subcommands about kernels and diskless guests: check, fetch, exec, shell, clean.

guest_help() {
    cat <<END
  --kernel K      a series (6.12, 6.1), a release in the cache, a .deb, a bzImage, a vmlinux, or a folder
                  with boot/vmlinuz-* and lib/modules ($LAB_KERNEL)
  --mem SIZE      memory of the guest, like 512M or 2G ($LAB_MEM)
  --cpus N        its CPUs ($LAB_CPUS)
  --timeout S     seconds for boot and command, 0 = no limit ($LAB_TIMEOUT); then the status is 124
  --accel A       auto, kvm or tcg ($LAB_ACCEL)
  --share DIR     DIR read-write in the guest at the same path, as the repository is (repeatable)
  --env N[=V]     pass an environment variable on (repeatable)
  --append WORDS  words for the kernel's command line
  --console FILE  keep the guest's kernel console in FILE
  --verbose       say how long the boot took
END
}

# guest_option ARG… - handles one option that all guests have; sets TAKEN to the words used, 0 if it is not one.
guest_option() {
    local opt=$1 value
    TAKEN=2
    if [[ $opt == --*=* ]]; then
        TAKEN=1
        value=${opt#*=} opt=${opt%%=*}
    else
        value=${2-}
    fi
    case $opt in
    --kernel | --mem | --cpus | --timeout | --accel | --share | --env | --append | --console)
        ((TAKEN == 1)) || need_value "$@"
        ;;
    esac
    case $opt in
    --kernel) LAB_KERNEL=$value ;;
    --mem) need_size "$opt" "$value" && LAB_MEM=$value ;;
    --cpus) need_int "$opt" "$value" 1 64 && LAB_CPUS=$((10#$value)) ;;
    --timeout) need_int "$opt" "$value" 0 604800 && LAB_TIMEOUT=$((10#$value)) ;;
    --accel) LAB_ACCEL=$value ;;
    --share) add_share "$value" ;;
    --env)
        [[ $value =~ ^[A-Za-z_][A-Za-z_0-9]*(=|$) ]] || usage_error "--env: '$value' is not NAME or NAME=VALUE"
        if [[ $value == *=* ]]; then
            RUN_ENV+=("$value")
        elif [[ -n ${!value+set} ]]; then
            RUN_ENV+=("$value=${!value}")
        fi
        ;;
    --append) LAB_APPEND=$value ;;
    --console) OPT_CONSOLE=$value ;;
    --verbose) OPT_VERBOSE=1 TAKEN=1 ;;
    *) TAKEN=0 ;;
    esac
}

# check_knobs - values that came from the configuration or the environment get the same checks as flags.
check_knobs() {
    need_size LAB_MEM "$LAB_MEM"
    need_int LAB_CPUS "$LAB_CPUS" 1 64
    need_int LAB_TIMEOUT "$LAB_TIMEOUT" 0 604800
    need_int LAB_BOOT_TIMEOUT "$LAB_BOOT_TIMEOUT" 1 3600
    need_int LAB_KVM_TRIAL "$LAB_KVM_TRIAL" 1 3600
    need_int LAB_CONSOLE_BYTES "$LAB_CONSOLE_BYTES" 4096 999999999
    need_int LAB_CONSOLE_LINES "$LAB_CONSOLE_LINES" 1 100000
    [[ $LAB_SHARE_CACHE =~ ^(none|mmap|loose)$ ]] || usage_error "LAB_SHARE_CACHE: '$LAB_SHARE_CACHE' is not none, mmap or loose"
    [[ $LAB_ACCEL =~ ^(auto|kvm|tcg)$ ]] || usage_error "--accel: '$LAB_ACCEL' is neither auto nor kvm nor tcg"
}

cmd_exec() {
    add_share "$LAB_REPO"
    while (($#)); do
        guest_option "$@"
        if ((TAKEN)); then
            shift "$TAKEN"
            continue
        fi
        case $1 in
        -h | --help)
            cat <<END
usage: lab exec [OPTIONS] [--] CMD [ARG…]

Runs CMD as root in a fresh guest whose root is this host's, read-only below an overlay in memory. The
repository is shared read-write at its own path; the current folder is kept. stdout and stderr come
through as they are written. The status is CMD's, 124 after the timeout, 125 if the guest panicked or
ended without a status.

  --stdin         give CMD this stdin (otherwise it is /dev/null)
$(guest_help)

examples:
  lab exec -- uname -r
  lab exec --kernel 6.1 --mem 2G -- ./build/memscope doctor
END
            return
            ;;
        -i | --stdin) OPT_STDIN=1 ;;
        --) shift; break ;;
        -*) usage_error "unknown option '$1'" ;;
        *) break ;;
        esac
        shift
    done
    (($#)) || usage_error "no command was given"
    check_knobs
    run_guest "$@"
}

cmd_shell() {
    add_share "$LAB_REPO"
    LAB_TIMEOUT=0
    while (($#)); do
        guest_option "$@"
        if ((TAKEN)); then
            shift "$TAKEN"
            continue
        fi
        case $1 in
        -h | --help)
            cat <<END
usage: lab shell [OPTIONS] [-- CMD [ARG…]]

Opens bash without start-up files (or runs CMD) on this terminal in a fresh guest; see lab exec. No time limit unless --timeout is given.
Ctrl-C goes to the guest; \`exit\` or Ctrl-D ends it.

$(guest_help)
END
            return
            ;;
        --) shift; break ;;
        -*) usage_error "unknown option '$1'" ;;
        *) break ;;
        esac
        shift
    done
    if (($# == 0)); then
        # The start-up files in the home folder are the host's; some take long under emulation.
        set -- bash --norc
        RUN_ENV+=('PS1=[\u@\h \w]\$ ')
    fi
    check_knobs
    [[ -t 0 && -t 1 ]] || usage_error "stdin and stdout must be a terminal (use lab exec otherwise)"
    OPT_TTY=1
    SAVED_TTY=$(stty -g)
    run_guest "$@"
}

cmd_fetch() {
    local refresh=0 series=() s release
    while (($#)); do
        case $1 in
        -h | --help)
            cat <<END
usage: lab fetch [--refresh] [SERIES…]

Downloads the kernels of the given series (6.12 and 6.1 if none is named) with apt-get into the cache,
checks the SHA-256 that apt's signed list gives, and unpacks them there. Nothing is installed, and no root is
needed. A package that lies in the cache already is used without network.

  --refresh   look again: take the pin of lab.conf, or what is newest now

Cache: $CACHE
END
            return
            ;;
        --refresh) refresh=1 ;;
        -*) usage_error "unknown option '$1'" ;;
        *)
            [[ $1 =~ ^[0-9]+\.[0-9]+$ ]] || usage_error "'$1' is not a kernel series like 6.12"
            series+=("$1")
            ;;
        esac
        shift
    done
    ((${#series[@]})) || series=(6.12 6.1)
    for s in "${series[@]}"; do
        release=$(with_lock fetch_series "$s" "$refresh") || exit
        printf '%s\t%s\t%s\n' "$s" "$release" "$CACHE/kernels/$release"
    done
}

cmd_check() {
    local bad=0 p pkg f release
    case ${1-} in
    '') ;;
    -h | --help)
        cat <<END
usage: lab check

Tells what this host has for the lab: programs, kernels in the cache, and whether KVM really works, which is found
by booting the guest kernel with it. Exit status 3 if something is missing that \`exec\` needs.
END
        return
        ;;
    *) usage_error "unknown argument '$1'" ;;
    esac
    row() { printf '%-19s %-9s %s\n' "$1" "$2" "$3"; }
    row what state detail
    while read -r p pkg f; do
        if have "$p"; then
            row "$p" ok "$(command -v "$p")"
        elif [[ $f == exec ]]; then
            row "$p" MISSING "$(install_hint "$pkg")"
            bad=1
        else
            row "$p" absent "for $f: $(install_hint "$pkg")"
        fi
    done <<END
$LAB_QEMU qemu-system-x86 exec
perl perl exec
flock util-linux exec
xz xz-utils exec
zstd zstd foreign-kernels
apt-get apt fetch
dpkg-deb dpkg fetch
qemu-img qemu-utils image
mmdebstrap mmdebstrap image
mke2fs e2fsprogs image
ssh openssh-client ssh
END
    if (need_busybox) 2>/dev/null; then
        need_busybox
        row busybox ok "$BUSYBOX (static)"
    else
        row busybox MISSING "$(install_hint busybox-static)"
        bad=1
    fi
    for p in 6.12 6.1; do
        if release=$(ready_release "$p"); then row "kernel $p" ok "$release"; else row "kernel $p" absent "run: lab fetch $p"; fi
    done
    if [[ ! -e /dev/kvm ]]; then
        row kvm absent "no /dev/kvm; guests are emulated (TCG)"
    elif [[ ! -w /dev/kvm ]]; then
        row kvm absent "/dev/kvm is not writable by this user (group kvm?); guests are emulated (TCG)"
    elif ((bad)) || ! ready_release "$LAB_KERNEL" >/dev/null; then
        row kvm unknown "known after a kernel is there (lab fetch)"
    else
        need_qemu
        find_kernel "$LAB_KERNEL"
        f=$(initrd_for "$KERNEL_DIR") || exit
        LAB_ACCEL=auto choose_accel "$f"
        if [[ $ACCEL == kvm ]]; then
            row kvm ok "booted $KERNEL_RELEASE"
        else
            row kvm unusable "$KERNEL_RELEASE did not boot with it in $LAB_KVM_TRIAL s; guests are emulated (TCG)"
        fi
    fi
    row cache ok "$CACHE ($(du -sh "$CACHE" 2>/dev/null | cut -f1))"
    ((bad == 0)) || return "$E_MISSING"
}

cmd_clean() {
    local what=()
    while (($#)); do
        case $1 in
        -h | --help)
            cat <<END
usage: lab clean --debs | --kernels | --images | --all

Removes the downloaded packages, the unpacked kernels, the disk images and keys, or the whole cache
($CACHE). A running image guest is not touched: stop it first with \`lab boot --stop\`.
END
            return
            ;;
        --debs) what+=(deb apt) ;;
        --kernels) what+=(kernels series accel) ;;
        --images) what+=(images) ;;
        --all) what+=(deb apt kernels series accel images) ;;
        *) usage_error "unknown argument '$1'" ;;
        esac
        shift
    done
    ((${#what[@]})) || usage_error "say what to remove"
    with_lock clean_locked "${what[@]}"
}

clean_locked() {
    local w
    for w; do
        if [[ $w == images ]] && image_running; then
            die "$E_FAIL" "the image guest is running; stop it first: lab boot --stop"
        fi
    done
    for w; do
        [[ -d $CACHE/$w ]] || continue
        # Files of an image's root may be read-only folders.
        chmod -R u+rwX "$CACHE/$w" 2>/dev/null || true
        rm -rf "${CACHE:?}/$w" || die "$E_FAIL" "cannot remove $CACHE/$w"
        note "removed $CACHE/$w"
    done
}
