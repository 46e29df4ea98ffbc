brief = configs/PROFILE of an installed MMTests (--path DIR)
run = sh @PROFILES@/mmtests/run.sh @PATH@ @PROFILE@ @DIR@
timeout = 7200
