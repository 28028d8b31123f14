/* What one thing is called in the recording and what it is called live: ids, epochs, generations,
 * offsets, nodes, addresses. A map with two sides. It is learned from pairs of messages (a recorded
 * one and its live counterpart, walked in step) and applied to a message of one side, which then
 * speaks of the same things in the other side's words.
 *
 * What a value is comes from its role (replay/role.h), where it holds from its scope: a producer
 * epoch belongs to its producer id, a generation or member epoch to its member, or else its group,
 * an offset and a leader epoch to their partition, a fetch session to the peer that it was made
 * with; all else is the cluster's. Scopes are kept in the recording's words. Values that mean
 * "none" (negative numbers, empty and null texts, session 0, member epoch 0, the zero id) are the
 * same on both sides.
 *
 * Correlation ids are the frame's, not the message's: whoever writes a frame counts them. */
#ifndef REPLAY_VARIABLES_H
#define REPLAY_VARIABLES_H

#include "base/arena.h"
#include "replay/leaves.h"

#define VARIABLES_MAX	  ((size_t)4 << 20) /* bindings; what is beyond is not learned */
#define OFFSET_POINTS_MAX 65536		    /* of one partition; likewise */

enum side { SIDE_RECORDED, SIDE_LIVE };

struct variables;

/* Where a message was found. */
struct variables_place {
	int64_t peer;		     /* whom its fetch session is with, as the recording numbers
					brokers or connections: whatever the caller keeps to */
	const struct holder *around; /* of an answer: its request of the same side; or NULL */
	bool answer;		     /* offsets of its batches mean something */
};

struct variables *variables_new(void);
void variables_free(struct variables *v); /* NULL is fine */

/* Groups and transactional ids are called so live: with that text behind. */
void variables_set_suffix(struct variables *v, struct str suffix);

/* Live brokers by number: what answers say of them. An answer that goes to a live client gets these
 * addresses; without, hosts and ports stay. */
void variables_set_address(struct variables *v, int32_t node, struct str host, int32_t port);

/* A topic's id on one side; topics have the same names on both. */
void variables_set_topic(struct variables *v, enum side side, struct uuid id, struct str name);

/* Binds by hand what has no scope: ROLE_BROKER, ROLE_PRODUCER_ID; ROLE_MEMBER, ROLE_GROUP, ... */
void variables_bind_int(struct variables *v, enum role role, int64_t recorded, int64_t live);
void variables_bind_str(struct variables *v, enum role role, struct str recorded, struct str live);

/* An epoch of a recorded producer id. */
void variables_bind_epoch(struct variables *v, int64_t producer_id, int16_t recorded, int16_t live);

/* The other side's name of what has no scope; false: nothing known, *ret is the same. */
bool variables_int(const struct variables *v, enum side from, enum role role, int64_t value,
		   int64_t *ret);
struct str variables_str(const struct variables *v, enum side from, enum role role,
			 struct str value);
/* The same of a topic id, by what was bound or by the topic's name; zero if not known. */
struct uuid variables_topic_id(const struct variables *v, enum side from, struct uuid id);
/* The name of a topic id of that side, or the null view; and the newest id of a name, or zero. */
struct str variables_topic_name(const struct variables *v, enum side side, struct uuid id);
struct uuid variables_id_of_topic(const struct variables *v, enum side side, struct str name);
/* An offset of a partition; -1: the other log has none for it. */
int64_t variables_offset(const struct variables *v, enum side from, struct str topic,
			 int32_t partition, int64_t offset);
void variables_bind_offset(struct variables *v, struct str topic, int32_t partition,
			   int64_t recorded, int64_t live);

/*
 * Rewrites a message of one side, in place, in the other side's words; texts and records that
 * change lie in the arena. What is not known stays, but a leader epoch that is not known becomes -1
 * in a request: no broker minds that. False when the arena is full: the message is then half done.
 */
bool variables_apply(struct variables *v, enum side from, const struct variables_place *place,
		     const struct schema *s, int version, void *msg, struct arena *arena);

/* Values that variables_apply found no counterpart of so far, by role. */
uint64_t variables_unknown(const struct variables *v, enum role role);

/*
 * Learns from a recorded message and its live counterpart, of the same API but perhaps of other
 * versions: elements of arrays meet by what identifies them. What is bound already stays, but for
 * what the message hands out anew: the base offsets of a Produce answer.
 */
void variables_learn(struct variables *v, const struct variables_place *recorded_place,
		     const struct variables_place *live_place, const struct schema *s,
		     int recorded_version, const void *recorded, int live_version,
		     const void *live);

/* ---- for who walks two messages in step (replay/pairs.h) ---- */

enum sameness { SAME_NO = -1, SAME_UNKNOWN = 0, SAME_YES = 1 };

/* Whether two values of a field mean the same; UNKNOWN: the recorded one is a variable that is not
 * bound, and so may be anything that is not taken. peer: as in a place. */
enum sameness variables_same(struct variables *v, int64_t peer, const struct holder *recorded_in,
			     const struct schema_field *f, const void *recorded, const void *live);

/* Binds them. */
void variables_bind_pair(struct variables *v, int64_t peer, const struct holder *recorded_in,
			 const struct schema_field *f, const void *recorded, const void *live);

/* True of what a broker hands out in an answer: it holds from then on, whatever was thought before.
 * The base offsets of Produce answers; the epochs of members, which each coordinator counts by
 * what it hears of, and when. */
bool variables_hands_out(const struct holder *in, const struct schema_field *f);

/* ---- for who rewrites (replay/rewrite.c) ---- */

/* A number of a struct; false and counted: nothing known. */
bool variables_map_int(struct variables *v, enum side from, int64_t peer, const struct holder *in,
		       enum role role, int64_t n, int64_t *ret);

/* What variables_set_address said. */
bool variables_address(const struct variables *v, int32_t node, struct str *ret_host,
		       int32_t *ret_port);

/* The topic that a struct, or one around it, is about, by name; null: none, or an unknown id. */
struct str variables_topic_around(const struct variables *v, enum side side,
				  const struct holder *in);

/* What a field's value is the name of: as role_of, but a coordinator's key is a group or a
 * transactional id, a resource's name a topic, a group, ... */
enum role variables_role(const struct holder *in, const struct schema_field *f);

/* True of roles whose values differ from cluster to cluster. */
bool role_is_variable(enum role role);

#endif
