/* The grammar of rules (design section 5): its tables of keys, actions and options, from which the
 * parser and the reference in docs/ both live, and the parsed form. */
#ifndef RULES_GRAMMAR_H
#define RULES_GRAMMAR_H

#include "base/arena.h"
#include "base/error.h"
#include "protocol/path.h"
#include "rules/rule.h"
#include "rules/words.h"

enum rule_key {
	KEY_VERSION,
	KEY_BROKER,
	KEY_TOPIC,
	KEY_PARTITION,
	KEY_GROUP,
	KEY_TXN,
	KEY_CLIENT,
	KEY_CONN,
	KEY_ERROR,
	KEY_ACKS,
	KEY_NTH,
	KEY_EVERY,
	KEY_COUNT,
	KEY_PROB,
	KEY_PER,
	KEY_FIELD, /* a path into the request */
	RULE_KEYS
};

enum value_kind {
	VALUE_INT,	/* numbers and ranges, comma-separated */
	VALUE_TEXT,	/* texts with '*' for any run of characters, comma-separated */
	VALUE_ERROR,	/* names or numbers of Kafka errors, comma-separated */
	VALUE_POSITIVE, /* one whole number from 1 */
	VALUE_SHARE,	/* 0.25 or 25% */
	VALUE_PER	/* client, conn or partition */
};

struct key_info {
	const char *name;
	enum value_kind kind;
	const char *what; /* for the reference */
	int64_t min, max; /* of VALUE_INT */
};
extern const struct key_info rule_key_infos[RULE_KEYS];

enum per { PER_CLUSTER, PER_CLIENT, PER_CONN, PER_PARTITION };

/* A path, read against each API of a rule that has such a field. */
struct field_path {
	int api_key;
	struct path path;
};
struct field_paths {
	struct field_path *at;
	int32_t count;
};

/* key=value: one of the ranges, or one of the texts. */
struct condition {
	enum rule_key key;
	const struct range *ranges;
	const struct str *texts;
	int32_t count;
	const struct field_paths *paths; /* of KEY_FIELD */
};

struct parsed_rule {
	uint64_t apis[(API_KEY_MAX + 1) / 64]; /* a bit per API key; all set for "any" */
	struct condition *conditions;	       /* without the trigger's keys */
	int32_t conditions_count;
	bool names_partitions; /* a condition on topic or partition */
	bool on_answer;	       /* a condition on error */
	bool force;

	const struct range *nth; /* NULL: every one */
	int32_t nth_count;
	int64_t every, count; /* 0: not given */
	double prob;	      /* negative: not given */
	enum per per;

	struct plan plan;     /* what shall happen, without rule and hit */
	int64_t delay_max_us; /* of a range; delay_us is its start */
};

struct parser {
	struct words words;
	struct arena *arena;
	struct error *e;
	struct parsed_rule *rule;
	struct word action; /* where the action stands, for errors that concern it */
};

struct action_info {
	const char *name;
	const char *args;		/* as the reference shows them */
	const char *what;		/* for the reference */
	const char *example;		/* a whole rule, tried by a test */
	int (*parse)(struct parser *p); /* its arguments into p->rule->plan; 0 or a code */
};
extern const struct action_info rule_action_infos[ACTIONS]; /* [ACTION_NONE] has no name */

/* ---- for the parser's own files ---- */

/* The '=' that ends a key or path; there may be others in brackets. NULL if there is none. */
const char *rule_key_end(struct str word);

bool rule_has_api(const struct parsed_rule *r, int api_key);
bool rule_is_any(const struct parsed_rule *r);

/* Reads a path against the requests (or responses) of all APIs that the rule names, each of which
 * must have it; of "any", those that do. 0 or a code. */
int field_paths_find(struct parser *p, enum message_kind kind, struct word path,
		     struct field_paths *ret_paths);

/* Whether all of them can have that value. 0 or a code. */
int field_paths_accept(struct parser *p, const struct field_paths *paths, struct word value);

/* What only the whole rule tells: versions that do not exist, errors that can't be. 0 or a code. */
int rule_check(struct parser *p);

/* Reads a whole rule; everything in ret_rule lies in the arena. 0, or ERR_USAGE with the column. */
int rule_parse(struct str text, struct arena *arena, struct parsed_rule *ret_rule, struct error *e);

#endif
