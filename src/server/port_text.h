/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "server/service.h"

/* What is wrong with a port, in words: "port 8080: nobody listens". */
void port_text_say(FILE *f, ReasonCode code, const ServicePort *port);
