# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Small things that every part of the lab uses: messages, exit codes, quoting, number checks.

# Exit codes of the lab itself; `exec` passes the command's own code on.
readonly E_FAIL=1 E_USAGE=2 E_MISSING=3 E_CHECK=5 E_TIMEOUT=124 E_NOSTATUS=125

LAB_QUIET=${LAB_QUIET:-0}

say() { printf '%s\n' "lab: $*" >&2; }
note() { [[ $LAB_QUIET != 0 ]] || say "$@"; }

# die CODE MESSAGE… - one message, then out.
die() {
    local code=$1
    shift
    say "$@"
    exit "$code"
}

usage_error() { die "$E_USAGE" "$* (see: lab ${LAB_SUB:+$LAB_SUB }--help)"; }

# need PROGRAM PACKAGE - PROGRAM must be runnable; PACKAGE is what Debian calls its package.
need() {
    have "$1" || die "$E_MISSING" "$1 is not installed; $(install_hint "$2")"
}

have() { command -v -- "$1" >/dev/null 2>&1; }

# install_hint DEBIAN-PACKAGE… - how to get them here. Only apt-get was ever run; the rest says so.
install_hint() {
    local fedora=() arch=() p
    for p; do
        case $p in
        qemu-system-x86) fedora+=(qemu-system-x86-core) arch+=(qemu-system-x86) ;;
        qemu-utils) fedora+=(qemu-img) arch+=(qemu-img) ;;
        busybox-static) fedora+=(busybox) arch+=(busybox) ;;
        xz-utils) fedora+=(xz) arch+=(xz) ;;
        perl) fedora+=(perl-interpreter) arch+=(perl) ;;
        openssh-client) fedora+=(openssh-clients) arch+=(openssh) ;;
        *) fedora+=("$p") arch+=("$p") ;;
        esac
    done
    if have apt-get; then
        printf 'install it with: apt-get install %s' "$*"
    elif have dnf; then
        printf 'install it with: dnf install %s (untested)' "${fedora[*]}"
    elif have pacman; then
        printf 'install it with: pacman -S %s (untested)' "${arch[*]}"
    else
        printf 'on Debian it is in the package %s' "$*"
    fi
}

# need_value "$@" - the option in front must have a value behind it.
need_value() { (($# >= 2)) || usage_error "$1 needs a value"; }

# need_int OPTION VALUE MIN MAX
need_int() {
    [[ $2 =~ ^[0-9]{1,9}$ ]] && ((10#$2 >= $3 && 10#$2 <= $4)) ||
        usage_error "$1: '$2' is not a whole number from $3 to $4"
}

# need_size OPTION VALUE - a memory size that QEMU understands, at least 128 MiB, in the form 512M or 2G.
need_size() {
    local n
    [[ $2 =~ ^([0-9]{1,7})([MG])$ ]] || usage_error "$1: '$2' is not a size like 512M or 2G"
    n=$((10#${BASH_REMATCH[1]}))
    [[ ${BASH_REMATCH[2]} == M ]] || n=$((n * 1024))
    ((n >= 128 && n <= 1048576)) || usage_error "$1: '$2' is outside 128M to 1024G"
}

# quote WORD… - each word in single quotes, for any POSIX shell; every byte survives.
quote() {
    local w out='' q="'\\''"
    for w; do
        out+=" '${w//\'/$q}'"
    done
    printf '%s' "${out# }"
}

# qemu_path PATH - a path inside a QEMU option: commas are doubled.
qemu_path() { printf '%s' "${1//,/,,}"; }

# json_str TEXT - TEXT as a JSON string.
json_str() {
    local s=$1 i c out=''
    s=${s//\\/\\\\}
    s=${s//\"/\\\"}
    s=${s//$'\n'/\\n}
    s=${s//$'\t'/\\t}
    s=${s//$'\r'/\\r}
    if [[ $s == *[$'\001'-$'\037']* ]]; then
        for ((i = 0; i < ${#s}; i++)); do
            c=${s:i:1}
            [[ $c == [$'\001'-$'\037'] ]] && printf -v c '\\u%04x' "'$c"
            out+=$c
        done
        s=$out
    fi
    printf '"%s"' "$s"
}

# now_ms - milliseconds of the wall clock.
now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    printf '%s' "${t%???}"
}
