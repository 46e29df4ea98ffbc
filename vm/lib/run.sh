# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# One run of a diskless guest: what it is told, the QEMU process, its output and its status.
#
# The processes of a run, all children of this shell and stopped by run_cleanup:
#   QEMU ---pipe--- sink.pl stream   lab.out -> our stdout
#        ---pipe--- sink.pl stream   lab.err -> our stderr
#        ---pipe--- sink.pl log      ttyS0   -> $RUN/console.log (bounded)
#        ---pipe--- this shell       lab.ctl: "ready", "status N"
# QEMU gets the pipes as inherited descriptors (-add-fd), so nothing has to be opened by name in time.

RUN='' QEMU_PID='' RUN_PIDS=() SHARES=() RUN_ENV=()

# QEMU must not outlive a lab that was killed with SIGKILL.
qemu_guard() {
    QEMU_GUARD=()
    if have setpriv && setpriv --help 2>&1 | grep -q pdeathsig; then QEMU_GUARD=(setpriv --pdeathsig KILL --); fi
}

need_qemu() {
    have "$LAB_QEMU" || die "$E_MISSING" "$LAB_QEMU is not installed; $(install_hint qemu-system-x86)"
    need perl perl
    [[ $(uname -m) == x86_64 ]] || die "$E_MISSING" "the lab's kernels are for x86-64; this machine is $(uname -m)"
    qemu_guard
}

stop_qemu() {
    local i
    [[ -n $QEMU_PID ]] || return 0
    kill -TERM "$QEMU_PID" 2>/dev/null || true
    for ((i = 0; i < 20; i++)); do
        kill -0 "$QEMU_PID" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$QEMU_PID" 2>/dev/null || true
    wait "$QEMU_PID" 2>/dev/null || true
    QEMU_PID=''
}

run_cleanup() {
    local pid
    stop_qemu
    for pid in "${RUN_PIDS[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${RUN_PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
    RUN_PIDS=()
    [[ -z ${SAVED_TTY:-} ]] || stty "$SAVED_TTY" 2>/dev/null </dev/tty || true
    [[ -z $RUN ]] || rm -rf "$RUN"
    RUN=''
}

