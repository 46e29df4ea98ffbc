# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# KVM or TCG. That /dev/kvm exists, or that QEMU accepts it, proves nothing (nested KVM can abort or hang), so
# the guest kernel is booted with it under a time limit. The answer is kept per kernel and per boot of the host.

accel_file() {
    local boot=unknown
    read -r boot </proc/sys/kernel/random/boot_id || true
    printf '%s' "$CACHE/accel/$KERNEL_RELEASE.$boot"
}

# kvm_trial - boots the initramfs with KVM, where /init ends at once. True if that worked in time.
kvm_trial() {
    local dir pid start
    [[ -r /dev/kvm && -w /dev/kvm ]] || return 1
    dir=$(mktemp -d "${TMPDIR:-/tmp}/memscope-lab.kvm.XXXXXX") || return 1
    start=$SECONDS
    "${QEMU_GUARD[@]}" "$LAB_QEMU" -M q35 -cpu host -accel kvm -m 256 -smp "$LAB_CPUS" -nodefaults -display none \
        -no-reboot -kernel "$KERNEL_IMAGE" -initrd "$1" -serial "file:$(qemu_path "$dir")/console" \
        -append "console=ttyS0 quiet panic=-1 lab.mode=trial" </dev/null >"$dir/qemu" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && ((SECONDS - start < LAB_KVM_TRIAL)); do sleep 0.2; done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    # /init says so itself: an exit of QEMU alone may be an abort.
    grep -aq 'lab-init: trial' "$dir/console" 2>/dev/null && start=ok
    rm -rf "$dir"
    [[ $start == ok ]]
}

# choose_accel INITRD - sets ACCEL to kvm or tcg.
choose_accel() {
    local file
    case $LAB_ACCEL in
    kvm | tcg) ACCEL=$LAB_ACCEL; return ;;
    auto) ;;
    *) usage_error "LAB_ACCEL: '$LAB_ACCEL' is neither auto nor kvm nor tcg" ;;
    esac
    file=$(accel_file)
    if [[ -r $file ]]; then
        read -r ACCEL <"$file"
        [[ $ACCEL != kvm || -w /dev/kvm ]] || ACCEL=tcg
        return
    fi
    if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
        ACCEL=tcg # not remembered: the user may be let in later
        return
    fi
    note "trying KVM with $KERNEL_RELEASE (up to $LAB_KVM_TRIAL s, once per boot of this host)"
    ACCEL=tcg
    if kvm_trial "$1" 2>/dev/null; then ACCEL=kvm; fi
    note "KVM $([[ $ACCEL == kvm ]] && echo works || echo 'does not work here; using emulation (TCG)')"
    remember_accel "$ACCEL"
}

remember_accel() {
    local file
    file=$(accel_file)
    printf '%s\n' "$1" >"$file.$$" 2>/dev/null && mv -f "$file.$$" "$file" || true
}

# accel_options - sets ACCEL_QEMU (options) and ACCEL_APPEND (words for the kernel).
accel_options() {
    if [[ $ACCEL == kvm ]]; then
        ACCEL_QEMU=(-cpu host -accel kvm)
        ACCEL_APPEND=''
    else
        ACCEL_QEMU=(-cpu max -accel 'tcg,thread=multi')
        # QEMU's soft TLB is flushed on a change of address space only with page-table isolation. Without it
        # the accessed bit is not set again after it was cleared, and DAMON's counts fall to 0.
        ACCEL_APPEND='pti=on'
    fi
}
