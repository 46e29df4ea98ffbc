# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The guest that stays: a Debian disk with systemd and sshd, for a person.
#
#   $CACHE/images/NAME/base.qcow2     as it was built, never written again
#                      disk.qcow2     what the guest writes, over base.qcow2
#                      id_ed25519     the key that root's account accepts
#                      known_hosts    the guest's own key, taken when the image was built
#                      lock           held by QEMU as long as it runs
#                      pid, port      of the running guest
#                      console.log    its kernel console (bounded, as for exec)

image_dir() {
    [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]] || usage_error "--name: '$1' is not a name of letters, digits, . _ -"
    IMAGE=$CACHE/images/$1
    IMAGE_NAME=$1
}

# is_running DIR - QEMU holds the lock of the image in DIR.
is_running() {
    [[ -e $1/lock ]] || return 1
    ! flock -n "$1/lock" true
}

# image_running - any image guest runs.
image_running() {
    local d
    for d in "$CACHE"/images/*/; do
        if is_running "${d%/}"; then return 0; fi
    done
    return 1
}

image_sources() {
    local f
    if [[ -n $LAB_IMAGE_SOURCES ]]; then
        printf '%s' "$LAB_IMAGE_SOURCES"
        return
    fi
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
        if [[ -r $f ]] && grep -qE "^(deb|Suites:).*\b$LAB_IMAGE_SUITE\b" "$f"; then
            printf '%s' "$f"
            return
        fi
    done
    die "$E_MISSING" "this host's apt sources have no suite $LAB_IMAGE_SUITE; set LAB_IMAGE_SOURCES to a sources.list or" \
        "a mirror that has it"
}

cmd_image() {
    local name=debian force=0
    while (($#)); do
        case $1 in
        -h | --help)
            cat <<END
usage: lab image [--name NAME] [--size SIZE] [--force]

Builds a Debian disk ($LAB_IMAGE_SUITE) with systemd and sshd in $CACHE/images/NAME, with a new key pair. No
root is needed where mmdebstrap can use user namespaces (it then needs uidmap and fakeroot). Boot it with lab boot.

  --name NAME   which image ($name)
  --size SIZE   size of its disk ($LAB_IMAGE_SIZE)
  --force       build it again; what was written to the old disk is lost
END
            return
            ;;
        --name) need_value "$@" && name=$2 && shift ;;
        --size) need_value "$@" && LAB_IMAGE_SIZE=$2 && shift ;;
        --force) force=1 ;;
        *) usage_error "unknown argument '$1'" ;;
        esac
        shift
    done
    need_size --size "$LAB_IMAGE_SIZE"
    image_dir "$name"
    need mmdebstrap mmdebstrap
    need mke2fs e2fsprogs
    need qemu-img qemu-utils
    need ssh-keygen openssh-client
    ((EUID == 0)) || need fakeroot fakeroot
    if [[ -e $IMAGE/base.qcow2 && $force == 0 ]]; then
        say "$IMAGE is there already (--force builds it again)"
        return
    fi
    is_running "$IMAGE" && die "$E_FAIL" "the guest of $name is running; stop it first: lab boot --name $name --stop"
    build_image
}

# build_image - in a folder of its own that becomes $IMAGE at the end.
build_image() {
    local start=$SECONDS sources fake=()
    sources=$(image_sources) || exit
    ((EUID == 0)) || fake=(fakeroot --)
    RUN=$(mktemp -d "$CACHE/images/.new.XXXXXX") || die "$E_FAIL" "cannot write $CACHE/images"
    trap run_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    ssh-keygen -q -t ed25519 -N '' -C memscope-lab -f "$RUN/id_ed25519" || die "$E_FAIL" "cannot make a key"
    note "building the root folder with mmdebstrap (a minute or so)"
    # shellcheck disable=SC2016 # $1 is for the hook
    mmdebstrap --quiet --variant=minbase --include="${LAB_IMAGE_PACKAGES// /,}" \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt=path-exclude='/usr/share/doc/*' \
        --dpkgopt=path-exclude='/usr/share/man/*' --dpkgopt=path-exclude='/usr/share/locale/*' \
        --customize-hook='echo memscope-lab >"$1/etc/hostname"; : >"$1/etc/fstab"
            printf "127.0.0.1 localhost memscope-lab\n::1 localhost\n" >"$1/etc/hosts"
            passwd -R "$1" -l root >/dev/null 2>&1 || true
            mkdir -p "$1/etc/systemd/system.conf.d" "$1/etc/ssh/sshd_config.d"
            printf "[Manager]\nDefaultTimeoutStopSec=10s\n" >"$1/etc/systemd/system.conf.d/lab.conf"
            printf "PermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\n" \
                >"$1/etc/ssh/sshd_config.d/lab.conf"
            for u in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer; do
                ln -sf /dev/null "$1/etc/systemd/system/$u"
            done
            mkdir -p -m 700 "$1/root/.ssh"' \
        --customize-hook="upload '$RUN/id_ed25519.pub' /root/.ssh/authorized_keys" \
        --customize-hook='chmod 600 "$1/root/.ssh/authorized_keys"; chown -R 0:0 "$1/root/.ssh"' \
        --customize-hook="download /etc/ssh/ssh_host_ed25519_key.pub '$RUN/host.pub'" \
        "$LAB_IMAGE_SUITE" "$RUN/root.tar" "$sources" >"$RUN/build.log" 2>&1 || {
        tail -n 15 "$RUN/build.log" | sed 's/^/  | /' >&2
        die "$E_FAIL" "mmdebstrap failed (as a normal user it needs uidmap and user namespaces)"
    }
    printf 'memscope-lab %s\n' "$(cut -d' ' -f1,2 "$RUN/host.pub")" >"$RUN/known_hosts"
    # shellcheck disable=SC2016 # expanded by the inner shell
    "${fake[@]}" bash -c '. "$1/lib/base.sh" && . "$1/lib/image.sh" && RUN=$2 CACHE=$4 && mkdir "$RUN/root" &&
        tar -xf "$RUN/root.tar" -C "$RUN/root" --exclude="./dev/*" && rm -f "$RUN/root.tar" && make_disk "$RUN/root" "$3"' \
        lab "$LAB_DIR" "$RUN" "$LAB_IMAGE_SIZE" "$CACHE" || die "$E_FAIL" "the image was not built (disk with $CACHE full?)"
    with_lock install_image || exit
    RUN=''
    say "built $IMAGE in $((SECONDS - start)) s ($(du -sh "$IMAGE" | cut -f1))"
}

# make_disk ROOT SIZE - $RUN/base.qcow2 with the files of ROOT, which is removed. No loop device is needed.
make_disk() {
    note "making the disk"
    mke2fs -q -t ext4 -L memscope-lab -E root_owner=0:0 -d "$1" "$RUN/base.raw" "$2" >>"$RUN/build.log" 2>&1 &&
        rm -rf --one-file-system "$1" &&
        qemu-img convert -O qcow2 "$RUN/base.raw" "$RUN/base.qcow2" >>"$RUN/build.log" 2>&1 || {
        tail -n 5 "$RUN/build.log" | sed 's/^/  | /' >&2
        die "$E_FAIL" "cannot make the disk (is the disk with $CACHE full?)"
    }
    rm -f "$RUN/base.raw"
}

install_image() {
    is_running "$IMAGE" && die "$E_FAIL" "the guest of $IMAGE_NAME was started meanwhile"
    rm -rf "$IMAGE"
    mv "$RUN" "$IMAGE" && chmod 700 "$IMAGE" || die "$E_FAIL" "cannot write $IMAGE"
}

need_image() {
    [[ -e $IMAGE/base.qcow2 ]] || die "$E_MISSING" "there is no image '$IMAGE_NAME'; build it with: lab image --name $IMAGE_NAME"
}

cmd_boot() {
    local name=debian action=start fresh=0
    add_share "$LAB_REPO"
    LAB_MEM=$LAB_IMAGE_MEM
    while (($#)); do
        guest_option "$@"
        if ((TAKEN)); then
            shift "$TAKEN"
            continue
        fi
        case $1 in
        -h | --help)
            cat <<END
usage: lab boot [--name NAME] [--port N] [--fresh] [OPTIONS]
       lab boot [--name NAME] --stop | --status

Boots the disk of lab image in the background and returns when its sshd answers. Its network reaches nothing; only
127.0.0.1:PORT of this host leads to its sshd. The repository is shared at its own path.

  --name NAME   which image ($name)
  --port N      the port on 127.0.0.1 ($LAB_SSH_PORT; 0 = one that is free)
  --fresh       forget what was written to the disk before
  --stop        shut it down
  --status      tell whether it runs (exit status 1 if not)

$(guest_help | grep -v -e --timeout -e --env -e --console)
END
            return
            ;;
        --name) need_value "$@" && name=$2 && shift ;;
        --port) need_value "$@" && LAB_SSH_PORT=$2 && shift ;;
        --fresh) fresh=1 ;;
        --stop) action=stop ;;
        --status) action=status ;;
        *) usage_error "unknown argument '$1'" ;;
        esac
        shift
    done
    check_knobs
    need_int --port "$LAB_SSH_PORT" 0 65535
    image_dir "$name"
    need_image
    need ssh openssh-client
    case $action in
    start) start_image "$fresh" ;;
    stop) stop_image ;;
    status)
        is_running "$IMAGE" || { echo "$name: stopped"; return "$E_FAIL"; }
        echo "$name: running, pid $(<"$IMAGE/pid"), ssh on 127.0.0.1:$(<"$IMAGE/port")"
        ;;
    esac
}

start_image() {
    local base lock i tries port start
    need_qemu
    need qemu-img qemu-utils
    find_kernel "$LAB_KERNEL"
    base=$(initrd_for "$KERNEL_DIR") || exit
    choose_accel "$base"
    exec {lock}>>"$IMAGE/lock" || die "$E_FAIL" "cannot write $IMAGE"
    flock -n "$lock" || die "$E_FAIL" "the guest of $IMAGE_NAME is running already (lab ssh --name $IMAGE_NAME)"
    if [[ $1 == 1 || ! -e $IMAGE/disk.qcow2 ]]; then
        (cd "$IMAGE" && qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 disk.qcow2) ||
            die "$E_FAIL" "cannot make $IMAGE/disk.qcow2"
    fi
    run_begin
    MARK=none
    write_run_script true
    make_initrd "$base"
    # The running guest reads it only at the start; the run folder goes away.
    start=$(now_ms)
    for ((tries = 0; tries < 5; tries++)); do
        port=$LAB_SSH_PORT
        ((port)) || port=$((20000 + RANDOM % 40000))
        launch_image "$port" "$lock"
        for ((i = 0; i < LAB_BOOT_TIMEOUT * 5; i++)); do
            kill -0 "$QEMU_PID" 2>/dev/null || break
            # The banner comes from sshd itself; a bare connect would be answered by QEMU.
            if [[ $(sshd_banner "$port") == SSH-* ]]; then
                echo "$port" >"$IMAGE/port"
                echo "$QEMU_PID" >"$IMAGE/pid"
                QEMU_PID=''
                say "$IMAGE_NAME is up after $(($(now_ms) - start)) ms ($KERNEL_RELEASE, $ACCEL); log in with: lab ssh"
                return
            fi
            sleep 0.2
        done
        if kill -0 "$QEMU_PID" 2>/dev/null; then
            cp "$IMAGE/console.log" "$RUN/" 2>/dev/null
            show_console
            die "$E_NOSTATUS" "no sshd answered within $LAB_BOOT_TIMEOUT s (LAB_BOOT_TIMEOUT)"
        fi
        QEMU_PID=''
        if ! grep -q 'host forwarding rule' "$IMAGE/qemu.log"; then
            cp "$IMAGE/console.log" "$IMAGE/qemu.log" "$RUN/" 2>/dev/null
            show_console
            die "$E_NOSTATUS" "the guest ended while it booted"
        fi
        ((LAB_SSH_PORT == 0)) || die "$E_FAIL" "port $LAB_SSH_PORT on 127.0.0.1 is in use"
    done
    die "$E_FAIL" "found no free port on 127.0.0.1"
}

sshd_banner() {
    local line=''
    { exec 8<>"/dev/tcp/127.0.0.1/$1" && IFS= read -r -t 2 line <&8; } 2>/dev/null
    { exec 8>&-; } 2>/dev/null
    printf '%s' "$line"
}

# launch_image PORT LOCK-FD - sets QEMU_PID. The process keeps the lock's descriptor, and outlives this shell.
launch_image() {
    local args i LOG_R LOG_W
    accel_options
    pipe_pair LOG_R LOG_W
    setsid perl "$LAB_DIR/lib/sink.pl" log "$IMAGE/console.log" "$LAB_CONSOLE_BYTES" \
        <&"$LOG_R" >/dev/null 2>&1 {LOG_W}>&- &
    exec {LOG_R}<&-
    share_options modules "$KERNEL_DIR/lib/modules/$KERNEL_RELEASE" ,readonly=on
    args=(-M q35 "${ACCEL_QEMU[@]}" -m "$LAB_MEM" -smp "$LAB_CPUS" -nodefaults -display none -no-reboot -name "lab-$IMAGE_NAME"
        -kernel "$KERNEL_IMAGE" -initrd "$RUN/initrd"
        -append "console=ttyS0 loglevel=4 panic=-1 net.ifnames=0 systemd.show_status=false lab.mode=disk $ACCEL_APPEND $LAB_APPEND"
        -add-fd "fd=$LOG_W,set=1" -chardev "file,id=log,path=/dev/fdset/1,append=on" -serial chardev:log
        -drive "file=$(qemu_path "$IMAGE/disk.qcow2"),if=virtio,format=qcow2,cache=writeback"
        -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$1-:22" -device "virtio-net-pci,netdev=net,romfile="
        -device virtio-rng-pci "${SHARE_OPT[@]}")
    for ((i = 0; i < ${#SHARES[@]}; i++)); do
        share_options "share$i" "${SHARES[i]}" ''
        args+=("${SHARE_OPT[@]}")
    done
    setsid "$LAB_QEMU" "${args[@]}" </dev/null >/dev/null 2>"$IMAGE/qemu.log" &
    QEMU_PID=$!
    exec {LOG_W}>&-
}

stop_image() {
    local pid i
    if ! is_running "$IMAGE"; then
        say "$IMAGE_NAME is not running"
        return
    fi
    pid=$(<"$IMAGE/pid")
    timeout 10 "$0" --quiet ssh --name "$IMAGE_NAME" -- systemctl poweroff >/dev/null 2>&1 || true
    for ((i = 0; i < 150; i++)); do
        is_running "$IMAGE" || { rm -f "$IMAGE/pid" "$IMAGE/port"; return; }
        sleep 0.2
    done
    say "it does not shut down; ending QEMU (pid $pid)"
    # The number is believed only if the process is our QEMU.
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "lab-$IMAGE_NAME "; then
        kill -TERM "$pid"
        sleep 2
        is_running "$IMAGE" && kill -KILL "$pid"
    fi
    rm -f "$IMAGE/pid" "$IMAGE/port"
}

# ssh_setup - SSH_OPTIONS for the running guest of $IMAGE.
ssh_setup() {
    need_image
    need ssh openssh-client
    is_running "$IMAGE" && [[ -r $IMAGE/port ]] || die "$E_MISSING" "'$IMAGE_NAME' is not running; start it with: lab boot --name $IMAGE_NAME"
    SSH_OPTIONS=(-F /dev/null -o "IdentityFile=\"$IMAGE/id_ed25519\"" -o IdentitiesOnly=yes -o BatchMode=yes
        -o "UserKnownHostsFile=\"$IMAGE/known_hosts\"" -o StrictHostKeyChecking=yes -o HostKeyAlias=memscope-lab
        -o LogLevel=ERROR -o ConnectTimeout=20 -o "Port=$(<"$IMAGE/port")")
}

cmd_ssh() {
    local name=debian words=()
    while (($#)); do
        case $1 in
        -h | --help)
            cat <<END
usage: lab ssh [--name NAME] [-- CMD [ARG…]]

Logs in to the running image guest, or runs CMD there with exactly these arguments. The current folder is kept if the
guest has it (the repository is there). The exit status is CMD's; 255 means that ssh itself failed.
END
            return
            ;;
        --name) need_value "$@" && name=$2 && shift ;;
        --) shift; break ;;
        -*) usage_error "unknown option '$1'" ;;
        *) break ;;
        esac
        shift
    done
    image_dir "$name"
    ssh_setup
    (($# == 0)) || words=("cd $(quote "$PWD") 2>/dev/null; $(quote "$@")")
    if (($# == 0)) && [[ -t 0 ]]; then words=(); fi
    exec ssh "${SSH_OPTIONS[@]}" root@127.0.0.1 "${words[@]}"
}

cmd_put() { copy_files put "$@"; }
cmd_get() { copy_files get "$@"; }

copy_files() {
    local way=$1 name=debian files=() last f
    shift
    while (($#)); do
        case $1 in
        -h | --help)
            if [[ $way == put ]]; then
                cat <<END
usage: lab put [--name NAME] [--] FILE… PATH-IN-GUEST

Copies files and folders of this host into the running image guest.
END
            else
                cat <<END
usage: lab get [--name NAME] [--] PATH-IN-GUEST… PATH

Copies files and folders of the running image guest to this host.
END
            fi
            return
            ;;
        --name) need_value "$@" && name=$2 && shift ;;
        --) shift; files+=("$@"); break ;;
        -*) usage_error "unknown option '$1'" ;;
        *) files+=("$1") ;;
        esac
        shift
    done
    ((${#files[@]} >= 2)) || usage_error "needs at least one source and a destination"
    image_dir "$name"
    ssh_setup
    need scp openssh-client
    last=${files[-1]}
    unset 'files[-1]'
    if [[ $way == put ]]; then
        for f in "${!files[@]}"; do
            [[ -e ${files[f]} ]] || usage_error "there is no ${files[f]}"
            # scp would take a colon for the name of a host.
            [[ ${files[f]} == /* ]] || files[f]=./${files[f]}
        done
        last=root@127.0.0.1:$last
    else
        for f in "${!files[@]}"; do files[f]=root@127.0.0.1:${files[f]}; done
        [[ $last == /* ]] || last=./$last
    fi
    exec scp -q -r -p "${SSH_OPTIONS[@]}" -- "${files[@]}" "$last"
}
