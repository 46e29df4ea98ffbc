brief = sequential writes of 1 MiB blocks
run = sysbench memory --memory-block-size=1M --memory-total-size=1024T --memory-oper=write --memory-access-mode=seq --memory-scope=local --threads=@WORKERS@ --time=@SECONDS@ --rand-seed=@SEED@ --percentile=99 run
seconds = 10
workers = 2
