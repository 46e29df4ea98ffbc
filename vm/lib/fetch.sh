# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Kernel packages: found with apt, downloaded into the cache, verified, unpacked - never installed.
#
#   $CACHE/deb/<package>_<version>_<arch>.deb         the package
#   $CACHE/deb/<the same>.deb.sha256                  "<hash>  <name>", as sha256sum -c reads it
#   $CACHE/kernels/<release>/{boot,lib,package}       unpacked; `package` appears last
#   $CACHE/series/<series>                            the release that stands for it (one line)

cache_init() {
    CACHE=$MEMSCOPE_VM_CACHE
    [[ $CACHE == /* ]] || CACHE=$PWD/$CACHE
    mkdir -p "$CACHE"/{deb,kernels,series,accel,images} 2>/dev/null ||
        die "$E_FAIL" "cannot make the cache folder $CACHE; set MEMSCOPE_VM_CACHE to a place that you can write"
}

# with_lock FUNCTION ARG… - one lab at a time changes the cache. Runs in a subshell that holds the lock.
with_lock() (
    need flock util-linux
    exec {lock_fd}>"$CACHE/lock" || die "$E_FAIL" "cannot write $CACHE/lock"
    if ! flock -n "$lock_fd"; then
        note "waiting for another lab to finish with the cache"
        flock "$lock_fd"
    fi
    "$@"
)

# pin_of SERIES [SHA256] - the knob of a series.
pin_of() {
    local name=LAB_PIN_${1//./_}${2:+_$2}
    printf '%s' "${!name:-}"
}

# series_pattern SERIES - the names of signed, non-cloud, non-rt kernels of that series.
series_pattern() { printf '^linux-image-%s\.[0-9]+(-[0-9]+|\+deb[0-9]+)-amd64$' "${1//./\\.}"; }

# apt_of PROGRAM ARG… - apt with the system's lists, or with lists of our own (see apt_own_lists).
apt_of() {
    local program=$1
    shift
    command "$program" "${APT_OPTIONS[@]}" "$@"
}
APT_OPTIONS=()

# apt_newest SERIES - the newest package of the series that apt knows, or nothing.
apt_newest() {
    apt_of apt-cache pkgnames "linux-image-$1." 2>/dev/null | grep -E "$(series_pattern "$1")" | sort -V | tail -n 1
}

# apt_field PACKAGE FIELD - a field of the candidate version.
apt_field() {
    apt_of apt-cache --no-all-versions show "$1" 2>/dev/null | sed -n "s/^$2: //p" | head -n 1
}

# apt_own_lists - package lists in the cache, for a user who may not run `apt-get update` on the system.
apt_own_lists() {
    local d=$CACHE/apt
    APT_OPTIONS=(-o "Dir::State=$d/state" -o "Dir::Cache=$d/cache" -o "Dir::State::status=$d/state/status"
        -o APT::Sandbox::User=)
    mkdir -p "$d/state/lists/partial" "$d/cache/archives/partial"
    [[ -e $d/state/status ]] || : >"$d/state/status"
    note "the system's package lists do not have it; reading lists into the cache"
    apt_of apt-get -qq update >"$d/update.log" 2>&1 || note "apt-get update: $(tail -n 1 "$d/update.log")"
}

# choose_package SERIES - prints the pinned package if apt has it, else the newest; fails if there is none.
choose_package() {
    local series=$1 pin pick
    pin=$(pin_of "$series")
    if [[ -n $pin && -n $(apt_field "$pin" SHA256) ]]; then
        printf '%s' "$pin"
        return
    fi
    pick=$(apt_newest "$series")
    [[ -n $pick && -n $(apt_field "$pick" SHA256) ]] || return 1
    [[ -z $pin ]] || say "the pinned package $pin is not offered any more; taking $pick"
    printf '%s' "$pick"
}

# sha256_is FILE HASH
sha256_is() { [[ $(sha256sum <"$1" | cut -d' ' -f1) == "$2" ]]; }

# verify_deb FILE [HASH] - FILE has the hash that was recorded (or HASH). Without any record it is refused.
verify_deb() {
    local deb=$1 want=${2:-}
    if [[ -z $want && -r $deb.sha256 ]]; then
        want=$(cut -d' ' -f1 "$deb.sha256")
    fi
    if [[ -z $want ]]; then
        want=$(pin_hash_for "${deb##*/}")
    fi
    if [[ -z $want ]]; then
        want=$(apt_field "$(basename "${deb%%_*}")" SHA256)
    fi
    [[ -n $want ]] || die "$E_MISSING" "no hash is known for $deb; if you trust that file, record it with:" \
        "(cd '${deb%/*}' && sha256sum '${deb##*/}' >'${deb##*/}.sha256')"
    sha256_is "$deb" "$want" ||
        die "$E_FAIL" "$deb does not have the SHA-256 $want; remove it and fetch it again"
    printf '%s  %s\n' "$want" "${deb##*/}" >"$deb.sha256.new" && mv "$deb.sha256.new" "$deb.sha256" ||
        die "$E_FAIL" "cannot record the hash of $deb"
}

# pin_hash_for DEB-NAME - the hash from the configuration, if that file is the pinned package.
pin_hash_for() {
    local series
    for series in 6.12 6.1; do
        if [[ -n $(pin_of "$series") && $1 == "$(pin_of "$series")"_* ]]; then
            pin_of "$series" SHA256
            return
        fi
    done
}

# cached_deb SERIES - the best package file in the cache: the pinned one, else the newest of the series.
cached_deb() {
    local f name pin best=''
    pin=$(pin_of "$1")
    for f in "$CACHE"/deb/linux-image-"$1".*.deb; do
        [[ -e $f ]] || continue
        name=${f##*/}
        name=${name%%_*}
        # A file that a browser or apt saved has the version's special characters in %-form.
        [[ ${name//%2b/+} =~ $(series_pattern "$1") ]] || continue
        [[ -n $pin && $name == "$pin" ]] && { printf '%s' "$f"; return; }
        best=$(printf '%s\n%s\n' "$best" "$f" | sort -V | tail -n 1)
    done
    printf '%s' "$best"
}

# download PACKAGE - into $CACHE/deb, complete and verified or not at all; prints the file. Status 9 if apt could not get it.
download() {
    local package=$1 want tmp deb
    want=$(apt_field "$package" SHA256)
    tmp=$(mktemp -d "$CACHE/deb/.new.XXXXXX") || die "$E_FAIL" "cannot write $CACHE/deb"
    # As root, apt would drop to a user that may not write here, and warn about it.
    if ! (cd "$tmp" && apt_of apt-get -q -o APT::Sandbox::User=root download "$package" >download.log 2>&1); then
        say "apt-get download $package failed: $(grep -E '^(E|W):' "$tmp/download.log" | head -n 2 | tr '\n' ' ')"
        rm -rf "$tmp"
        return 9
    fi
    for deb in "$tmp"/*.deb; do :; done
    if ! sha256_is "$deb" "$want"; then
        rm -rf "$tmp"
        die "$E_FAIL" "$package arrived with a wrong SHA-256 (apt's list says $want); nothing was kept"
    fi
    want="$want  ${deb##*/}"
    printf '%s\n' "$want" >"$CACHE/deb/${deb##*/}.sha256" && mv -f "$deb" "$CACHE/deb/" ||
        die "$E_FAIL" "cannot write to $CACHE/deb"
    rm -rf "$tmp"
    printf '%s' "$CACHE/deb/${deb##*/}"
}

# unpack_data DEB DIR - the files of a package.
unpack_data() {
    if have dpkg-deb; then
        dpkg-deb -x "$1" "$2"
    elif have ar && have tar; then
        # Without dpkg: a .deb is an ar archive with data.tar.<something> in it. Untested.
        (cd "$2" && ar x "$1" && tar -xf data.tar.* && rm -f data.tar.* control.tar.* debian-binary)
    else
        die "$E_MISSING" "neither dpkg-deb nor ar is installed; $(install_hint dpkg)"
    fi
}

# unpack_deb DEB - into $CACHE/kernels/<release>; prints the release.
unpack_deb() {
    local deb=$1 tmp release image
    tmp=$(mktemp -d "$CACHE/kernels/.new.XXXXXX") || die "$E_FAIL" "cannot write $CACHE/kernels"
    if ! unpack_data "$deb" "$tmp" 2>"$tmp.log"; then
        say "cannot unpack $deb: $(tail -n 1 "$tmp.log")"
        rm -rf "$tmp" "$tmp.log"
        die "$E_FAIL" "is the disk with $CACHE full? (about 500 MB are needed)"
    fi
    rm -f "$tmp.log"
    for image in "$tmp"/boot/vmlinuz-*; do :; done
    [[ -e $image ]] || { rm -rf "$tmp"; die "$E_FAIL" "$deb has no boot/vmlinuz-*"; }
    release=${image##*/vmlinuz-}
    if ! prepare_kernel "$tmp" "$release" || ! printf '%s\n' "${deb##*/}" >"$tmp/package"; then
        rm -rf "$tmp"
        die "$E_FAIL" "cannot prepare the kernel $release"
    fi
    rm -rf "${CACHE:?}/kernels/$release"
    mv "$tmp" "$CACHE/kernels/$release" || die "$E_FAIL" "cannot write $CACHE/kernels"
    printf '%s' "$release"
}

# wanted_from_cache SERIES - the release in the cache that satisfies the pin, or nothing.
ready_release() {
    local release pin
    [[ -r $CACHE/series/$1 ]] || return 1
    read -r release <"$CACHE/series/$1"
    [[ -e $CACHE/kernels/$release/package ]] || return 1
    pin=$(pin_of "$1")
    [[ ${2:-} == any || -z $pin || $pin == "linux-image-$release" || -e $CACHE/series/$1.fallback ]] || return 1
    printf '%s' "$release"
}

# fetch_series SERIES REFRESH - makes the kernel of a series ready; prints its release. Needs the lock.
fetch_series() {
    local series=$1 refresh=$2 package='' deb='' release pin
    if [[ $refresh == 0 ]] && release=$(ready_release "$series"); then
        printf '%s' "$release"
        return
    fi
    pin=$(pin_of "$series")
    deb=$(cached_deb "$series")
    if [[ $refresh == 1 || -z $deb || (-n $pin && ${deb##*/} != "$pin"_*) ]]; then
        if have apt-cache && have apt-get; then
            package=$(choose_package "$series") || { apt_own_lists && package=$(choose_package "$series"); } || true
        fi
        if [[ -n $package && -z $(compgen -G "$CACHE/deb/${package}_*.deb") ]]; then
            note "downloading $package ($(($(apt_field "$package" Size) / 1000000)) MB)"
            deb=$(download "$package") || { (($? == 9)) && deb=$(cached_deb "$series"); } || exit "$E_FAIL"
        elif [[ -n $package ]]; then
            deb=$(compgen -G "$CACHE/deb/${package}_*.deb" | sort -V | tail -n 1)
        fi
    fi
    [[ -n $deb ]] || die "$E_MISSING" "no kernel of the series $series: the cache has none and apt offers none" \
        "(no network, or no package lists). Either run 'apt-get update' as root, or place the Debian package" \
        "${pin:-linux-image-$series.*-amd64} (.deb) into $CACHE/deb, and the line that sha256sum prints for it into" \
        "the same name with .sha256 added."
    verify_deb "$deb"
    note "unpacking ${deb##*/}"
    release=$(unpack_deb "$deb") || exit
    printf '%s\n' "$release" >"$CACHE/series/.$series.new" && mv "$CACHE/series/.$series.new" "$CACHE/series/$series" ||
        die "$E_FAIL" "cannot write $CACHE/series"
    rm -f "$CACHE/series/$series.fallback"
    [[ -z $pin || $pin == "linux-image-$release" ]] || : >"$CACHE/series/$series.fallback"
    printf '%s' "$release"
}
