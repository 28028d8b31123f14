/* Inside the playback: what its files share. playback.c owns the index of recorded parts and their
 * choice, play_produce.c what was written, play_fetch.c what is read, play_offsets.c what groups
 * committed. */
#ifndef REPLAY_PLAY_H
#define REPLAY_PLAY_H

#include "replay/fetch_view.h"
#include "replay/parts.h"
#include "replay/playback.h"

#include <uthash.h>

/* What a recorded exchange comes to. */
enum outcome { OUTCOME_ANSWER, OUTCOME_NONE, OUTCOME_CLOSE, OUTCOME_RESET, OUTCOME_UNKNOWN };

/* A part of a recorded request. */
struct candidate {
	const struct session_exchange *x;
	const struct part *part;
	uint64_t given; /* how many times */
};

/* Those of one API with one key, in recorded order. */
struct keyed {
	char *id; /* API and key */
	size_t id_len;
	struct candidate *list;
	size_t count, cap;
	size_t first_new; /* all before it were given */
	UT_hash_handle hh;
};

/* Records of one Produce of a partition. */
struct run {
	const struct session_exchange *x;
	const void
		*answer; /* its partition's part of the answer, in version answer_version; NULL */
	struct bytes records;
	uint64_t *hashes; /* of each record: key, value, headers; NULL until asked for; owned */
	size_t count;
	size_t given; /* records that live ones were taken for */
	int64_t producer_id;
	int64_t base_offset; /* -1: not told */
	int16_t error;
	enum outcome outcome;
	bool counted;
};

/* What was asked of a partition at an offset, and what came. */
struct reading {
	const struct session_exchange *x;
	const struct fetch_response_responses_partitions *answer; /* NULL: of an answer that is an
								     error as a whole, or none */
	int64_t offset;
	int64_t last_offset; /* of its records; -1: not looked for yet */
	enum outcome outcome;
	uint64_t given;
};

/* What a live client wrote, in place of what was recorded there. */
struct written {
	int64_t first, last; /* offsets */
	uint8_t *data;	     /* with that base offset */
	int32_t size;
};

struct place {
	char *id; /* partition and topic */
	size_t id_len;
	struct str topic;
	int32_t partition;
	const struct seen_partition *seen; /* NULL: nothing known of its log */
	struct run *runs;
	size_t runs_count, runs_cap, first_run;
	struct reading *readings; /* by offset, those of one in recorded order */
	size_t readings_count, readings_cap;
	int64_t end_told;	 /* the furthest high watermark of the readings; -1 */
	struct reading *newest;	 /* the last one given that had a partition's answer */
	struct written *written; /* by offset */
	size_t written_count, written_cap;
	bool taken; /* somebody else writes it now */
	UT_hash_handle hh;
};

/* A name that somebody else has to do with, or a client id that was seen live. */
struct name_entry {
	struct str name;
	UT_hash_handle hh;
	char text[];
};

/* What a live client committed otherwise than was recorded. */
struct commit {
	int64_t offset;
	int32_t leader_epoch;
	struct str metadata;
	UT_hash_handle hh;
	uint8_t bytes[]; /* the part's key, then the metadata */
};

/* What members of a group said that changes it, in recorded order. */
struct words {
	char *group;
	const struct session_exchange **list;
	size_t count, cap;
	UT_hash_handle hh;
};

/* A client id: a program asks over one connection what it changed over another. */
struct changer {
	struct str id;
	const struct session_exchange **topics; /* its recorded changes of topics, in order */
	size_t topics_count, topics_cap, topics_done;
	int64_t topics_us; /* in the recording: when the last that it made live was answered */
	const struct session_exchange *next; /* it is still to make, as seen first at next_us */
	int64_t next_us;
	UT_hash_handle hh;
};

/* A live connection and the recorded one that it is most likely. */
struct live_conn {
	int64_t conn;
	const struct session_conn *recorded;
	int64_t changed_us; /* in the recording: when the last change that it made was answered */
	UT_hash_handle hh;
};

struct playback {
	struct playback_config config;
	struct arena arena;
	struct keyed *keyed;
	struct place *places;
	struct name_entry *taken, *clients, *absent;
	struct live_conn *conns;
	struct changer *changers;
	struct words *words;
	struct commit *commits;	    /* by the key of their part */
	bool *touched;		    /* by index of the exchange: something of it was given */
	bool apis[API_KEY_MAX + 1]; /* that the recording has */
	bool *noted;		    /* by API and pair of versions */
	struct fetch_views *views;  /* live fetch sessions */
	int64_t live_start_us;	    /* mono, of the first request; 0 */
	int64_t recorded_start_us;
	size_t written_bytes;
	bool full;    /* the arena, and something is missing for that */
	bool rebound; /* some producer id is another one live */
	struct buf scratch, plain;
	struct playback_totals totals;
};

/* ---- playback.c ---- */

void play_note(struct playback *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A time of the recording as one that passes live. */
int64_t play_scaled(const struct playback *p, int64_t us);

/* How long the recorded answer, or end, took after its request. */
int64_t play_latency(const struct playback *p, const struct session_exchange *x);

/* Whether two values of requests mean the same. Ids and epochs that the recording hands out are the
 * same live; others are what they are bound to. */
struct pair;
bool play_same(struct playback *p, const struct pair *pair);

/* Whether a live client is waited for to do what was recorded of it, before what came after it is
 * given; *ret_until becomes the end of that wait if it was later. */
bool play_awaited(struct playback *p, const struct session_exchange *x, int64_t now_us,
		  int64_t *ret_until);

enum outcome play_outcome(const struct session_exchange *x);

/* Whether a client can ask it of this recording: the request is there, what it came to is known,
 * and it is none that brokers send to each other. */
bool play_is_asked(const struct session_exchange *x);

/* Something of the exchange was given. Where its connection ended, what was lost with it, too. */
void play_touch(struct playback *p, const struct session_exchange *x);

/* NULL when it is not there, or there is no room for it. */
struct place *play_place(struct playback *p, struct str topic, int32_t partition, bool make);

bool play_name_known(struct name_entry *names, struct str name);
void play_name_add(struct name_entry **names, struct str name);

/* The recorded answer decoded anew, in live words and version. NULL: it can't be. */
void *play_answer(struct playback *p, const struct playback_request *q, const struct holder *live,
		  const struct session_exchange *x, int *ret_version);

/* Of parts that were chosen from exchanges: the answer as a whole. */
struct play_choice {
	const struct parts *asked;
	const struct session_exchange **x; /* of each part */
};
void *play_assemble(struct playback *p, const struct playback_request *q,
		    const struct play_choice *choice, int *ret_version);

/* ---- play_produce.c ---- */

void play_produce_load(struct playback *p);
/* How many records each partition of a live Produce has, and how many the recording has left. */
void play_produce_explain(struct playback *p, const struct playback_request *q, struct buf *out);
void play_produce(struct playback *p, const struct playback_request *q,
		  struct playback_answer *ret);

/* ---- play_offsets.c ---- */

/* An OffsetCommit was answered from the candidates chosen for its parts. */
void play_offsets_committed(struct playback *p, const struct parts *asked,
			    struct candidate *const *chosen, const struct parts *answered);
/* The answer of an OffsetFetch, which is told what was committed live. */
void play_offsets_tell(struct playback *p, const struct parts *answered);
void play_offsets_free(struct playback *p);

/* ---- play_fetch.c ---- */

void play_fetch_load(struct playback *p);
void play_fetch(struct playback *p, const struct playback_request *q, struct instant now,
		struct playback_answer *ret);

#endif
