/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/process_unit.h"

TEST(the_unit_of_a_cgroup_is_that_of_the_manager_who_asks) {
        static const struct {
                const char *path, *system, *user;
        } cases[] = {
                { "/hero.slice/hero-web.slice/hero-web.service", "hero-web.service", "hero-web.service (system)" },
                { "/sys/fs/cgroup/hero.slice/hero-a@b.service/below", "hero-a@b.service", "hero-a@b.service (system)" },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/hero-web.service", "user@1000.service",
                  "hero-web.service" },
                { "/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service", "init.scope" },
                { "/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "session-3.scope (system)" },
                { "/init.scope", "init.scope", "init.scope (system)" },
                { "/lxc/\xff\xc3.service/hero-web.service", "??.service", "??.service (system)" },
                { "/", "", "" },
                { "/astray", "", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *system = NULL, *user = NULL;

                ASSERT_EQ(process_unit_of_cgroup(cases[i].path, false, &system), 0);
                ASSERT_EQ(process_unit_of_cgroup(cases[i].path, true, &user), 0);
                ASSERT_STREQ(system, cases[i].system);
                ASSERT_STREQ(user, cases[i].user);
        }
}

TEST(a_commands_name_cannot_confuse_a_terminal) {
        char before[PROCESS_COMMAND_MAX], seen[PROCESS_COMMAND_MAX];
        FILE *f;

        process_command_of(getpid(), before);
        ASSERT(before[0] != '\0');
        f = fopen("/proc/self/comm", "we");
        ASSERT(f);
        fprintf(f, "a\033[31mb");
        ASSERT_EQ(fclose(f), 0);
        process_command_of(getpid(), seen);
        ASSERT_STREQ(seen, "a?[31mb");
}
