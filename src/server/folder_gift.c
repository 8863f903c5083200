/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/folder_gift.h"

#include <string.h>

#include "base/log.h"
#include "boundary/service_folder.h"
#include "server/supervisor.h"

static void take_result(Service *s, int r) {
        s->gift_failed = r < 0;
        if (r < 0)
                log_warning("%s: %s cannot be given to its user: %s", s->definition->name, s->definition->directory,
                            strerror(-r));
}

static void on_given(void *userdata, int r) {
        Service *s = userdata;

        s->gift = hands_call_free(s->gift);
        take_result(s, r);
        supervisor_mark(s);
}

int folder_gift_begin(Service *s) {
        FolderGift gift;
        int r;

        s->gift = hands_call_free(s->gift);
        r = service_folder_make(s->definition, &gift);
        if (r <= 0)
                return r;
        r = hands_give_folder(supervisor_hands(s->supervisor), gift.folder, gift.uid, gift.gid, on_given, s, &s->gift);
        (void) close(gift.folder);
        take_result(s, r);
        return 0;
}

bool folder_gift_is_over(Service *s) {
        if (s->gift)
                return false;
        if (!s->gift_failed)
                (void) folder_gift_begin(s); /* /run may have been swept by hand */
        if (s->gift)
                return false;
        s->gift_failed = false; /* it has been tried for this start */
        return true;
}
