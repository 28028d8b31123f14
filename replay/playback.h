/* A recorded session as the one who answers. A live request goes in, and what the recording has for
 * it comes out: an answer in the live client's words and version, a closed connection, a wait, or
 * that nothing fits. No socket, no clock: whoever asks passes the moment.
 *
 * A request is matched by meaning, part by part (replay/parts.h): of the recorded parts with the
 * same key the one whose request is most alike is taken, one that was not given yet before one that
 * was, in recorded order. Produce and Fetch are matched by records and offsets. */
#ifndef REPLAY_PLAYBACK_H
#define REPLAY_PLAYBACK_H

#include "base/buf.h"
#include "base/clock.h"
#include "replay/seen.h"
#include "replay/session.h"
#include "replay/variables.h"

/* For records of writers that are not there live: how long a reader waits for them. */
#define PLAYBACK_WRITER_US 5000000

struct playback;

struct playback_config {
	const struct session *session; /* all three must outlive the playback */
	const struct seen *seen;
	struct variables *variables; /* live addresses and topic ids are set by the caller */
	double speed;		     /* times are divided by it; 0: no waiting at all */
	/* Told of what was not as recorded, one line each. May be NULL. */
	void (*on_note)(void *ctx, struct str text);
	void *ctx;
};

/* One live request. */
struct playback_request {
	int32_t broker; /* that it was sent to */
	int64_t conn;
	const struct frame_header *header;
	const void *body; /* decoded; NULL: of ApiVersions in an unknown version */
	struct arena *arena;
	int64_t arrived_us; /* mono */
	bool again;	    /* the answer was WAIT before */
};

enum playback_what {
	PLAYBACK_ANSWER, /* response, at due_us */
	PLAYBACK_NONE,	 /* none is due */
	PLAYBACK_CLOSE,	 /* at due_us the connection ends */
	PLAYBACK_RESET,	 /* likewise, with a reset */
	PLAYBACK_WAIT,	 /* ask again at due_us, or once records were written */
	PLAYBACK_MISS,	 /* nothing fits */
	PLAYBACK_TAKEN,	 /* it is about something that playback_taken was told of */
};

struct playback_answer {
	enum playback_what what;
	void *response; /* the API's struct, in the request's arena and in the session's memory */
	int16_t response_version;
	int64_t due_us; /* mono */
	bool wrote;	/* records came: whoever waits asks again */
};

struct playback *playback_new(const struct playback_config *config);

/* 0, or ERR_LIMIT with *e where what can be asked for takes too much memory: it must not play. */
int playback_check(const struct playback *p, struct error *e);
void playback_free(struct playback *p); /* NULL is fine */

/* Answers. What it takes from the recording counts as given, unless it says WAIT, MISS or TAKEN. */
void playback_ask(struct playback *p, const struct playback_request *q, struct instant now,
		  struct playback_answer *ret);

/* True if the recording has the API at all. */
bool playback_has(const struct playback *p, int api_key);

/* The request was answered by somebody else, who from now on has to do with its group, its
 * transactional id and, of a Produce, its partitions. */
void playback_taken(struct playback *p, const struct playback_request *q);

/* Of a Fetch that is a miss: the same as one that names all partitions and has no session, which it
 * loses here; in the request's arena, NULL when that is full. */
const void *playback_fetch_whole(struct playback *p, const struct playback_request *q);

/* The live connection is gone. */
void playback_closed(struct playback *p, int64_t conn);

/* A miss explained: what was asked for, and the nearest recorded request field by field. */
void playback_explain(struct playback *p, const struct playback_request *q, struct buf *out);

struct playback_totals {
	uint64_t answered;  /* from the recording, closed connections and acks 0 included */
	uint64_t again;	    /* of them: answers that had been given before */
	uint64_t parts;	    /* recorded parts that can be asked for */
	uint64_t untouched; /* of them: never asked for */
};

/* by_api: of each API the recorded exchanges of which nothing was asked for; may be NULL. */
void playback_totals(const struct playback *p, struct playback_totals *ret,
		     uint64_t by_api[API_KEY_MAX + 1]);

#endif
