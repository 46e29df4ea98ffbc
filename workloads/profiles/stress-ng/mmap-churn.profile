brief = mappings made and removed, and a heap that grows and shrinks
run = stress-ng --mmap @WORKERS@ --mmap-bytes @SHARE@ --brk 1 --brk-notouch --seed @SEED@ --timeout @SECONDS@s --temp-path @DIR@ --metrics-brief --yaml @DIR@/result.yaml
seconds = 10
workers = 2
region = 64M
memory = yes
