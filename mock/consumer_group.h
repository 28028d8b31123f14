/* Consumer groups of KIP-848 as the coordinator keeps them: members with epochs, the target
 * assignment, and the reconciliation of each member towards it. The state machine only; requests
 * are mock/consumer_group_api.c's. */
#ifndef MOCK_CONSUMER_GROUP_H
#define MOCK_CONSUMER_GROUP_H

#include "mock/group.h"
#include "mock/subscription.h"

enum consumer_state {
	CONSUMER_STABLE,
	CONSUMER_UNREVOKED,  /* must give partitions up first */
	CONSUMER_UNRELEASED, /* waits for partitions that others still own */
};

struct consumer_member {
	struct group *group;
	struct str id, instance_id, rack_id, client_id, client_host;
	int32_t epoch; /* -2: a static member that is away */
	int32_t previous_epoch;
	int32_t rebalance_timeout_ms;
	struct subscription *subscription; /* whose eligible set is what it could have */
	struct str assignor;		   /* null: no wish */
	enum consumer_state state;
	struct tp_set assigned, revoking; /* what it has; what it still has to give up */
	struct tp_set target;		  /* what it shall have */
	struct consumer_classic *classic; /* it speaks the classic protocol (mock/mixed_group.h) */
	struct timer session, rebalance;
	UT_hash_handle by_id;
};

struct consumer_group {
	int32_t epoch, assignment_epoch;
	struct str assignor; /* of the last assignment; a constant */
	int64_t assigned_us; /* when that was */
	struct subscription *subscriptions;
	uint64_t topics_seen; /* the topics' version that all eligible sets are made from */
	struct consumer_member *members;
	struct consumer_member *unsettled; /* one that was not there yet when last asked; a hint */
	struct tp_owner *owners;
};

/* Makes the group a KIP-848 one, without members. */
void consumer_group_init(struct cluster *c, struct group *g);
void consumer_group_release(struct cluster *c, struct group *g);
/* "Empty", "Assigning", "Reconciling" or "Stable". */
const char *consumer_group_state(const struct group *g);

/* group.consumer.max.size is reached. */
bool consumer_group_full(const struct cluster *c, const struct group *g);

struct consumer_member *consumer_find(const struct group *g, struct str id);
struct consumer_member *consumer_by_instance(const struct group *g, struct str instance_id);
struct consumer_member *consumer_add(struct cluster *c, struct group *g, struct str id,
				     struct str instance_id);
/* A static member's place under a new member id; its assignment stays. */
void consumer_replace(struct cluster *c, struct consumer_member *m, struct str id);
void consumer_remove(struct cluster *c, struct consumer_member *m, const char *reason);
/* A static member goes, but its place is kept until its session ends. */
void consumer_leave_static(struct cluster *c, struct consumer_member *m);
/* The code for an epoch that is not the member's. */
int16_t consumer_stale(const struct consumer_member *m);
void consumer_alive(struct cluster *c, struct consumer_member *m);

/* Replaces what the member subscribes to: names (a negative count: as they are) and an expression
 * (null: as it is). True if that changed anything. */
bool consumer_subscribe(struct cluster *c, struct consumer_member *m, const struct str *topics,
			int32_t count, struct str regex);

/* The group's epoch moves, since members or what they subscribe to changed. */
void consumer_group_bump(struct cluster *c, struct group *g, const char *reason);
/* Notices changed topics, then computes a new target if one is due. */
void consumer_group_update(struct cluster *c, struct group *g);
/* It has just these partitions, and shall have them, in that epoch. */
void consumer_settle(struct consumer_member *m, int32_t epoch, const struct tp_set *has);
/* Whether others still have some of what it shall have. */
bool consumer_waits(const struct consumer_member *m);
/* One step of the member towards its target. owned: what it says it has; NULL: it did not say.
 * True if its assignment changed. */
bool consumer_reconcile(struct cluster *c, struct consumer_member *m, const struct tp_set *owned);

#endif
