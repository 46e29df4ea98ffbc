# SPDX-License-Identifier: BSD-2-Clause
# A ranking of figures that were measured once: the same words for ever.
rows() {
    echo codec,mode,level,dataset,unit,size_bytes,input_bytes,compressed_bytes,compress_thread_cpu_ms,decompress_thread_cpu_ms,validation
    # 1000 pages of real memory
    echo lz4,fast,1,real,page,4096,4096000,1509768,4.83,1.18,PASS
    echo lz4,fast,4,real,page,4096,4096000,1635783,4.43,1.155,PASS
    echo lz4,hc,9,real,page,4096,4096000,1312400,48.6,0.935,PASS
    echo zstd,std,-1,real,page,4096,4096000,1127753,9.2,3.235,PASS
    echo zstd,std,1,real,page,4096,4096000,1006388,13.3,4.9,PASS
    echo zstd,std,3,real,page,4096,4096000,988179,15.6,4.6,PASS
    # and of pictures
    echo lz4,fast,1,jpeg,page,4096,4096000,4090000,1.2,0.1,PASS
    echo zstd,std,3,jpeg,page,4096,4096000,4050000,9.2,0.5,PASS
}
rows | "$MEMSCOPE" codec rank --from -
rows | "$MEMSCOPE" codec rank --from - --readback-factor 0.5 --csv
rows | "$MEMSCOPE" codec rank --from - --profile cold --csv | cut -d, -f1,6,7,14-16
rows | sed 's/PASS/FAIL/' | "$MEMSCOPE" codec rank --from - --profile cold 2>&1 | tail -n 12
