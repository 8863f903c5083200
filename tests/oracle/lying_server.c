/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_server with its decision bent (linked with --wrap), so that it can be seen that the oracle finds lies. $LIE
 * says which: running, failed or unknown, for every service that is up or should be; nothing else of the server is
 * altered. */

#include <stdlib.h>
#include <string.h>

#include "core/service_status.h"

ServiceDecision __real_service_status_decide(const ServiceObservation *seen, uint64_t now_usec);
ServiceDecision __wrap_service_status_decide(const ServiceObservation *seen, uint64_t now_usec);

ServiceDecision __wrap_service_status_decide(const ServiceObservation *seen, uint64_t now_usec) {
        ServiceDecision decision = __real_service_status_decide(seen, now_usec);
        const char *lie = getenv("LIE");
        ServiceState state = service_state_from_string(lie ? lie : "");

        if ((int) state < 0 || (decision.state != SERVICE_RUNNING && decision.state != SERVICE_FAILED &&
                                decision.state != SERVICE_DEGRADED))
                return decision;
        decision.state = state;
        if (state == SERVICE_RUNNING)
                decision.n_reasons = 0;
        else if (decision.n_reasons == 0)
                decision.reasons[decision.n_reasons++] = (Reason){
                        .code = state == SERVICE_FAILED ? REASON_PROBE_FAILED : REASON_STALE,
                        .subject = SUBJECT_SERVICE,
                };
        return decision;
}
