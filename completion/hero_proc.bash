# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completion of hero_proc(1) in bash. The program itself knows what may stand where; here it is only asked.

_hero_proc() {
        local IFS=$'\n' i line cur
        local -a words=() found=()

        # readline parts words at '=', which the program wants whole.
        for ((i = 1; i <= COMP_CWORD; i++)); do
                if ((${#words[@]})) && [[ ${COMP_WORDS[i]} == '=' || ${words[-1]} == --*= ]]; then
                        words[-1]+=${COMP_WORDS[i]}
                else
                        words+=("${COMP_WORDS[i]}")
                fi
        done
        cur=${words[-1]-}
        COMPREPLY=()
        while read -r line; do
                found+=("${line%%$'\t'*}")
        done < <("$1" --complete -- "${words[@]}" 2>/dev/null)

        if [[ ${found[0]-} == :files ]]; then
                compopt -o filenames 2>/dev/null
                while read -r line; do
                        COMPREPLY+=("$line")
                done < <(compgen -f -- "${cur#--*=}")
                return
        fi
        for line in "${found[@]}"; do
                # Only what follows the '=' is replaced, where it parts words.
                if [[ $cur == --*=* && $COMP_WORDBREAKS == *=* ]]; then line=${line#*=}; fi
                COMPREPLY+=("$line")
        done
        if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}

complete -F _hero_proc hero_proc
