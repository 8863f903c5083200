/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/option_table.h"
#include "cli/command_line.h"

#define ALONE OPTION_ALONE, ""
#define WITH(name) OPTION_WITH_ARGUMENT, name

/* clang-format off */
const Option option_table[] = {
        { OPTION_SYSTEM, "system", ALONE, 0, "The system's services (default)" },
        { OPTION_USER, "user", ALONE, 0, "The services of the calling user" },
        { 'H', "host", WITH("[USER@]HOST"), 0, "On another machine, by ssh; list: or on several" },
        { 'M', "machine", WITH("NAME"), 0, "In a local container; list: or in several" },
        { OPTION_JSON, "json", OPTION_WITH_OR_WITHOUT, "MODE", VERB_TAKES_JSON, "JSON instead of text: short, pretty or off" },
        { OPTION_TIMEOUT, "timeout", WITH("SECONDS"), VERB_TAKES_TIMEOUT, "How long to wait (changes 10min, list 5s a host)" },
        { OPTION_NO_BLOCK, "no-block", ALONE, VERB_TAKES_NO_BLOCK, "Ask for it and do not wait until it is done" },
        { OPTION_FOR, "for", WITH("STATE,..."), VERB_TAKES_FOR, "wait: for any of these, or removed (default: running)" },
        { OPTION_DRY_RUN, "dry-run", ALONE, VERB_TAKES_DRY_RUN, "Show what would be done, and do nothing" },
        { OPTION_FORCE, "force", ALONE, VERB_TAKES_FORCE, "reset-failed: restart healthy services too" },
        { OPTION_PRUNE, "prune", ALONE, VERB_TAKES_PRUNE, "apply: remove the services that are not in the files" },
        { 'f', "follow", ALONE, VERB_TAKES_FOLLOW, "logs: go on showing new lines" },
        { 'n', "lines", WITH("N"), VERB_TAKES_LINES, "logs, status, history: how many lines" },
        { OPTION_SOCKET_DIR, "socket-dir", WITH("PATH"), 0, "check: where relative sockets would be" },
        { OPTION_NO_LEGEND, "no-legend", ALONE, 0, "No headings and no summary" },
        { 'q', "quiet", ALONE, 0, "Print less" },
        { OPTION_NO_COLOR, "no-color", ALONE, 0, "No colours" },
        { OPTION_NO_PAGER, "no-pager", ALONE, 0, "Accepted; only journalctl has a pager here" },
        { OPTION_NO_ASK_PASSWORD, "no-ask-password", ALONE, 0, "Fail rather than ask for a password" },
        { OPTION_VERSION, "version", ALONE, 0, "Show the version" },
        { OPTION_HELP, "help", ALONE, 0, "Show this help" },
        { 0 },
};
/* clang-format on */
