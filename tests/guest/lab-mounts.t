#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels: 6.12 6.1
# timeout: 20
#
# What every other test may rely on in a guest.
set -u
bad=0
check() { "$@" || { echo "failed: $*"; bad=1; }; }

for m in "/proc proc" "/sys sysfs" "/dev devtmpfs" "/tmp tmpfs" "/run tmpfs" "/dev/shm tmpfs" "/dev/pts devpts" \
    "/sys/kernel/tracing tracefs" "/sys/kernel/debug debugfs" "/sys/fs/bpf bpf" "/sys/fs/cgroup cgroup2"; do
    check grep -qF " $m " /proc/mounts
done
check test "$(id -u)" = 0
check test "$(hostname)" = memscope-lab
check test "$(cat /sys/class/net/lo/operstate)" != down
check grep -qw memory /sys/fs/cgroup/cgroup.subtree_control
check test -r /sys/kernel/btf/vmlinux
check test -w "$PWD"
case $(uname -r) in "$LAB_SERIES".*) ;; *) [[ $LAB_SERIES == *[!0-9.]* ]] || { echo "kernel $(uname -r)"; bad=1; } ;; esac
exit $bad
