#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fails when clang-format would change a source. Versions format differently, so the one of Debian 12 judges; where it is
# not there, nothing is said.
cd "$(dirname "$0")/.." || exit 2
command -v clang-format-14 >/dev/null || exit 0
drift=$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' | xargs clang-format-14 --dry-run -Werror 2>&1 | grep -E 'error:' | head -n 20)
if [ -n "$drift" ]; then
        echo "$drift" >&2
        exit 1
fi

# What a merge left behind is nobody's source.
if git grep -nE '^(<<<<<<<|>>>>>>>)( |$)' -- ':!LICENSE'; then
        exit 1
fi
