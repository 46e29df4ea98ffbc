# SPDX-License-Identifier: BSD-2-Clause
# what cannot be asked of the workloads: the option, the value and the range are named
try() {
    echo "\$ $*"
    "$MEMSCOPE" workload "$@" 2>&1 | grep -v '^Try\|^information\|^more information\|^for more'
    echo "exit ${PIPESTATUS[0]}"
}
try run
try run anon_streamr
try run something_else
try run anon_streamer mmap_churn
for d in 0 -1 abc 5x nan 301; do try run anon_streamer --duration-sec $d; done
for w in 0 -1 513 99999; do try run anon_streamer --workers $w; done
try run anon_streamer --seed -1
try run anon_streamer --region 12
try run anon_streamer --region 8K
try run anon_streamer --rate -5
try run anon_streamer --compressibility 101
try run anon_streamer --dataset zeros
try run anon_streamer --dataset text --compressibility 3
try run anon_streamer --exec /bin/true
try run random_touch_heap --idle 5s
try run fork_exec_storm --exec /does/not/exist
try run anon_streamer --arena-cap-mb 5
try run anon_streamer --arena-stats-json x
try run anon_streamer --use-mem-arena --arena-min-savings-pct 0
try run anon_streamer --use-mem-arena --arena-stats-json /does/not/exist
try run anon_streamer --cgroup-limit 1
try matrix nothing_like_it
try matrix --modes plain,pager
try matrix --modes ,
try matrix --arena-cap-mb 5
try matrix anon_streamer --exec /bin/true
try matrix --out /does/not/exist/x
try compare
try compare anon_streamer --base nothing
try compare anon_streamer --runs 0
try compare anon_streamer --base plain --with plain --arena-cap-mb 5
try external
try external stress-nh fork-vm
try external fio nothing
try external fio ../cache-churn
try external fio cache-churn -d 0.5
try external sysbench memory-seq --region 5M
try external sysbench memory-seq x
try external --check --list
try external --path x --check
try external mmtests config-x --path /does/not/exist
try external fio cache-churn --profile-dir /does/not/exist
