# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# experiment: the canonical run in a guest, and a bundle that says what was run, where and with what result.
#
#   bundle.json          schema memscope.lab-bundle/1: the command, its status, guest, host and memscope facts
#   result.json          what memscope printed
#   stderr.txt           and its notices
#   stats/{before,after} /proc and /sys counters around the run
#   dmesg.txt, console.log, kernel-version.txt, kernel-cmdline.txt, kernel-config.txt, command.txt

# The configuration facts that decide what memscope can do.
readonly LAB_CONFIG_FACTS='DEBUG_INFO_BTF BPF_SYSCALL FUNCTION_TRACER KPROBES DAMON DAMON_VADDR DAMON_PADDR DAMON_SYSFS
    DAMON_RECLAIM USERFAULTFD ZRAM ZRAM_WRITEBACK ZRAM_MULTI_COMP ZSMALLOC ZSWAP MEMCG PSI SWAP TRANSPARENT_HUGEPAGE LRU_GEN
    MEM_SOFT_DIRTY IDLE_PAGE_TRACKING PREEMPT_DYNAMIC HZ'

cmd_experiment() {
    local out='' rc=0 extra=()
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
usage: lab experiment [--out DIR] [OPTIONS] [-- WORDS…]

Runs the canonical experiment in a fresh guest and writes a result bundle. Its step is chosen by what the binary
(build/memscope or \$MEMSCOPE) offers: \`workload run $LAB_EXPERIMENT_WORKLOAD\`, else \`arena bench\`; with neither,
nothing is booted and the exit status is 3. WORDS are added to the command. The exit status is memscope's, 1 if
its result is not JSON, 124 or 125 as for lab exec; the bundle is written in each of these cases.

  --out DIR       the bundle's folder, which must not exist ($LAB_RESULTS/<time>-<step>-<kernel>)
$(guest_help)
END
            return
            ;;
        --out) need_value "$@" && out=$2 && shift ;;
        --out=*) out=${1#*=} ;;
        --) shift; extra=("$@"); break ;;
        *) usage_error "unknown argument '$1'" ;;
        esac
        shift
    done
    check_knobs
    find_memscope
    [[ -n $MEMSCOPE_BIN ]] || die "$E_MISSING" "there is no build/memscope; build it first, or name one with MEMSCOPE=PATH"
    choose_step
    find_kernel "$LAB_KERNEL"
    STARTED=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    [[ -n $out ]] || out=$LAB_RESULTS/$(date -u +%Y%m%dT%H%M%SZ)-${STEP// /-}-$KERNEL_RELEASE
    [[ ! -e $out ]] || usage_error "--out: $out is there already"
    mkdir -p "$out" || die "$E_FAIL" "cannot make $out"
    out=$(cd "$out" && pwd -P)
    add_share "$out"
    OPT_CONSOLE=$out/console.log
    COMMAND=("$MEMSCOPE_BIN" "${STEP_WORDS[@]}" --json "${extra[@]}")
    quote "${COMMAND[@]}" >"$out/command.txt" && echo >>"$out/command.txt" || die "$E_FAIL" "cannot write $out (disk full?)"
    run_guest "$LAB_DIR/steps" "$out" "${COMMAND[@]}" || rc=$?
    if ((rc == 0)) && ! valid_json "$out/result.json"; then
        say "memscope ended with 0, but $out/result.json is not a JSON object"
        rc=$E_FAIL
    fi
    [[ ! -r $KERNEL_DIR/boot/config-$KERNEL_RELEASE ]] || cp "$KERNEL_DIR/boot/config-$KERNEL_RELEASE" "$out/kernel-config.txt"
    write_bundle "$rc" >"$out/bundle.json" || die "$E_FAIL" "cannot write $out (disk full?)"
    printf '%s\n' "$out"
    return "$rc"
}

# choose_step - sets STEP and STEP_WORDS from the commands that the binary lists.
choose_step() {
    local list
    list=$("$MEMSCOPE_BIN" --introspect 2>/dev/null | perl "$LAB_DIR/lib/capabilities.pl" 2>/dev/null) ||
        die "$E_MISSING" "$MEMSCOPE_BIN --introspect gives no list of commands"
    # The knobs are lists of words.
    # shellcheck disable=SC2206
    if grep -qx 'workload run' <<<"$list"; then
        STEP='workload run' STEP_WORDS=(workload run $LAB_EXPERIMENT_WORKLOAD)
    elif grep -qx 'arena bench' <<<"$list"; then
        STEP='arena bench' STEP_WORDS=(arena bench $LAB_EXPERIMENT_ARENA)
    else
        die "$E_MISSING" "$MEMSCOPE_BIN has neither 'workload run' nor 'arena bench' (it has:" \
            "$(tr '\n' ',' <<<"$list" | sed 's/,$//; s/,/, /g'))"
    fi
}

valid_json() { perl "$LAB_DIR/lib/capabilities.pl" <"$1" >/dev/null 2>&1; }

config_facts() {
    local c v sep='' file=$KERNEL_DIR/boot/config-$KERNEL_RELEASE
    printf '{'
    if [[ -r $file ]]; then
        for c in $LAB_CONFIG_FACTS; do
            v=$(sed -n "s/^CONFIG_$c=//p" "$file" | tr -d '"')
            printf '%s"CONFIG_%s":%s' "$sep" "$c" "$(json_str "${v:-n}")"
            sep=,
        done
    fi
    printf '}'
}

json_list() {
    local w sep=''
    printf '['
    for w; do
        printf '%s%s' "$sep" "$(json_str "$w")"
        sep=,
    done
    printf ']'
}

write_bundle() {
    local rc=$1 status=null took=null version model mem files commit
    if [[ -r $out/status.txt ]]; then read -r status took <"$out/status.txt"; fi
    version=$("$MEMSCOPE_BIN" --version 2>/dev/null | head -n 1) || true
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    mem=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) * 1024))
    commit=$(git -C "$LAB_REPO" describe --always --dirty 2>/dev/null) || true
    mapfile -t files < <(cd "$out" && find . -type f ! -name bundle.json | LC_ALL=C sort | sed 's|^\./||')
    printf '{"schema":"memscope.lab-bundle/1","started":"%s","step":%s,"command":%s,' "$STARTED" "$(json_str "$STEP")" \
        "$(json_list "${COMMAND[@]}")"
    printf '"lab_status":%d,"command_status":%s,"command_ms":%s,' "$rc" "$status" "$took"
    printf '"guest":{"kernel":%s,"version":%s,"accel":"%s","mem":"%s","cpus":%d,"ready_ms":%s,"config":%s},' \
        "$(json_str "$KERNEL_RELEASE")" "$(json_str "$(cat "$out/kernel-version.txt" 2>/dev/null)")" "$ACCEL" "$LAB_MEM" \
        "$LAB_CPUS" "$([[ -n $READY_MS ]] && echo $((READY_MS - START_MS)) || echo null)" "$(config_facts)"
    printf '"host":{"kernel":%s,"cpu":%s,"cpus":%d,"mem_bytes":%d,"qemu":%s},' "$(json_str "$(uname -sr)")" \
        "$(json_str "$model")" "$(nproc)" "$mem" "$(json_str "$("$LAB_QEMU" --version | head -n 1)")"
    printf '"memscope":{"version":%s,"sha256":"%s","source":%s},"files":%s}\n' "$(json_str "$version")" \
        "$(sha256sum <"$MEMSCOPE_BIN" | cut -d' ' -f1)" "$(json_str "$commit")" "$(json_list "${files[@]}")"
}
