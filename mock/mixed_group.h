/* Classic members of consumer groups, and groups that become the other kind and back while members
 * are in them (KIP-848's migration; rule 34 of the acceptance text). */
#ifndef MOCK_MIXED_GROUP_H
#define MOCK_MIXED_GROUP_H

#include "mock/consumer_group.h"

/* What a classic member of a consumer group has beside what all members have. */
struct consumer_classic {
	int32_t session_timeout_ms;
	struct group_protocol *protocols; /* at least one; its own */
	int32_t protocols_count;
	struct timer due; /* until then it must join, or sync; else it is out */
};

void consumer_classic_free(struct cluster *c, struct consumer_member *m);

/* Whether classic requests to the group are those of mixed_...: it is a consumer group with
 * members. */
bool mixed_has(const struct group *g);

/* The classic APIs in a group of which mixed_has is true. Codes are Kafka's. */
enum call_result mixed_join(struct cluster *c, struct call *call, struct group *g);
enum call_result mixed_sync(struct cluster *c, struct call *call, struct group *g);
int16_t mixed_beat(struct cluster *c, const struct call *call, struct group *g);
int16_t mixed_leave(struct cluster *c, struct group *g, struct str member_id,
		    struct str instance_id);

/* A classic group becomes a consumer group, its members stay in it with what they have. NULL, or
 * why it can't. */
const char *mixed_upgrade(struct cluster *c, struct group *g);

/* If only classic members are left, the group is a classic one again; true if so. They are to join
 * again unless `joining` is what made it so. */
bool mixed_downgrade(struct cluster *c, struct group *g, bool joining);

#endif
