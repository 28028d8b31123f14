/* What consumers put into the opaque bytes of classic groups: subscriptions and assignments, behind
 * a version of two bytes. Versions newer than 3 are read as 3, as Kafka does. */
#ifndef MOCK_CONSUMER_PROTOCOL_H
#define MOCK_CONSUMER_PROTOCOL_H

#include "base/arena.h"
#include "mock/tp_set.h"
#include "protocol/messages.h"

struct cluster;

/* False if the bytes are none. Views into data and the arena. *ret_version as it is written there.
 */
bool subscription_read(struct bytes data, struct arena *arena,
		       struct consumer_protocol_subscription *ret, int16_t *ret_version);

/* The partitions of an assignment whose topics there are; none for empty data. False if the bytes
 * are no assignment, or carry what an assignor of the client's own has put there. */
bool assignment_read(const struct cluster *c, struct bytes data, struct tp_set *ret);

/* The set as an assignment of that version, to be freed with mem_bytes_free. */
struct bytes assignment_write(const struct cluster *c, const struct tp_set *set, int16_t version);

/* Of a subscription's owned partitions those whose topics there are, sorted. */
void subscription_owned(const struct cluster *c, const struct consumer_protocol_subscription *s,
			struct tp_set *ret);

#endif
