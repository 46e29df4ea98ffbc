# SPDX-License-Identifier: BSD-2-Clause
# a profile that makes no sense, and one whose command does not exist
mkdir -p p/phoronix p/mmtests bin
printf 'brief = x\nrun\n' >p/phoronix/broken.profile
printf 'run = /does/not/exist @DIR@\n' >p/phoronix/absent.profile
printf '#!/bin/sh\nexit 3\n' >bin/phoronix-test-suite
chmod +x bin/phoronix-test-suite
for profile in broken absent; do
    "$MEMSCOPE" workload external phoronix $profile --profile-dir p --path bin 2>&1
    echo "exit $?"
done
"$MEMSCOPE" workload external --list --profile-dir p 2>&1
echo "exit $?"
