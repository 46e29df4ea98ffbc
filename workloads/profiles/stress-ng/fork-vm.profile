brief = forks, beside memory that is mapped, written and checked
run = stress-ng --fork @WORKERS@ --vm @WORKERS@ --vm-bytes @SHARE@ --vm-keep --seed @SEED@ --timeout @SECONDS@s --temp-path @DIR@ --metrics-brief --yaml @DIR@/result.yaml
seconds = 10
workers = 2
region = 128M
memory = yes