# run_begin - the folder of this run and its end, whatever ends it. Once per process.
run_begin() {
    [[ -z $RUN ]] || return 0
    RUN=$(mktemp -d "${TMPDIR:-/tmp}/memscope-lab.XXXXXX") || die "$E_FAIL" "cannot make a folder in ${TMPDIR:-/tmp}"
    trap run_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

# pipe_pair READ WRITE - sets the named variables to the two ends of a new pipe. `read -t` needs a real one.
pipe_pair() {
    local name=$RUN/pipe both
    mkfifo "$name"
    exec {both}<>"$name"
    eval "exec {$1}<\"\$name\" {$2}>\"\$name\""
    exec {both}>&-
    rm -f "$name"
}

# write_run_script CMD… - $RUN/run.sh, what the guest is told (see vm/guest).
write_run_script() {
    local i pair size
    # shellcheck disable=SC2016 # expanded in the guest
    {
        printf 'LAB_MARK=%s\nLAB_TTY=%s\nLAB_STDIN=%s\nLAB_SHARES=%d\nLAB_SHARE_CACHE=%s\nLAB_HOSTNAME=memscope-lab\n' \
            "$MARK" "${OPT_TTY:-}" "${OPT_STDIN:-}" "${#SHARES[@]}" "$LAB_SHARE_CACHE"
        if [[ -n ${OPT_TTY:-} ]]; then
            size=$(stty size 2>/dev/null) || size='24 80'
            printf 'LAB_ROWS=%d\nLAB_COLS=%d\n' "${size% *}" "${size#* }"
        fi
        printf 'share_path() {\n    case $1 in\n'
        for ((i = 0; i < ${#SHARES[@]}; i++)); do
            printf '    %d) printf %%s %s ;;\n' "$i" "$(quote "${SHARES[i]}")"
        done
        printf '    esac\n}\nrun_command() {\n'
        printf '    cd %s 2>/dev/null || cd %s || exit 125\n' "$(quote "$PWD")" "$(quote "$LAB_REPO")"
        printf '    exec env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/bash MEMSCOPE_LAB=1'
        printf ' PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/lab/bin'
        printf ' %s' "$(quote "TERM=${TERM:-dumb}" "LANG=${LANG:-C.UTF-8}")"
        for pair in "${RUN_ENV[@]}"; do printf ' %s' "$(quote "$pair")"; done
        # `env` would take a command with = in its name for a variable; sh -c does not. Not busybox's sh, which would run its own ls.
        printf ' /bin/sh -c %s lab %s\n}\n' "$(quote 'exec "$@"')" "$(quote "$@")"
    } >"$RUN/run.sh" || die "$E_FAIL" "cannot write $RUN (disk full?)"
}

# make_initrd BASE - $RUN/initrd: the kernel's initramfs with this run's script appended.
make_initrd() {
    need_busybox
    mkdir -p "$RUN/extra/lab"
    cp "$RUN/run.sh" "$RUN/extra/lab/run.sh"
    { cat "$1" && (cd "$RUN/extra" && printf 'lab\nlab/run.sh\n' | "$BUSYBOX" cpio -o -H newc -R 0:0 2>/dev/null); } \
        >"$RUN/initrd" || die "$E_FAIL" "cannot write $RUN/initrd (disk full?)"
}

# add_share DIR - DIR read-write in the guest at the same path.
add_share() {
    local dir s
    dir=$(cd -- "$1" 2>/dev/null && pwd -P && echo x) || usage_error "--share: '$1' is not a folder"
    dir=${dir%$'\n'x}
    case $dir in
    / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) usage_error "--share: $dir cannot be shared" ;;
    esac
    for s in "${SHARES[@]}"; do [[ $s != "$dir" ]] || return 0; done
    SHARES+=("$dir")
}

# share_options TAG PATH MODE - sets SHARE_OPT for a 9p share.
share_options() {
    SHARE_OPT=(-fsdev "local,id=fs$1,path=$(qemu_path "$2"),security_model=none,multidevs=remap$3"
        -device "virtio-9p-pci,fsdev=fs$1,mount_tag=$1")
}

# start_qemu - with the descriptors OUT_W ERR_W CTL_W LOG_W open. Sets QEMU_PID.
start_qemu() {
    local args i input=/dev/null in_fd
    accel_options
    args=(-M q35 "${ACCEL_QEMU[@]}" -m "$LAB_MEM" -smp "$LAB_CPUS" -nodefaults -display none -no-reboot -name memscope-lab
        -kernel "$KERNEL_IMAGE" -initrd "$RUN/initrd"
        -append "console=ttyS0 loglevel=4 panic=-1 oops=panic lab.mode=exec $ACCEL_APPEND $LAB_APPEND"
        -add-fd "fd=$LOG_W,set=1" -chardev "file,id=log,path=/dev/fdset/1,append=on" -serial chardev:log
        -device virtio-serial-pci
        -add-fd "fd=$CTL_W,set=2" -chardev "file,id=ctl,path=/dev/fdset/2,append=on"
        -device "virtserialport,chardev=ctl,name=lab.ctl"
        -device virtio-rng-pci)
    share_options root / ,readonly=on
    args+=("${SHARE_OPT[@]}")
    if [[ -d $KERNEL_DIR/lib/modules/$KERNEL_RELEASE ]]; then
        share_options modules "$KERNEL_DIR/lib/modules/$KERNEL_RELEASE" ,readonly=on
        args+=("${SHARE_OPT[@]}")
    fi
    for ((i = 0; i < ${#SHARES[@]}; i++)); do
        share_options "share$i" "${SHARES[i]}" ''
        args+=("${SHARE_OPT[@]}")
    done
    if [[ -n ${OPT_TTY:-} ]]; then
        args+=(-chardev "stdio,id=tty,signal=off" -device "virtconsole,chardev=tty")
        "${QEMU_GUARD[@]}" "$LAB_QEMU" "${args[@]}" <&0 2>"$RUN/qemu.log" {CTL_R}<&- &
    else
        args+=(-add-fd "fd=$OUT_W,set=3" -chardev "file,id=out,path=/dev/fdset/3,append=on"
            -device "virtserialport,chardev=out,name=lab.out"
            -add-fd "fd=$ERR_W,set=4" -chardev "file,id=err,path=/dev/fdset/4,append=on"
            -device "virtserialport,chardev=err,name=lab.err")
        if [[ -n ${OPT_STDIN:-} ]]; then
            # A pipe of our own: QEMU makes its stdin non-blocking, which must not reach the caller's file.
            exec {in_fd}< <(exec cat)
            args+=(-chardev "stdio,id=in,signal=off" -device "virtserialport,chardev=in,name=lab.in")
            "${QEMU_GUARD[@]}" "$LAB_QEMU" "${args[@]}" <&"$in_fd" >/dev/null 2>"$RUN/qemu.log" {CTL_R}<&- &
        else
            "${QEMU_GUARD[@]}" "$LAB_QEMU" "${args[@]}" <"$input" >/dev/null 2>"$RUN/qemu.log" {CTL_R}<&- &
        fi
    fi
    QEMU_PID=$!
    [[ -z ${in_fd:-} ]] || exec {in_fd}<&-
}

# sink_state PID - running, ended (well) or broken (its reader went away, or the disk is full).
sink_state() {
    if kill -0 "$1" 2>/dev/null; then
        SINK=running
    else
        SINK_RC=0
        wait "$1" 2>/dev/null || SINK_RC=$?
        SINK=ended
        ((SINK_RC == 0)) || SINK=broken
    fi
}

# console_text - what was kept of the console, oldest first.
console_text() {
    local f
    for f in "$RUN/console.log.1" "$RUN/console.log"; do
        [[ ! -e $f ]] || cat "$f" || return
    done
}

show_console() {
    local panic
    # The words that matter may stand far above the end.
    panic=$(console_text | tr -d '\000\033\r' | grep -m 1 'Kernel panic')
    [[ -z $panic ]] || say "${panic#*] }"
    say "the last lines of the guest's console:"
    console_text | tr -d '\000\033\r' | tail -n "$LAB_CONSOLE_LINES" | sed 's/^/  | /' >&2
    if [[ -s $RUN/qemu.log ]]; then sed 's/^/  qemu: /' "$RUN/qemu.log" | tail -n 5 >&2; fi
}

# wait_guest OUT-PID ERR-PID - reads lab.ctl until the status; sets STATUS, and WHY if there is none.
wait_guest() {
    local line part='' start=$SECONDS ready='' rc pid
    STATUS='' WHY=''
    while :; do
        rc=0
        IFS= read -r -t 0.5 line <&"$CTL_R" || rc=$?
        if ((rc == 0)); then
            line=$part$line part=''
            case $line in
            ready)
                ready=1
                READY_MS=$(now_ms)
                ;;
            "status "*)
                STATUS=${line#status }
                return
                ;;
            esac
            continue
        fi
        if ((rc <= 128)); then
            WHY=ended
            return
        fi
        part+=$line
        for pid in "$@"; do
            sink_state "$pid"
            [[ $SINK != broken ]] || { WHY=sink; return; }
        done
        if ((LAB_TIMEOUT > 0 && SECONDS - start >= LAB_TIMEOUT)); then
            WHY=timeout
            return
        fi
        if [[ -z $ready ]] && ((SECONDS - start >= LAB_BOOT_TIMEOUT)); then
            WHY=boot
            return
        fi
    done
}

# attempt CMD… - one boot; sets STATUS or WHY.
attempt() {
    local out_pid='' err_pid='' log_pid sinks=() CTL_R CTL_W OUT_R OUT_W ERR_R ERR_W LOG_R LOG_W
    START_MS=$(now_ms) READY_MS=''
    pipe_pair CTL_R CTL_W
    pipe_pair LOG_R LOG_W
    "${LAB_PERL[@]}" log "$RUN/console.log" "$LAB_CONSOLE_BYTES" <&"$LOG_R" {CTL_R}<&- {CTL_W}>&- {LOG_W}>&- &
    log_pid=$!
    if [[ -z ${OPT_TTY:-} ]]; then
        pipe_pair OUT_R OUT_W
        pipe_pair ERR_R ERR_W
        "${LAB_PERL[@]}" stream "$MARK" <&"$OUT_R" {CTL_R}<&- {CTL_W}>&- {LOG_W}>&- {OUT_W}>&- {ERR_W}>&- &
        out_pid=$!
        "${LAB_PERL[@]}" stream "$MARK" <&"$ERR_R" >&2 {CTL_R}<&- {CTL_W}>&- {LOG_W}>&- {OUT_W}>&- {ERR_W}>&- &
        err_pid=$!
        sinks=("$out_pid" "$err_pid")
    fi
    RUN_PIDS=("$log_pid" "${sinks[@]}")
    # Nobody but the sinks may hold the reading ends, and nobody but QEMU the writing ends: then the end
    # of either side is seen by the other.
    exec {LOG_R}<&-
    [[ -n ${OPT_TTY:-} ]] || exec {OUT_R}<&- {ERR_R}<&-
    start_qemu
    exec {CTL_W}>&- {LOG_W}>&-
    [[ -n ${OPT_TTY:-} ]] || exec {OUT_W}>&- {ERR_W}>&-
    wait_guest "${sinks[@]}"
    exec {CTL_R}<&-
    if [[ -z $STATUS ]]; then stop_qemu; fi
    for pid in "${sinks[@]}"; do
        # With a status, the sinks end at the mark, however slow their reader is.
        SINK_RC=0
        wait "$pid" || SINK_RC=$?
        if ((SINK_RC != 0)) && [[ -n $STATUS || $WHY == ended ]]; then WHY=sink STATUS=''; fi
        if ((SINK_RC != 0)); then BROKEN_RC=$SINK_RC; fi
    done
    stop_qemu
    wait "$log_pid" 2>/dev/null || true
    RUN_PIDS=()
}

# run_guest CMD… - boots, runs, cleans up; returns the status to exit with.
run_guest() {
    local base
    need_qemu
    find_kernel "$LAB_KERNEL"
    base=$(initrd_for "$KERNEL_DIR") || exit
    choose_accel "$base"
    run_begin
    # A byte that text does not contain, and enough of the random that a command cannot hit it by chance.
    MARK=$(printf '\036lab-%s' "$(od -An -v -t x1 -N 16 /dev/urandom | tr -d ' \n')")
    LAB_PERL=(perl "$LAB_DIR/lib/sink.pl")
    write_run_script "$@"
    make_initrd "$base"
    attempt "$@"
    if [[ -z $READY_MS && -z $STATUS && $ACCEL == kvm && $LAB_ACCEL == auto && $WHY != sink ]]; then
        say "the guest did not come up with KVM; trying without"
        remember_accel tcg
        ACCEL=tcg
        attempt "$@"
    fi
    keep_console
    report_run
}

keep_console() {
    [[ -n ${OPT_CONSOLE:-} ]] || return 0
    console_text >"$OPT_CONSOLE" || say "cannot write $OPT_CONSOLE"
}

report_run() {
    if [[ -n ${OPT_VERBOSE:-} && -n $READY_MS ]]; then
        say "kernel $KERNEL_RELEASE, $ACCEL: ready after $((READY_MS - START_MS)) ms, $(($(now_ms) - START_MS)) ms in all"
    fi
    if [[ -n $STATUS ]]; then return "$STATUS"; fi
    case $WHY in
    timeout)
        say "stopped after $LAB_TIMEOUT s (--timeout)"
        if [[ -z $READY_MS ]]; then show_console; fi
        return "$E_TIMEOUT"
        ;;
    boot)
        say "the guest was not ready after $LAB_BOOT_TIMEOUT s (LAB_BOOT_TIMEOUT)"
        show_console
        return "$E_NOSTATUS"
        ;;
    sink) return "${BROKEN_RC:-1}" ;;
    *)
        say "the guest ended without a status (panic, or the command stopped the machine)"
        show_console
        return "$E_NOSTATUS"
        ;;
    esac
}
