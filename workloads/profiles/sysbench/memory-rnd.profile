brief = random writes within blocks of 1 MiB
run = sysbench memory --memory-block-size=1M --memory-total-size=1024T --memory-oper=write --memory-access-mode=rnd --memory-scope=local --threads=@WORKERS@ --time=@SECONDS@ --rand-seed=@SEED@ --percentile=99 run
seconds = 10
workers = 2
