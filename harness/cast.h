/* Who the clients of a capture were: programs that wrote, read, or did both in transactions, as a
 * scenario starts them. Told by client ids, members and what was asked; two programs that share a
 * client id and never meet in a group are taken for one. */
#ifndef HARNESS_CAST_H
#define HARNESS_CAST_H

#include "harness/incident.h"
#include "harness/plan.h"

#define CAST_MAX      100
#define CAST_NAME_MAX 100

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
	/* what it wrote */
	int64_t records;
	int64_t wrote_us, calm_us, calm_records; /* the first request; until something went wrong */
	int32_t value_bytes;			 /* of a record, about; of the largest */
	int32_t batch_bytes;			 /* the largest */
	int32_t calm_requests, crowded, most;	 /* of the former, those with others in flight */
	int32_t requests, in_flight;		 /* Produce; most at once on a connection */
	int32_t acks, timeout_ms;
	bool idempotent, hurt; /* hurt: some of its requests was */
	uint8_t codec;
	int32_t ends, aborts; /* of transactions */
	/* how it read; -1 not seen */
	int32_t session_ms, max_wait_ms, partition_bytes, fetch_bytes;
	int64_t beat_us; /* the shortest time between two heartbeats that were answered without
			    error */
	int64_t last_beat_us;
	bool committed_only, from_latest;
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

#endif
