brief = random reads and writes of files through the page cache
run = fio --name=cache-churn --directory=@DIR@ --rw=randrw --rwmixread=70 --bs=4k --size=@SHARE@ --numjobs=@WORKERS@ --ioengine=psync --invalidate=1 --time_based --runtime=@SECONDS@ --randseed=@SEED@ --group_reporting --output-format=json --output=@DIR@/result.json
seconds = 10
workers = 2
region = 64M
