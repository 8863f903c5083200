/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What differs between two definitions, for people: one line a field, "  actions.ui.exec[1]: "a" -> "b"", with
 * "(added)" and "(removed)". Both texts must be valid JSON. *ret is to be freed, "" when nothing differs. 0, -ENOMEM,
 * -EINVAL. */
int definition_diff(const char *old_text, const char *new_text, char **ret);
