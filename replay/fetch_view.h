/* What a Fetch asks for. In a session (KIP-227) a request names only what changed since the one
 * before; here all partitions of it stand, each with the offset that it is asked at. */
#ifndef REPLAY_FETCH_VIEW_H
#define REPLAY_FETCH_VIEW_H

#include "protocol/messages.h"
#include "replay/variables.h"

#define FETCH_VIEWS_MAX	     20000  /* sessions; then the oldest goes */
#define FETCH_VIEW_PARTS_MAX 500000 /* of all sessions together; likewise */

struct fetch_view_part {
	struct str topic; /* by name where it is known, else null: of an id */
	struct uuid topic_id;
	int32_t partition;
	int64_t offset;
	int32_t max_bytes, leader_epoch;
	int64_t told_end, told_start; /* high watermark and log start that the session was told */
	bool told;
	void *place; /* the user's */
};

/* A session's, or one request's. */
struct fetch_view {
	struct fetch_view_part *parts;
	size_t count;
	int32_t id, epoch; /* id 0: no session */
	bool full;	   /* the request named all; the answer has to as well */
	bool wants;	   /* ... and would have a session */
};

struct fetch_views;

struct fetch_views *fetch_views_new(void);
void fetch_views_free(struct fetch_views *vs); /* NULL is fine */

/*
 * Takes a request of that side to a peer (a broker). 0 and the view, which is valid until the next
 * call; or Kafka's code for a session that is not there (70) or at another epoch (71). strict:
 * whether epochs are looked at, as a broker does, or a session that is not there is begun, as is
 * needed of a recording that begins midway.
 */
int16_t fetch_views_take(struct fetch_views *vs, int64_t peer, int version,
			 const struct fetch_request *q, const struct variables *v, enum side side,
			 bool strict, struct fetch_view **ret);

/* The view of a request that was taken before, once more; NULL: its session is gone. */
struct fetch_view *fetch_views_again(struct fetch_views *vs, int64_t peer, int version,
				     const struct fetch_request *q, const struct variables *v,
				     enum side side);

/* The view that was just taken becomes a session of that id, which is not taken there. */
void fetch_views_open(struct fetch_views *vs, int64_t peer, int32_t id);
bool fetch_views_has(const struct fetch_views *vs, int64_t peer, int32_t id);
void fetch_views_close(struct fetch_views *vs, int64_t peer, int32_t id);

/* A partition that the session was told of without its having been asked for: it began earlier. */
void fetch_view_add(struct fetch_views *vs, struct fetch_view *view,
		    const struct fetch_view_part *part);

#endif
