brief = an installed test or suite, as pts/stream
run = sh @PROFILES@/phoronix/run.sh @PATH@/phoronix-test-suite @PROFILE@ @DIR@
timeout = 7200
