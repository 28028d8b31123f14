/* Who the clients of a capture were: programs that wrote, read, or did both in transactions, as a
 * scenario starts them. Told by client ids, members and what was asked; two programs that share a
 * client id and never meet in a group are taken for one. */
#ifndef HARNESS_CAST_H
#define HARNESS_CAST_H

#include "harness/incident.h"
#include "harness/plan.h"

#define CAST_MAX      100
#define CAST_NAME_MAX 100
#define CAST_GAP_US   300000 /* between two moments, from which on time counts */

struct part {
	char name[CAST_NAME_MAX]; /* in the scenario, and so its client id; unique */
	char word[20];		  /* its Lua variable */
	enum speaks speaks;
	bool played;	      /* it can be started: it wrote or read a topic that is there */
	struct str client_id; /* as recorded */
	struct str topic;     /* that it wrote, or read; null: none was seen */
	struct str group, instance, txn; /* null: none */
	struct str member;		 /* the latest id in its group */
	bool kip848;
	int64_t first_us, last_us; /* of its requests */
	bool left;		   /* it said so, before the end */
	bool early;		   /* ... while others went on, or before they began */
	/* what it wrote */
	int64_t records;
	int64_t wrote_us, calm_us, calm_records; /* the first request; until something went wrong */
	int32_t value_bytes;			 /* of a record, about; of the largest */
	int32_t batch_bytes;			 /* the largest */
	int32_t calm_requests, crowded, most;	 /* of the former, those with others in flight */
	int32_t requests, in_flight;		 /* Produce; most at once on a connection */
	int32_t acks, timeout_ms;
	bool idempotent, hurt; /* hurt: some of its requests was */
	int64_t ended_us;      /* the last answer to what it wrote */
	int32_t failures;      /* Produce requests since the last good one */
	int64_t failing_us;    /* the first of those */
	bool hopeless;	       /* it was told an error that no time mends, or a failure last */
	int32_t gave_up_ms;    /* how long it tried what it was told to try again, in the end; 0 */
	uint8_t codec;
	int32_t ends, aborts; /* of transactions */
	int64_t open, size;   /* records of the one that is open; of the first that ended; 0 */
	/* how it read; -1 not seen */
	int32_t session_ms, max_wait_ms, partition_bytes, fetch_bytes;
	int64_t beat_us; /* the shortest time between two heartbeats that were answered without
			    error */
	int64_t last_beat_us;
	bool committed_only, from_latest;
	int64_t committed;     /* records that it did, or tried to */
	int64_t commits, step; /* of its commits; records of each of them, while they are even */
	bool uneven, smaller;  /* steps are not the same; the last one was smaller */
	bool had_more;	       /* it had been given more than it then committed */
	int64_t wanted;	       /* records after which it left with more in hand; 0: it did not */
	int64_t poll_records;  /* it took so many at once of what it was given; 0: not seen */
};

struct cast {
	struct part *list; /* in the order in which they came */
	int32_t count, played;
	bool more; /* than CAST_MAX */
};

/* group: only who has to do with it; null: all. */
void cast_find(struct cast *c, const struct incident *in);
void cast_release(struct cast *c);

/* What a rule may name: what some part that is played is called, or is in. With nobody to play a
 * part it is anything. */
bool cast_has_client(const struct cast *c, struct str id);
bool cast_has_group(const struct cast *c, struct str group);

/* ---- between the files of this ---- */

void cast_find_ends(struct cast *c, const struct incident *in); /* cast_ends.c */

#endif
