# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of hero_proc(1) in fish. The program itself knows what may stand where; here it is only asked.

function __hero_proc_candidates
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l found (command hero_proc --complete -- $words[2..-1] "$typed" 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path "$typed"
    else
        printf '%s\n' $found
    end
end

complete -c hero_proc -f -a '(__hero_proc_candidates)'
