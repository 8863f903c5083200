#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fails on a script that does not parse; where shellcheck is there, on what it finds too.
cd "$(dirname "$0")/.." || exit 2
status=0
for file in $(git grep -lE '^#!.*\b(ba|)sh$' -- tools tests .ci) completion/hero_proc.bash; do
        bash -n "$file" || status=1
        if command -v shellcheck >/dev/null; then shellcheck -S warning "$file" || status=1; fi
done
for file in $(git ls-files '*.py'); do
        /usr/bin/python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file" || status=1
done
exit $status
