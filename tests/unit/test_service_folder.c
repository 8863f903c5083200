/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/service_folder.h"

#include <dlfcn.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary/hands_work.h"
#include "unit/unit_test.h"

/* The C library's own, counted on the way. */
static unsigned n_lookups;

__attribute__((visibility("default"))) struct passwd *getpwnam(const char *name) {
        struct passwd *(*real)(const char *) = (struct passwd * (*) (const char *) ) dlsym(RTLD_NEXT, "getpwnam");

        n_lookups++;
        return real(name);
}

static char root[] = "/tmp/hero_service_folder.XXXXXX", folder[sizeof root + 16], user[64];

/* A service of one action that runs as whoever runs the test, by name. */
static ServiceDefinition *make_definition(ActionDefinition *action) {
        static ServiceDefinition d;

        *action = (ActionDefinition){ .user = user };
        d = (ServiceDefinition){ .directory = folder, .actions = action, .n_actions = 1 };
        return &d;
}

static bool set_up(void) {
        const struct passwd *pw = getpwuid(geteuid());

        (void) snprintf(user, sizeof user, "%s", pw ? pw->pw_name : "");
        if (!mkdtemp(root))
                return false;
        (void) snprintf(folder, sizeof folder, "%s/demo", root);
        return user[0] != '\0';
}

TEST(a_folder_that_is_right_already_is_made_again_without_a_look_up) {
        ActionDefinition action;
        const ServiceDefinition *d;
        FolderGift gift;
        struct stat st;
        unsigned n;

        ASSERT(set_up());
        d = make_definition(&action);
        ASSERT_EQ(service_folder_make(d, &gift), 0);
        ASSERT_EQ(n_lookups, 1);
        n = n_lookups;
        ASSERT_EQ(service_folder_make(d, &gift), 0);
        ASSERT_EQ(n_lookups, n);
        ASSERT_EQ(stat(folder, &st), 0);
        ASSERT_EQ(st.st_uid, geteuid());
        if (geteuid() == 0) { /* only root can give it away */
                ASSERT_EQ(chown(folder, 1, 1), 0);
                ASSERT_EQ(service_folder_make(d, &gift), 1);
                ASSERT_EQ(n_lookups, n + 1);
                ASSERT_EQ(gift.uid, 0);
                ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_GIVE_FOLDER, gift.uid, gift.gid }, gift.folder), 0);
                ASSERT_EQ(close(gift.folder), 0);
                ASSERT_EQ(stat(folder, &st), 0);
                ASSERT_EQ(st.st_uid, 0);
                ASSERT_EQ(service_folder_make(d, &gift), 0);
        }
        ASSERT_EQ(service_folder_remove(d), 0);
        ASSERT_EQ(rmdir(root), 0);
}
