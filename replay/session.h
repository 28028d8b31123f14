/* A capture in memory, as replay needs it: its connections and what was asked and answered over
 * them, in the order in which requests were sent, with everything decoded and kept. Filled through
 * an event sink; whole once the last event came and session_end was called. */
#ifndef REPLAY_SESSION_H
#define REPLAY_SESSION_H

#include "base/arena.h"
#include "base/error.h"
#include "trace/event.h"

#define SESSION_MEMORY_MAX ((size_t)2 << 30) /* frames and decoded bodies of one capture */

/* What is wrong with one half of an exchange. */
enum session_flaw {
	FLAW_NONE,
	FLAW_ABSENT,	/* not in the capture, or there is none */
	FLAW_CUT,	/* it was seen, but not all of its bytes */
	FLAW_UNKNOWN,	/* of an API or version that the tables lack: the frame is there, no body */
	FLAW_MALFORMED, /* its bytes say something impossible: likewise */
};

struct session_conn;

struct session_exchange {
	struct session_conn *conn;
	size_t index;	      /* in the session's exchanges */
	size_t index_in_conn; /* in its connection's */
	enum exchange_state state;
	struct frame_header header;	/* of the request; of an orphan zero */
	struct bytes request, response; /* frames without their length bytes; data NULL where
					   absent or cut */
	enum session_flaw request_flaw, response_flaw;
	void *request_body, *response_body; /* generated structs; NULL exactly with a flaw. They are
					       the recording: whoever changes one decodes anew */
	int response_version;		    /* at which the answer's body stands */
	int64_t request_first_us, request_us; /* wall µs of first and last byte; 0 unknown */
	int64_t response_first_us, response_us;
	struct str rule;    /* what was done to it, in evidence; null if nothing */
	struct error error; /* of the first malformed half */
};

struct session_conn {
	int64_t number; /* in the capture, from 1 */
	size_t index;	/* in the session's connections */
	int32_t broker; /* node id, also if it was learned late; -1 unknown */
	struct endpoint client, server;
	bool midway;  /* it was open before the capture began */
	bool refused; /* it was never open */
	bool closed;  /* its end was seen; else it was open when the capture ended */
	/* Its client is a broker or controller: something was said over it that only they say, or
	 * nothing but transaction markers. */
	bool of_broker;
	enum close_how how;
	int64_t opened_us, closed_us;	     /* 0 unknown */
	struct session_exchange **exchanges; /* in the order of their requests */
	size_t exchanges_count;
	uint64_t unmatched_bytes;
};

/* A topic as the capture's answers told it. */
struct session_topic {
	struct str name;
	struct uuid id;	     /* the newest; zero: not told */
	int32_t partitions;  /* highest index seen in an answer without an error, plus 1; 0: none */
	int32_t replication; /* replicas of a partition; 0: not told */
	bool is_internal;
	bool deleted; /* a DeleteTopics of the capture took it away */
};

/* What a capture has and lacks, for people. */
struct session_totals {
	uint64_t exchanges, answered, no_answer, lost, orphans;
	uint64_t midway;	  /* connections that the capture began inside of */
	uint64_t cut;		  /* requests or answers with bytes missing */
	uint64_t unknown;	  /* ... of an API or version that we don't know */
	uint64_t malformed;	  /* ... that say something impossible */
	uint64_t unmatched_bytes; /* that belong to no message */
	uint64_t not_chosen;	  /* exchanges that the filter left out */
};

struct session_options {
	size_t memory_max; /* 0: SESSION_MEMORY_MAX */
	/* Whether the exchange is to be kept; what it tells of topics and brokers is learned in any
	 * case. NULL: all are. */
	bool (*chosen)(void *ctx, struct exchange *x);
	void *ctx;
};

struct session {
	/* In order of opening, and of the requests' first bytes (of orphans: the answers'). */
	struct session_conn **conns;
	size_t conns_count;
	struct session_exchange **exchanges;
	size_t exchanges_count;
	struct session_topic **topics; /* in the order in which they were first told */
	size_t topics_count;
	int64_t first_us, last_us; /* times of the first and last message; 0: none */
	struct session_totals totals;
	struct arena arena;
	struct session_inside *inside;
};

struct session *session_new(const struct session_options *options);

/* Takes all events of a capture; messages must be whole (decode_options without thin, and with
 * secrets shown where they are to be replayed). */
struct event_sink *session_sink(struct session *s);

/* After the last event: sorts. Returns 0, or ERR_LIMIT with *e if the capture did not fit into
 * memory_max: the session is then not to be used. */
int session_end(struct session *s, struct error *e);

/* The topic with that name, or with that id (any that it ever had), or NULL. Also told by later
 * messages than the one that asks. */
const struct session_topic *session_topic(const struct session *s, struct str name);
const struct session_topic *session_topic_of_id(const struct session *s, struct uuid id);

/* NULL is fine. */
void session_free(struct session *s);

/* "cut", "of an unknown version", ...: for people. */
const char *session_flaw_text(enum session_flaw flaw);

#endif
