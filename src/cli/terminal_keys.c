/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal_keys.h"

#include <string.h>

#include "base/cleanup.h"

/* What follows "ESC [" or "ESC O", with the number that may stand before it. */
static TerminalKey key_of_sequence(char last, unsigned number) {
        static const struct {
                char last;
                unsigned number;
                TerminalKey key;
        } sequences[] = {
                { 'A', 0, KEY_UP },    { 'B', 0, KEY_DOWN }, { 'C', 0, KEY_RIGHT },   { 'D', 0, KEY_LEFT },
                { 'H', 0, KEY_HOME },  { 'F', 0, KEY_END },  { '~', 1, KEY_HOME },    { '~', 4, KEY_END },
                { '~', 7, KEY_HOME },  { '~', 8, KEY_END },  { '~', 5, KEY_PAGE_UP }, { '~', 6, KEY_PAGE_DOWN },
                { 'M', 0, KEY_ENTER }, /* of the keypad, after "ESC O" */
        };

        for (size_t i = 0; i < ELEMENTSOF(sequences); i++)
                if (sequences[i].last == last && (sequences[i].number == number || sequences[i].number == 0))
                        return sequences[i].key;
        return KEY_NONE;
}

/* "ESC [ parameters final" and "ESC O final": all of it is one key, known or not, so that none of its bytes is taken
 * for another. */
static size_t decode_sequence(const char *bytes, size_t n, TerminalKey *ret) {
        unsigned number = 0;
        size_t i = 2;

        for (; i < n && bytes[1] == '[' && bytes[i] >= 0x20 && bytes[i] < 0x40; i++)
                if (bytes[i] >= '0' && bytes[i] <= '9' && number < 1000)
                        number = 10 * number + (unsigned) (bytes[i] - '0');
                else if (bytes[i] == ';')
                        break; /* what follows tells of Shift and its like */
        while (i < n && bytes[1] == '[' && bytes[i] >= 0x20 && bytes[i] < 0x40)
                i++;
        if (i == n)
                return 0;
        *ret = key_of_sequence(bytes[i], number);
        return i + 1;
}

size_t terminal_keys_decode(const char *bytes, size_t n, int is_all, TerminalKey *ret) {
        size_t taken = 0;

        *ret = KEY_NONE;
        if (n == 0)
                return 0;
        if (bytes[0] == KEY_ESCAPE) {
                if (n > 1 && (bytes[1] == '[' || bytes[1] == 'O'))
                        taken = decode_sequence(bytes, n, ret);
                if (taken > 0)
                        return taken;
                if (n > 1 && bytes[1] != '[' && bytes[1] != 'O')
                        return 2; /* Alt with a key */
                if (!is_all)
                        return 0;
                *ret = n == 1 ? KEY_ESCAPE : KEY_NONE;
                return n;
        }
        if (bytes[0] == '\n')
                *ret = KEY_ENTER;
        else if (bytes[0] == 0x7f)
                *ret = KEY_BACKSPACE;
        else if (bytes[0] == KEY_BACKSPACE || bytes[0] == KEY_ENTER || bytes[0] == KEY_REDRAW ||
                 bytes[0] == KEY_ERASE_ALL || (bytes[0] >= 0x20 && bytes[0] < 0x7f))
                *ret = (TerminalKey) bytes[0];
        return 1;
}
