#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fails on a script that does not parse, or defines a name twice; where shellcheck is there, on what it finds too.
cd "$(dirname "$0")/.." || exit 2
status=0
for file in $(git grep -lE '^#!.*\b(ba|)sh$' -- tools tests .ci) completion/hero_proc.bash; do
        bash -n "$file" || status=1
        if command -v shellcheck >/dev/null; then shellcheck -S warning "$file" || status=1; fi
done
# Of two functions of one name the first is lost, and a test with it, without a word.
git ls-files '*.py' | xargs /usr/bin/python3 -c '
import ast, collections, sys
status = 0
for path in sys.argv[1:]:
    with open(path) as file:
        body = ast.parse(file.read(), path).body
    names = collections.Counter(node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    for name in (name for name, n in names.items() if n > 1):
        print(f"{path}: {name} is defined twice", file=sys.stderr)
        status = 1
sys.exit(status)' || status=1
exit $status
