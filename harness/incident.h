/* What went wrong in a capture: the answers that a normal cluster would not have given, told as
 * rules and events that make the same happen again.
 *
 * What a cluster says by itself is no fault, and nobody lists what that is: a mock cluster that
 * begins as the capture's did is asked the same requests (harness/stand_in.h), and an error that it
 * gives too is its own. Faults that were found are put to it in the next pass, so that what only
 * follows from them is known for that. In evidence of a run there is nothing to find out: it says
 * which exchanges a rule hit. */
#ifndef HARNESS_INCIDENT_H
#define HARNESS_INCIDENT_H

#include "decoder/names.h"
#include "replay/seen.h"
#include "rules/rule.h"

#define INCIDENT_ACTION_MAX 300
#define INCIDENT_PASSES_MAX 20
#define INCIDENT_FAULTS_MAX 20000
#define INCIDENT_RULES_MAX  200 /* a plan takes 256 */
#define INCIDENT_TEXT_MAX   1200
#define INCIDENT_OFFSET_MAX (INT64_MAX / 16) /* that an event takes; no log comes so far */

/* An error that an answer carries. */
struct told_error {
	struct str topic;  /* null: it is not about one */
	int32_t partition; /* -1: nor about one of those */
	int16_t code;
};

/* What one exchange of the session is about, as rules see it. */
struct about {
	const struct session_exchange *x;
	int64_t work_us;   /* when its work began: not before the connection's answer before it */
	int64_t served_us; /* when the stand-in is asked: later where it was kept from its work */
	bool kept;	   /* it was: by the time of its answer that answer is a cluster's own */
	bool counted;	   /* it came to a broker's work: rules count it */
	bool lost;	   /* it has no answer although one was due */
	const struct topic_partition *partitions;
	int32_t partitions_count;
	struct str group, txn; /* null: none */
	int32_t acks;
	struct told_error *errors; /* of the answer */
	int32_t errors_count;
	int64_t throttle_ms; /* as the answer says; at least 0 */
	/* What the stand-in said of it. */
	bool stood_wait;     /* nothing, while the capture's answer or end had come */
	bool stood_close;    /* it would close the connection */
	int64_t stood_us;    /* how long it took */
	struct fault *fault; /* NULL: none */
};

struct fault {
	struct about *at;
	char action[INCIDENT_ACTION_MAX];  /* as in a rule, behind "->" */
	int16_t code;			   /* of an error; else 0 */
	bool after;			   /* the work was done */
	bool silent;			   /* the connection answers nothing more */
	const struct topic_partition *hit; /* of an error: the partitions that have it */
	int32_t hit_count;
	bool held;		    /* until something else had happened */
	bool optional;		    /* a right client may never ask for what it hurts */
	struct incident_rule *rule; /* that does it again; NULL: none */
};

enum incident_event_kind {
	HAPPENED_DOWN,
	HAPPENED_UP,
	HAPPENED_LEADER,
	HAPPENED_EPOCH,
	HAPPENED_CUT,
	HAPPENED_COORDINATOR,
	HAPPENED_FENCED,
	HAPPENED_GROWTH,
	HAPPENED_START,
	HAPPENED_HIDDEN,
	HAPPENED_SHOWN,
	HAPPENED_HELD,	  /* no event of the cluster: an exchange waits */
	HAPPENED_RELEASED /* ... and goes on */
};

struct incident_event {
	enum incident_event_kind kind;
	int64_t time_us;
	char text[INCIDENT_TEXT_MAX]; /* as in event "..."; empty of HELD and RELEASED */
	const struct fault *held;     /* of those */
	struct str group;	      /* of FENCED: it has its one member by then */
	/* By what progress its moment is known again, the best that there was. */
	struct str topic;	    /* null: by none */
	int64_t has;		    /* offsets that the topic's logs had; 0: nobody was writing */
	int64_t read;		    /* records of it that had been read; 0: nobody was reading */
	const struct about *before; /* the Fetch that gave the last of them */
	int64_t since_us;	    /* when that was so */
};

