#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Dependencies point one way: base <- core <- boundary <- server, cli, gateway <- programs. Fails with each include that
# points the other way, and where a thing that belongs in one file is found in another.
set -u
cd "$(dirname "$0")/.." || exit 2
faults=0

fault() {
        echo "$1" >&2
        faults=$((faults + 1))
}

# allowed LAYER: what files of src/LAYER may include
allowed() {
        case $1 in
        base) echo "base" ;;
        core) echo "base core" ;;
        boundary) echo "base core boundary" ;;
        server) echo "base core boundary server" ;;
        cli) echo "base core boundary cli" ;;
        gateway) echo "base core boundary gateway" ;;
        esac
}

for layer in base core boundary server cli gateway; do
        [ -d "src/$layer" ] || continue
        may=" $(allowed "$layer") "
        for file in src/"$layer"/*.[ch]; do
                [ -f "$file" ] || continue
                for target in $(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file" | sort -u); do
                        case $may in
                        *" $target "*) ;;
                        *) fault "$file: includes \"$target/…\": $layer may use only:$may" ;;
                        esac
                done
        done
done

# only PATTERN FILE… : the pattern stands in these files and nowhere else below src
only() {
        pattern=$1
        shift
        for file in $(grep -rlE "$pattern" src --include='*.[ch]'); do
                case " $* " in
                *" $file "*) ;;
                *) fault "$file: holds '$pattern', which belongs in: $*" ;;
                esac
        done
}
only '<sqlite3\.h>' src/boundary/store.c src/boundary/store_database.c src/boundary/store_database.h
only '"org\.freedesktop\.systemd1' src/boundary/systemd_client.c src/boundary/systemd_requests.c
only 'sd_bus_vtable [a-z_]+\[\]' src/server/bus_api.c src/server/bus_service.c
only '"org\.freedesktop\.PolicyKit1' src/boundary/polkit.c
only '<systemd/sd-journal' src/boundary/journal_reader.c src/boundary/journal_files.c src/boundary/journal_files.h \
        src/boundary/journal_match.h
only 'sd_journal_add_match\(j' src/boundary/journal_match.c
only 'json_object_(object|array)_add' src/core/json_tree.c src/core/unit_plan_diff.c src/core/definition_systemd.c

# json-c's own reader takes what is no JSON, and it and its writer leave parts out, or die, where memory runs out.
for file in $(grep -rlE 'json_tokener|json_object_to_json_string' src --include='*.[ch]'); do
        fault "$file: reads or writes by json-c itself: core/json_strict.h and core/json_tree.h do that"
done

# core/ is pure: no descriptors, no clock, no log, no bus.
for word in 'clock_monotonic_usec' 'clock_realtime_usec' 'log_(error|warning|notice|info|debug)' 'sd_bus' 'sd_event' '\bopen\(' '\bsocket\(' 'getenv'; do
        for file in $(grep -lE "$word" src/core/*.[ch]); do
                fault "$file: uses '$word': core/ is pure"
        done
done

for file in src/*.[ch] src/*/*.[ch]; do
        case ${file##*/} in
        *util* | *misc* | *common* | *helper*) fault "$file: a name that refuses nothing" ;;
        esac
done
[ "$faults" -eq 0 ]
