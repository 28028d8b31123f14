/* Classic consumer groups as the group coordinator keeps them: members, generations, the rebalance
 * (join, then sync), session time-outs, static members (KIP-345), member ids asked for first
 * (KIP-394). The state machine only; what requests say and get is mock/group_api.c's. */
#ifndef MOCK_GROUP_H
#define MOCK_GROUP_H

#include "mock/call.h"
#include "mock/timer.h"

#include <uthash.h>

/* What an event of a group names, members and partitions; of more it has the count. */
#define GROUP_MEMBERS_TOLD    100
#define GROUP_PARTITIONS_TOLD 200

#define GROUP_NEW_JOIN_MS     300000 /* how long a new member of v0-3 may wait for its first join */

enum group_state {
	GROUP_EMPTY,
	GROUP_PREPARING_REBALANCE,  /* waiting for members to join */
	GROUP_COMPLETING_REBALANCE, /* joined; waiting for the leader's assignment */
	GROUP_STABLE,
	GROUP_DEAD,
};

struct group_protocol {
	struct str name;
	struct bytes metadata;
};

struct member {
	struct group *group;
	struct str id;
	struct str instance_id; /* null: a dynamic member */
	struct str client_id, client_host;
	int32_t session_timeout_ms, rebalance_timeout_ms;
	struct group_protocol *protocols;
	int32_t protocols_count;
	struct bytes assignment;
	bool awaiting_join, awaiting_sync; /* also while its connection is gone; set the first by
					      member_await_join */
	bool is_new;			   /* never finished a join */
	struct waitlist waiters;	   /* its JoinGroup or SyncGroup */
	struct timer session;
	UT_hash_handle by_id;
};

/* An id that was given out (error 79) and has not joined yet. */
struct pending_member {
	struct group *group;
	struct str id;
	struct timer session;
	UT_hash_handle by_id;
};

struct offset_entry;
struct known_protocol;
struct consumer_group;
struct topic;

struct group {
	struct str id;
	enum group_state state;
	int64_t state_since_ms; /* wall */
	int32_t generation;
	struct str protocol_type, protocol; /* null while there is none */
	struct member *leader;
	struct member *members; /* by id, in the order of joining */
	struct pending_member *pending;
	int32_t members_count;
	int32_t awaiting_join_count;
	struct known_protocol *known; /* how many members know each protocol */
	bool gathering;		      /* a new group waits a moment for more members */
	int32_t gathered;	      /* members when that wait was last looked at */
	int64_t gather_end_us;
	struct timer rebalance; /* end of the join phase; then of the sync phase */
	struct offset_entry *offsets;
	struct consumer_group *consumer;       /* its KIP-848 side; NULL: a classic group */
	struct pending_partition *txn_offsets; /* of transactions that are open */
	UT_hash_handle by_id;
};

struct groups {
	struct group *by_id;
};

void groups_release(struct cluster *c);
struct group *group_find(const struct cluster *c, struct str id);
struct group *group_new(struct cluster *c, struct str id);
void group_free(struct cluster *c, struct group *g);
/* Its classic members go, and those that were to join; whoever waits is woken. */
void group_clear(struct cluster *c, struct group *g);
/* Members that were added while it was a consumer group, with their assignments, are a stable
 * classic group of that generation. */
void group_resume(struct cluster *c, struct group *g, int32_t generation);
const char *group_state_name(enum group_state state);

struct member *member_find(const struct group *g, struct str id);
struct member *member_by_instance(const struct group *g, struct str instance_id);
struct pending_member *pending_find(const struct group *g, struct str id);

/* CLIENT-UUID, or INSTANCE-UUID for a static member; in the cluster's random numbers. */
struct str member_new_id(struct cluster *c, struct str client_id, struct str instance_id);

/* Remembers an id that was given out, until it joins or session_timeout_ms pass. */
void group_add_pending(struct cluster *c, struct group *g, struct str id,
		       int32_t session_timeout_ms);
void group_drop_pending(struct cluster *c, struct group *g, struct pending_member *p);

/* What a JoinGroup says of a member. */
struct member_spec {
	struct str protocol_type;
	struct str instance_id, client_id, client_host;
	int32_t session_timeout_ms, rebalance_timeout_ms;
	const struct group_protocol *protocols;
	int32_t protocols_count;
};

/* Adds a member that awaits the join; the caller then starts or completes the rebalance. */
struct member *group_add_member(struct cluster *c, struct group *g, struct str id,
				const struct member_spec *spec);
/* The member joins again, with what spec says. */
void member_rejoin(struct cluster *c, struct member *m, const struct member_spec *spec);
/* It waits for the join phase to end, or no longer does. */
void member_await_join(struct member *m, bool awaiting);
/* A static member came back under a new id; the old id is fenced. */
void member_replace_id(struct cluster *c, struct member *m, struct str id);
bool member_matches(const struct member *m, const struct group_protocol *protocols, int32_t count);

/* Removes a member and lets the group go on without it. */
void group_remove_member(struct cluster *c, struct member *m, const char *reason);

/* Whether members may join with these protocols: a type, and one protocol that all know. */
bool group_supports(const struct group *g, struct str type, const struct group_protocol *protocols,
		    int32_t count);
/* The protocol that most members would choose. */
struct str group_select_protocol(const struct group *g);

/* Begins a rebalance unless one is under way, then ends its join phase if nobody is missing. */
void group_rebalance(struct cluster *c, struct group *g, const char *reason);
void group_maybe_complete_join(struct cluster *c, struct group *g);

/* The leader's assignment is there (each member's assignment field set): the group is stable. */
void group_assigned(struct cluster *c, struct group *g);

/* Whether a member, of either kind, is subscribed to the topic (NULL: to none). arena: for reading.
 */
bool group_subscribes(const struct group *g, const struct topic *t, struct arena *arena);

/* The session goes on from now. */
void member_alive(struct cluster *c, struct member *m);

#endif
