/* A scenario as plain data, read from Lua in two phases (design section 6). scenario_load reads its
 * header and matrix; plan_load then reads it once for a case, in a fresh Lua state, and checks it
 * as a whole: before any port is opened. */
#ifndef HARNESS_PLAN_H
#define HARNESS_PLAN_H

#include "base/arena.h"
#include "checks/check.h"
#include "harness/source.h"
#include "mock/cluster.h"
#include "mock/topic_config.h"

#define PLAN_SIZE_MAX	 ((size_t)16 << 20) /* bytes of one plan's data */
#define PLAN_ITEMS_MAX	 256		    /* clients, rules, topics, checks: of each */
#define PLAN_CASES_MAX	 1024
#define PLAN_TIMEOUT_US	 (30 * (int64_t)1000000) /* of a scenario that names none */
#define PLAN_BROKERS_MAX 100

enum matrix_kind { MATRIX_BOOL, MATRIX_NUMBER, MATRIX_TEXT };

struct matrix_value {
	enum matrix_kind kind;
	bool flag;
	int64_t number;
	struct str text; /* as case names show it */
};

struct matrix_axis {
	struct str key;
	struct matrix_value *values;
	int32_t values_count;
	struct place at;
};

struct scenario {
	struct arena arena;
	struct source source;
	struct sources *modules; /* of those that were loaded together, or own_modules */
	struct sources own_modules;
	struct str name, claim, see;
	int64_t timeout_us;
	struct matrix_axis *axes; /* in the order of the text */
	int32_t axes_count;
	int32_t cases_count; /* at least 1 */
	bool under; /* plans are loaded for a command of --under: what the text sees as `under` */
};

enum batch_txn { BATCH_PLAIN, BATCH_COMMITTED, BATCH_ABORTED, BATCH_OPEN };

/* A batch that is in a log from the start. */
struct plan_batch {
	int32_t partition;
	int64_t gap;	  /* offsets that are left out before it */
	int64_t records;  /* with the next values old.N of the topic; 0: see empty and raw */
	int64_t tail;	  /* offsets that it covers behind its last record */
	int64_t empty;	  /* offsets of a batch that compaction left without records */
	struct bytes raw; /* a whole batch; null: made from the rest */
	uint8_t codec;	  /* enum codec */
	int8_t magic;	  /* 2; 0 and 1: its records are messages of before record batches */
	enum batch_txn txn;
	bool bad_crc;
	int64_t times; /* so many such batches, the gap before each; at least 1 */
	struct place at;
};

/* What a group has committed of a topic from the start. */
struct plan_commit {
	struct str group;
	int64_t *offsets; /* by partition from 0; -1: none */
	int32_t offsets_count;
	struct place at;
};

struct plan_topic {
	struct str name;
	int32_t partitions;	    /* -1: the cluster's default */
	int16_t replication;	    /* likewise */
	int32_t leader;		    /* node id, -1: as usual */
	int64_t records;	    /* that are there from the start: values old.0, old.1, ... */
	struct plan_batch *batches; /* behind them */
	int32_t batches_count;
	struct plan_commit *commits;
	int32_t commits_count;
	struct place at;
};

enum speaks { SPEAKS_PRODUCER, SPEAKS_CONSUMER, SPEAKS_TRANSACTIONAL, SPEAKS_NONE };

/* A flag of the subject's command line, or a key of its configuration. */
struct plan_setting {
	struct str key, value;
	bool flag; /* a flag without a value */
};

struct plan_client {
	struct str name;
	enum speaks speaks;
	struct plan_setting *args, *config, *environment;
	int32_t args_count, config_count, environment_count;
	struct str topic; /* of the args; null if none */
	struct str group;
	struct str prefix; /* of the values that it writes */
	struct place at;
};

struct plan_rule {
	struct str name, text;
	bool optional; /* it need not fire */
	struct place at;
};

enum severity { SEVERITY_MUST, SEVERITY_SHOULD, SEVERITY_INFO, SEVERITY_NONE };

struct plan_check {
	enum severity severity;
	const struct check_type *type;
	struct check_scope scope;
	bool optional; /* it may see nothing to judge */
	struct place at;
};

struct case_plan {
	struct arena arena;
	const struct scenario *scenario;
	int32_t case_index;
	struct str case_name; /* "idempotent=true,inflight=1"; "default" without a matrix */
	uint64_t seed;
	int32_t brokers;
	bool auto_create;
	const struct profile *like;   /* a release; NULL: the newest */
	struct version_limit *limits; /* of what is advertised */
	int32_t limits_count;
	struct broker_config broker; /* settings of the brokers; its topics are these: */
	struct topic_config topic_defaults;
	int32_t default_partitions;
	struct plan_topic *topics;
	struct plan_client *clients;
	struct plan_rule *rules;
	struct plan_check *checks;
	int32_t topics_count, clients_count, rules_count, checks_count;
	struct script *script; /* the Lua state, for the timeline */
	bool has_timeline;
};

/*
 * Reads the header of a scenario file. shown: the path for messages. modules: where the modules
 * that it uses are kept, and outlive it; NULL: in itself. NULL with complaints in out (text for a
 * person, one or more) when it can't be read or is wrong.
 */
struct scenario *scenario_load(const char *path, const char *shown, struct sources *modules,
			       struct buf *out);
/* The same from memory, for tests. */
struct scenario *scenario_parse(const char *shown, const char *text, struct buf *out);
void scenario_free(struct scenario *s);

/* The name of a case; in the arena. */
struct str scenario_case_name(const struct scenario *s, int32_t case_index, struct arena *arena);
/* The value of an axis in a case. */
const struct matrix_value *scenario_case_value(const struct scenario *s, int32_t case_index,
					       int32_t axis);

/* Reads one case. The scenario must outlive the plan. NULL with complaints in out. */
struct case_plan *plan_load(const struct scenario *s, int32_t case_index, uint64_t seed,
			    struct buf *out);
void plan_free(struct case_plan *p);

const char *severity_name(enum severity s); /* "MUST" */
const char *speaks_name(enum speaks s);	    /* "verifiable-producer" */
const char *speaks_role(enum speaks s); /* "producer": the program's name in a client's folder */

/* Reads "20s", "500ms", "2m"; false if it is none. */
bool plan_duration(struct str text, int64_t *ret_us);

#endif