/* One line of the scenario: rule(NAME, TEXT). */
struct incident_rule {
	char name[80];
	char text[INCIDENT_TEXT_MAX];
	int64_t first_us, last_us; /* of what it hit */
	uint64_t hits;
	bool told;			    /* as evidence has it */
	bool optional;			    /* a right client may never come to it */
	const struct incident_event *event; /* it only shows when that event is due; else NULL */
};

struct about_conn {
	bool between_brokers;
	bool torn; /* bytes of it are not in the capture: an answer that is missing may have been
		      given */
	size_t first_lost; /* index in it of the first exchange without an answer */
};

struct incident {
	const struct session *session;
	const struct seen *seen;
	bool told;		    /* evidence: exchanges say what was done to them */
	const struct str *optional; /* as configured */
	size_t optional_count;
	int64_t delay_us;
	struct arena arena;
	struct about_conn *conns; /* by the session's index */
	struct about *list;	  /* in the order of their work; without orphans */
	size_t count;
	struct about **by_index; /* by the session's index; NULL for orphans */
	struct fault *faults;
	size_t faults_count;
	struct incident_event *events; /* in the order of time */
	size_t events_count;
	struct incident_rule *rules; /* faults first, in the order of time; then what events need */
	size_t rules_count;
	int passes;
	uint64_t too_many;   /* faults, or rules, beyond the limits */
	uint64_t own_errors; /* answers with errors that a cluster gives by itself */
	uint64_t unreadable; /* answers that can't be read, of which no rule could be made */
	uint64_t left_out; /* faults about what the scenario does not have: inner topics, groups */
	uint64_t missed;   /* faults that the rules, counted over the capture, would not hit */
	struct names *names;
	struct arena scratch;
};

struct incident_config {
	const struct session *session;
	const struct seen *seen;
	bool told;
	const struct str *optional; /* texts of evidence's rules that need not act */
	size_t optional_count;
	int64_t delay_us; /* an answer that comes so much later than a cluster would give it, and
			     ten times later than is usual in the capture, is delayed */
};
#define INCIDENT_DELAY_US 300000

struct incident *incident_new(const struct incident_config *config);
void incident_free(struct incident *in); /* NULL is fine */

/* The node id of a recorded one: 1, 2, ... by rank. How many there are. */
int32_t incident_node(const struct incident *in, int32_t recorded);
int32_t incident_brokers(const struct incident *in);

/* Whether a scenario can have the topic: a name that is one, of a topic that is nobody's inner one
 * and of which a partition was seen. */
bool incident_has_topic(const struct incident *in, struct str name);
/* Letters, digits, '-', '_', '.': what stands for itself everywhere. */
bool incident_is_word(struct str text);

/* Names that the scenario will have: a rule about others could not act. */
struct incident_names {
	bool (*client)(void *ctx, struct str id);
	bool (*group)(void *ctx, struct str group);
	void *ctx;
};

/* in->rules; after incident_new. */
void incident_make_rules(struct incident *in, const struct incident_names *names);

/* ---- between the files of this ---- */

struct summary;
/* What the decoder finds in an exchange; topics by name where the session or names know them. What
 * it points to lives until the next call. */
void incident_summary(struct incident *in, const struct session_exchange *x, struct summary *ret);
/* The errors of an answer, in the arena. */
int32_t incident_errors(const struct summary *s, int api_key, const void *response,
			struct arena *arena, struct told_error **ret_list);

struct fault *incident_add_fault(struct incident *in, struct about *at);
void incident_find_events(struct incident *in); /* incident_events.c */
bool incident_is_down(const struct incident *in, int32_t node, int64_t time_us);
bool incident_is_event(const struct incident_event *e); /* of the cluster */
void incident_find_holds(struct incident *in);		/* once the faults are known */
void incident_find_anchors(struct incident *in);	/* incident_anchors.c */
/* How long until the answer. */
int64_t incident_latency(const struct about *a);
void incident_retrace(struct incident *in); /* incident_retrace.c */
/* Whether a request without a good answer was worked all the same, as far as the logs tell. */
bool incident_was_done(const struct incident *in, const struct about *a);

#endif
