/* What Fetch and its sessions share. */
#ifndef MOCK_FETCH_H
#define MOCK_FETCH_H

#include "mock/call.h"
#include "protocol/messages.h"

#include <uthash.h>

/* One partition that a Fetch is about, whoever remembered it: the request or its session. */
struct fetch_want {
	struct str topic;     /* as the client names it: by name before version 13, */
	struct uuid topic_id; /* by id since */
	struct fetch_request_topics_partitions asked;
};

/* A Fetch at work; lives in the call's memory across its waits. */
struct fetch {
	struct fetch_want *wants;
	int32_t wants_count;
	int32_t session_id; /* that the answer names; 0 none */
	bool incremental;   /* only what changed is answered */
	int16_t error;	    /* of the whole request */
	int64_t deadline_us;
};

struct fetch_sessions {
	struct fetch_session *by_id;
};

/* Fills f from the request and, in an incremental one, its session, which it brings up to date
 * (KIP-227): f->error is then FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH or
 * FETCH_SESSION_TOPIC_ID_ERROR, or 0. */
void fetch_session_open(struct cluster *c, struct call *call, struct fetch *f);

/* A request that makes no sense (UNKNOWN_SERVER_ERROR): its partitions are answered with that,
 * before version 13. */
void fetch_refuse(struct call *call, struct fetch *f);

/* For an incremental answer: whether this partition is to be in it; notes what is answered. For a
 * full one notes only. */
bool fetch_session_answer(struct cluster *c, const struct fetch *f, const struct fetch_want *want,
			  const struct fetch_response_responses_partitions *answer);

/* The partitions that an incremental request is about, its session's and its own: called for each.
 * Nothing is changed. */
void fetch_session_each(struct cluster *c, const struct call *call,
			void (*on_partition)(void *ctx, struct str topic, struct uuid topic_id,
					     int32_t partition),
			void *ctx);

/* Drops the sessions of a broker (it went down), or of all (-1). */
void fetch_sessions_drop(struct cluster *c, int32_t broker);

#endif
