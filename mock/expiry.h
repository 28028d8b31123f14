/* What a cluster forgets when nobody has used it for long: committed offsets and the groups that
 * then hold nothing (offsets.retention.minutes), idempotent producers (producer.id.expiration.ms),
 * transactional ids (transactional.id.expiration.ms). Looked for at intervals, as brokers do. */
#ifndef MOCK_EXPIRY_H
#define MOCK_EXPIRY_H

#include "mock/timer.h"

struct expiry {
	struct timer offsets, producers, txns;
};

/* There is something that may expire one day: the next look is due in its time. */
void expiry_arm_offsets(struct cluster *c);
void expiry_arm_producers(struct cluster *c);
void expiry_arm_txns(struct cluster *c);

#endif
