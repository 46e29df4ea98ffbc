# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# validate: what a guest kernel offers, judged by what that kernel is expected to have.

# expected_missing RELEASE CHECK - true where the lack is a known property of that kernel, not a fault of the lab.
expected_missing() {
    case $2 in
    damon) [[ $1 =~ ^([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] <= 6001)) ;;
    *) false ;;
    esac
}

# find_memscope - sets MEMSCOPE_BIN to $MEMSCOPE or build/memscope, or to nothing.
find_memscope() {
    MEMSCOPE_BIN=''
    if [[ -n ${MEMSCOPE:-} ]]; then
        [[ -x $MEMSCOPE && ! -d $MEMSCOPE ]] || usage_error "MEMSCOPE: '$MEMSCOPE' is not a program"
        MEMSCOPE_BIN=$(readlink -f -- "$MEMSCOPE")
        case $MEMSCOPE_BIN in
        # The guest has its own file systems there, so that folder must be shared.
        /tmp/* | /run/* | /dev/shm/*) add_share "${MEMSCOPE_BIN%/*}" ;;
        esac
    elif [[ -x $LAB_REPO/build/memscope ]]; then
        MEMSCOPE_BIN=$LAB_REPO/build/memscope
    fi
}

cmd_validate() {
    local json=0 rc=0
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
usage: lab validate [--json] [OPTIONS]

Boots a guest and checks that it offers what memscope needs: BTF, tracefs, kprobes, ftrace, debugfs, DAMON, zram with
its codecs, userfaultfd, cgroup2 with memory, PSI, and the shared folders. If build/memscope (or \$MEMSCOPE) is there,
\`memscope doctor\` runs inside too. Exit status 5 if something is missing that this kernel should have; a kernel up to
6.1 is not expected to have DAMON.

  --json          one JSON object, schema memscope.lab-validate/1
$(guest_help)
END
            return
            ;;
        -j | --json) json=1 ;;
        *) usage_error "unknown argument '$1'" ;;
        esac
        shift
    done
    check_knobs
    find_memscope
    run_begin
    mkdir "$RUN/share" && echo "written outside" >"$RUN/share/from-the-host" || die "$E_FAIL" "cannot write $RUN"
    add_share "$RUN/share"
    RUN_ENV+=("LAB_PROBE_REPO=$(cd "$LAB_REPO" && pwd -P)")
    run_guest "$LAB_DIR/probe" "$RUN/share" ${MEMSCOPE_BIN:+"$MEMSCOPE_BIN"} >"$RUN/probe.out" || rc=$?
    ((rc == 0)) || die "$rc" "the checks did not run to their end"
    [[ $(cat "$RUN/share/from-the-guest" 2>/dev/null) == "written inside" ]] ||
        die "$E_CHECK" "what the guest wrote to a shared folder did not reach the host"
    if ((json)); then validate_json "$RUN/probe.out"; else validate_table "$RUN/probe.out"; fi
}

# judge NAME STATE - sets VERDICT to ok, missing or expected-missing.
judge() {
    VERDICT=$2
    if [[ $2 != ok ]] && expected_missing "$KERNEL_RELEASE" "$1"; then VERDICT=expected-missing; fi
}

# doctor_ok STATUS JSON - it ran, and speaks the schema that is known here.
doctor_ok() { (($1 != 126 && $1 != 127 && $1 < 128)) && [[ $2 == *'"memscope.doctor/1"'* ]]; }

validate_table() {
    local kind a b c bad=0 table=()
    printf 'kernel %s, %s, %s of memory, %s CPUs, ready after %d ms\n\n' "$KERNEL_RELEASE" "$ACCEL" "$LAB_MEM" "$LAB_CPUS" \
        $((READY_MS - START_MS))
    printf '%-15s %-17s %s\n' CHECK STATE DETAIL
    while IFS=$'\t' read -r kind a b c; do
        case $kind in
        check)
            judge "$a" "$b"
            [[ $VERDICT != missing ]] || bad=$((bad + 1))
            printf '%-15s %-17s %s\n' "$a" "$VERDICT" "$c"
            ;;
        doctor)
            if doctor_ok "$a" "$b"; then
                printf '%-15s %-17s %s\n' doctor ok "status $a; see below"
            else
                bad=$((bad + 1))
                printf '%-15s %-17s %s\n' doctor missing "memscope doctor --json ended with $a and no memscope.doctor/1"
            fi
            ;;
        table) table+=("$a${b:+$'\t'$b}${c:+$'\t'$c}") ;;
        esac
    done <"$1"
    if ((${#table[@]})); then printf '\nmemscope doctor, inside:\n'; printf '  %s\n' "${table[@]}"; fi
    if ((bad)); then
        say "$bad of the checks found something missing that $KERNEL_RELEASE should have"
        return "$E_CHECK"
    fi
}

validate_json() {
    local kind a b c bad=0 sep='' doctor=null required
    printf '{"schema":"memscope.lab-validate/1","kernel":%s,"accel":"%s","mem":"%s","cpus":%d,"ready_ms":%d,"checks":[' \
        "$(json_str "$KERNEL_RELEASE")" "$ACCEL" "$LAB_MEM" "$LAB_CPUS" $((READY_MS - START_MS))
    while IFS=$'\t' read -r kind a b c; do
        case $kind in
        check)
            judge "$a" "$b"
            required=true
            if expected_missing "$KERNEL_RELEASE" "$a"; then required=false; fi
            [[ $VERDICT != missing ]] || bad=$((bad + 1))
            printf '%s{"name":%s,"state":"%s","required":%s,"detail":%s}' "$sep" "$(json_str "$a")" "$VERDICT" "$required" \
                "$(json_str "$c")"
            sep=,
            ;;
        doctor)
            if doctor_ok "$a" "$b"; then doctor=$b; else bad=$((bad + 1)) doctor='{"error":"no memscope.doctor/1"}'; fi
            ;;
        esac
    done <"$1"
    printf '],"doctor":%s,"missing":%d,"pass":%s}\n' "$doctor" "$bad" "$( ((bad)) && echo false || echo true)"
    ((bad == 0)) || return "$E_CHECK"
}
