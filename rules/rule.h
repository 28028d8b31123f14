/* Rules: which exchanges, when, and what happens to them. The one grammar of design section 5, its
 * matching and its triggers. Pure: facts in, plan out. */
#ifndef RULES_RULE_H
#define RULES_RULE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "protocol/frame.h"

enum action {
	ACTION_NONE,
	ACTION_ERROR,
	ACTION_DELAY,
	ACTION_HOLD,
	ACTION_DROP,
	ACTION_TWICE,
	ACTION_CLOSE,
	ACTION_RESET,
	ACTION_SILENCE,
	ACTION_STOP_READING,
	ACTION_SLOW,
	ACTION_CHUNK,
	ACTION_SET,
	ACTION_FLIP,
	ACTION_CUT,
	ACTION_LENGTH,
	ACTION_CORRELATION,
	ACTION_CRC,
	ACTION_TAG,
	ACTION_GARBAGE,
	ACTION_THROTTLE,
	ACTION_OBSERVE,
	ACTIONS
};

/* Before or after the broker's work; WHEN_AT: at a byte of the answer. */
enum when {
	WHEN_BEFORE,
	WHEN_AFTER,
	WHEN_AT,
};

/* What later requests of the connection may do while an answer is held: nothing, be worked and
 * wait with their answers, or be answered. */
enum overtake {
	OVERTAKE_NONE,
	OVERTAKE_WORK,
	OVERTAKE_ANSWERS,
};

/* A partition that a request is about, by resolved name (topic ids and fetch sessions are looked up
 * by the cluster). */
struct topic_partition {
	struct str topic;
	int32_t partition;
};

/* What a rule can match on. */
struct facts {
	const struct frame_header *header;
	const void *body; /* decoded request; NULL if it does not parse */
	int32_t broker;
	int64_t conn;
	const struct topic_partition *partitions;
	int32_t partitions_count;
	struct str group, txn; /* null where the API has none */
	int32_t acks;	       /* of Produce; INT32_MIN otherwise */
};

struct rule;  /* one parsed rule with its counters */
struct rules; /* an ordered list of them */

/* What happens to one exchange. It holds its rule until plan_release; hit lives as long as the
 * exchange's arena. All zero: nothing happens. */
struct plan {
	struct rule *rule; /* NULL: nothing happens */
	enum action action;
	enum when when;
	int16_t error_code; /* ERROR */
	int64_t delay_us;   /* DELAY (drawn from its range), THROTTLE, STOP_READING (0: for good) */
	int64_t at;	 /* CLOSE, RESET at byte; CUT, LENGTH, CORRELATION, CHUNK, TAG; SLOW bytes
			  * per second; FLIP byte where text is null */
	struct str text; /* HOLD name, SET path=value, GARBAGE bytes, FLIP path */
	const struct topic_partition
		*hit; /* the partitions that matched; all of the request's if the rule names none */
	int32_t hit_count;
	bool mute; /* THROTTLE */
	enum overtake overtake;
	bool hold_request; /* HOLD: before the work */
};

struct rules *rules_new(uint64_t seed);
void rules_free(struct rules *rs);

/*
 * Parses and adds a rule behind the others. name may be null (then "rule-N"); one that is taken is
 * refused. Refused (ERR_USAGE with the column, from 0, in offset): what the grammar does not know,
 * an error that the API can't return, a field that no asked version has (unless the option force
 * stands in the text). Returns the rule, owned by rs, NULL on failure.
 */
struct rule *rules_add(struct rules *rs, struct str name, struct str text, struct error *e);

/* What rules_add would say of the text, without adding it. 0 or the code. */
int rules_check(struct str text, struct error *e);

/* Shows a refusal under the rule's text, with a caret at the column: three lines, cut to size. */
#define RULE_SHOWN_SIZE 20000
const char *rules_error_text(struct str text, const struct error *e, char *buf, size_t size);

/* A removed rule stays alive for the plans that hold it. */
bool rules_remove(struct rules *rs, struct str name);
struct rule *rules_find(struct rules *rs, struct str name);
struct rule *rules_next(struct rules *rs, struct rule *after); /* after NULL: the first */
void rules_reset_counters(struct rules *rs);
/* Of one rule, as if it had just been added. */
void rule_reset(struct rule *r);

/*
 * Decides on one request as its work begins; counts it. The first rule that triggers acts.
 * ret_plan->rule is NULL if none.
 */
void rules_decide(struct rules *rs, const struct facts *facts, struct arena *arena,
		  struct plan *ret_plan);

/* True if some rule matches on the error of the answer, so that rules_decide_answer is worth its
 * cost. */
bool rules_want_answers(const struct rules *rs);

/* For rules that match on the error code of the answer (key error): asked once the answer is there.
 * codes: all error codes in it. Goes on with the plan of rules_decide: where a rule acts already,
 * the exchange is only counted. */
void rules_decide_answer(struct rules *rs, const struct facts *facts, const int16_t *codes,
			 int32_t codes_count, struct arena *arena, struct plan *plan);

/* Lets go of the rule; the plan is then empty. */
void plan_release(struct plan *p);

struct str rule_name(const struct rule *r);
struct str rule_text(const struct rule *r);  /* in one line, as parsed */
uint64_t rule_hits(const struct rule *r);    /* times it acted */
uint64_t rule_matched(const struct rule *r); /* exchanges that met all conditions but the trigger */
/* The last exchange that lacked just one thing: "connection 3 correlation 41 missed only nth: it
 * was 2"; null if nothing came near. Valid until the next call for that rule. */
struct str rule_nearest_miss(struct rule *r);

/* True if the plan hits this partition. */
bool plan_hits(const struct plan *p, struct str topic, int32_t partition);

#endif
