# SPDX-License-Identifier: BSD-2-Clause
"$MEMSCOPE" workload list
"$MEMSCOPE" workload list --csv
"$MEMSCOPE" workload external --list
