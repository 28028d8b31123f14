/* One consumer group's life as a capture tells it: its members, its generations (of KIP-848: the
 * epochs), who owns which partition, and what was committed. Knows no messages: groups.c reads
 * those and calls this. Each generation becomes text once the next one begins. */
#ifndef DECODER_LIFE_H
#define DECODER_LIFE_H

#include "base/buf.h"
#include "base/room.h"
#include "base/str.h"
#include "trace/event.h"

#include <uthash.h>

#define LIFE_MEMBERS_MAX    5000
#define LIFE_PARTITIONS_MAX 20000
#define LIFE_TEXT_MAX	    ((size_t)1 << 20) /* of the generations that are over */

struct life_member {
	char *id;		       /* as on the wire */
	int number;		       /* in order of appearance, from 1: the text calls it m1 */
	bool seen;		       /* it spoke in this capture; else another one named it */
	char name[160], instance[120]; /* fit to print */
	char client[256];	       /* its client id as on the wire, */
	int32_t client_len;	       /* -1: none */
	char host[ENDPOINT_TEXT_SIZE]; /* and where it speaks from */
	int32_t session_ms, rebalance_ms, interval_ms; /* 0: not said */
	/* the generation at hand, and the one before */
	bool in, was_in;
	int64_t asked_us; /* its JoinGroup; 0 none */
	bool told;	  /* it asked because the broker had said that a rebalance goes on */
	bool subscription_changed, gave_up;
	char reason[200];
	int64_t told_us;
	/* its end */
	int64_t left_us; /* 0: not left */
	char left_why[240];
	/* signs of life */
	int64_t contact_us, longest_us;
	uint64_t topics_hash;
	char topics[200];
	UT_hash_handle hh;
};

struct life_partition {
	char *place;   /* "orders-0" */
	int topic_len; /* of the topic in it */
	int32_t partition;
	struct life_member *owner, *before;	/* in the generation at hand, in the one before */
	int64_t committed, commit_us, lag_most; /* committed: -1 none; lag_most: -1 unknown */
	UT_hash_handle hh;
};

/* A topic that some member subscribed to. */
struct life_topic {
	char *name;
	int32_t partitions; /* as Metadata has it; -1 unknown */
	int64_t changed_us;
	int32_t shown, before; /* the same when this generation began, and the one before */
	int64_t shown_us;
	UT_hash_handle hh;
};

struct life_generation {
	int32_t id; /* -1: none yet */
	int64_t began_us, settled_us;
	char protocol[80];
	struct life_member *leader;
	bool whole; /* all members are known: the leader's JoinGroup answer was seen */
	bool met;   /* it was there before the capture, or its beginning is not in it */
	uint64_t heartbeats, commits, refused;
	int16_t refused_code;
};

struct life {
	struct room *room; /* that its memory is taken from; may be NULL */
	size_t size;
	char *id;
	char name[160];		/* fit to print */
	bool consumer_protocol; /* KIP-848 */
	struct life_member *members;
	struct life_partition *partitions;
	struct life_topic *topics;
	struct life_generation now;
	uint64_t generations, left_out; /* left_out: generations for which there was no room */
	int64_t first_us, last_us;
	struct buf text;
	bool full;	 /* there was no room for all of it: no more is told */
	char rest[300];	 /* of the generation that was told last: what it did once settled, */
	int64_t rest_us; /* since when */
	UT_hash_handle hh;
};

/* NULL when there is no room. */
struct life *life_new(struct str id, struct room *room);
void life_free(struct life *g); /* NULL is fine */

/* n more bytes; false when there is no room. */
bool life_take(struct life *g, size_t n);

/* The member; made when it is new. NULL without an id, past LIFE_MEMBERS_MAX, or without room. */
struct life_member *life_member(struct life *g, struct str id);

/* A sign of life at that time. */
void life_contact(struct life_member *m, int64_t time_us);

/* A generation begins unless it is the one at hand; the last one becomes text. A classic group
 * begins without owners, with KIP-848 they stay until an answer says otherwise. */
void life_begin(struct life *g, int32_t generation, int64_t time_us);

/* The partition at a place such as "orders-0"; made when it is new. NULL past LIFE_PARTITIONS_MAX
 * or without room. */
struct life_partition *life_partition(struct life *g, const char *place);

/* All partitions that m owns are nobody's. */
void life_disown(struct life *g, const struct life_member *m);

/* A member subscribes to it. partitions: as far as known now, else -1. */
void life_subscribes(struct life *g, struct str topic, int32_t partitions);

/* m speaks as a member of that generation, which may be the first that is heard of it. */
void life_met(struct life *g, struct life_member *m, int32_t generation, int64_t time_us);

/* Ends the generation at hand, as text, and puts the partitions in order. No more calls but the
 * writing. */
void life_end(struct life *g);

/* Orders the partitions by topic and number. */
void life_sort(struct life *g);

/* "orders-0..2 orders-5": those partitions for which want is true; of very many some. */
void life_put_partitions(struct buf *out, const struct life *g,
			 bool (*want)(const struct life_partition *p, const void *context),
			 const void *context);

#endif
