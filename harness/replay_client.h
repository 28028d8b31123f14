/* Replay as client: a session's requests go to a live cluster, and its answers are compared with
 * the recorded ones.
 *
 * Order: requests go out in the order of the recording, over all connections, and none before the
 * answers came that the recording had by then. Within that they are pipelined as recorded.
 *
 * A live cluster settles in its own time, and the recorded one did, too. A question
 * (replay/nature.h) whose answer differs is asked again until it does not, or until as much time
 * has passed as the recording took and settle_us more; what the same question was answered
 * later in the recording is right as well. What changes something is sent again only where the
 * answer said that nothing was done and to try again, and the recorded one did not. A change that
 * the recorded cluster was not ready for is not sent: the client's own next try stands for it. */
#ifndef HARNESS_REPLAY_CLIENT_H
#define HARNESS_REPLAY_CLIENT_H

#include "harness/live_cluster.h"
#include "replay/compare.h"
#include "replay/session.h"
#include "trace/event.h"

#define REPLAY_SETTLE_US    2000000 /* beyond the recording's own time, for one answer */
#define REPLAY_SETTLE_TIMES 10	    /* as often may it pass in vain; then nobody waits any more */
#define REPLAY_ANSWER_US                                                  \
	60000000 /* an answer that takes longer than the recorded one did \
		    by so much is missing */

enum replay_fate {
	REPLAY_EQUAL,
	REPLAY_DIFFERING,
	REPLAY_MISSING,	     /* the live cluster did not answer; why says what it did */
	REPLAY_NOT_COMPARED, /* sent, but the recording has no whole answer */
	REPLAY_LEFT_OUT,     /* not sent; why says it */
};

struct replay_result {
	const struct session_exchange *exchange;
	enum replay_fate fate;
	const char *why; /* NULL where there is nothing to say */
	int32_t version; /* in which it was asked; -1 not at all */
	int32_t tries;
	int32_t node;			       /* that answered; -1 none */
	const struct differences *differences; /* of DIFFERING */
};

struct replay_totals {
	uint64_t sent; /* exchanges; questions asked again count once */
	uint64_t equal, differing, missing, not_compared, left_out;
	uint64_t again;		      /* requests that were sent again */
	uint64_t converted;	      /* sent in another version */
	uint64_t unknown[ROLE_COUNT]; /* variables that the recording does not tell of */
};

struct replay_client_options {
	const struct session *session;
	const struct seen *seen;
	struct service_address to;
	bool of_live;  /* the session has a live cluster's answers: one that it lost is missing */
	bool anywhere; /* the cluster need not be on loopback */
	bool create_topics;
	struct str suffix;	   /* null: none */
	double speed;		   /* 1 as recorded, 10 ten times as fast; 0 without waiting */
	int64_t settle_us;	   /* REPLAY_SETTLE_US; 0: nothing is asked twice */
	int64_t answer_us;	   /* REPLAY_ANSWER_US */
	const struct str *ignored; /* paths; checked already */
	size_t ignored_count;
	const struct event_bus *bus; /* gets the live exchanges; NULL: none */
	/* Called once for each exchange, when it is decided; valid during the call. */
	void (*on_result)(void *ctx, const struct replay_result *r);
	/* Something to know before or while it runs, a sentence. */
	void (*on_note)(void *ctx, const char *text);
	void *ctx;
};

/* Runs to the end of the session. 0, or a negative code with *e when the cluster can't be reached,
 * a topic not be made, a path to ignore is none. */
int replay_client_run(struct loop *l, const struct replay_client_options *o,
		      struct replay_totals *ret, struct error *e);

#endif
