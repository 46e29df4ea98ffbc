# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
bash -n "$SRC/completions/memscope.bash" || echo "bash: exit $?"
if command -v zsh >/dev/null; then zsh -n "$SRC/completions/_memscope"; fi
if command -v fish >/dev/null; then fish -n "$SRC/completions/memscope.fish"; fi
