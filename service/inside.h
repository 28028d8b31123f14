/* Requests that we make ourselves, as JSON, against a service's cluster: no connection, no rule, no
 * event of an exchange. What the control interface shows and changes it asks in Kafka's own APIs.
 */
#ifndef SERVICE_INSIDE_H
#define SERVICE_INSIDE_H

#include "base/buf.h"
#include "service/service.h"

#include <jansson.h>

/* The newest version of an API that the cluster speaks; -1 if it does not. */
int inside_version(struct service *s, int api_key);

/* Whose a request is: a client's could be, so that the cluster must speak its version; or our own
 * about what is, which works whatever release the cluster is like, and is not misled by metadata
 * that an event has hidden or made stale. */
enum inside_as { INSIDE_AS_CLIENT, INSIDE_AS_OWN };

/*
 * Works one request on a broker and writes the answer as JSON ("JSON of a message"). A request that
 * would wait is given up. 0; ERR_UNSUPPORTED (API or version), ERR_MALFORMED or ERR_USAGE (the
 * request), ERR_LIMIT (it would wait).
 */
int inside_call(struct service *s, enum inside_as as, int32_t broker, int api_key, int version,
		const json_t *request, struct buf *out, struct error *e);

#endif
