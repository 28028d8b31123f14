/* What a run leaves behind, copied and put in order: the logs that the brokers persisted, and what
 * each subject said that it sent, was told, read, owned and committed. Checks that judge by log and
 * reports read it at the end. */
#ifndef CHECKS_HISTORY_H
#define CHECKS_HISTORY_H

#include "base/arena.h"
#include "checks/batches.h"
#include "checks/clusters.h"
#include "checks/report.h"
#include "checks/topic_names.h"
#include "trace/event.h"

#include <uthash.h>

#define HISTORY_SIZE_MAX   ((size_t)2 << 30) /* bytes of copied keys, values and texts */
#define HISTORY_FAULTS_MAX 4096 /* faults kept with their texts; later ones are counted */

#define HISTORY_CUTS_MAX   64
#define HISTORY_RESETS_MAX 4096
#define HISTORY_HOLES_MAX  64

enum record_state { RECORD_LIVE, RECORD_TRUNCATED, RECORD_COMPACTED, RECORD_EXPIRED };
enum txn_outcome { TXN_NONE, TXN_OPEN, TXN_COMMITTED, TXN_ABORTED };

/* One record of a partition's log. */
struct history_record {
	int64_t offset, time_us, producer_id, conn;
	int64_t ended_us; /* when its transaction's marker came; 0: not, or there is none */
	struct str key, value;
	int32_t sequence, correlation_id, leader_epoch;
	int16_t producer_epoch;
	bool control;
	enum record_state state;
	enum txn_outcome txn;
};

/* A partition of one topic id. A topic that was made anew has a newer incarnation; hash and lookup
 * lead to the newest. */
struct history_partition {
	struct str topic;
	struct uuid topic_id;
	int32_t partition;
	int64_t start, end;		/* log start offset and next offset */
	struct history_record *records; /* by offset; what was truncated is in removed */
	size_t records_count, records_cap;
	struct history_record *removed;
	size_t removed_count, removed_cap;
	struct history_cut {
		int64_t time_us, end;
	} cuts[HISTORY_CUTS_MAX]; /* truncations; the first ones */
	int32_t cuts_count;
	struct history_hole {
		int64_t from, to;   /* offsets of a batch that nobody can read; to is behind it */
	} holes[HISTORY_HOLES_MAX]; /* the first ones */
	int32_t holes_count;
	bool replaced;			 /* the topic was made anew after this one */
	struct history_partition *older; /* incarnation */
	struct history_partition *next;	 /* in order of appearance, all incarnations */
	UT_hash_handle hh; /* by topic and partition; the newest incarnation alone is in the hash */
};

enum send_state { SEND_OPEN, SEND_ACKED, SEND_FAILED };

/* What one subject said about one value. */
struct history_send {
	struct str topic, key, value, why; /* why: of FAILED */
	int64_t number;			   /* of the value: 7 for "7" and for "2.7"; -1 without */
	int64_t attempt_us, end_us;	   /* 0: not said */
	enum send_state state;
	int32_t partition; /* -1 unknown */
	int64_t offset;	   /* as acknowledged; -1 unknown */
	int32_t acks;	   /* how often success was reported */
	int32_t txn;	   /* the subject's transaction that sent it last; -1 none */
	size_t index;	   /* in sends */
	UT_hash_handle hh; /* by topic and value */
};

struct history_read {
	struct str topic, value, key;
	int32_t partition;
	int64_t offset, time_us;
	int32_t poll,
		assignment; /* number of the poll and of the assignment of this partition, from 0 */
	int32_t txn;	    /* the subject's transaction that is open, or the next one to begin */
};

enum owned_how { OWNED_ASSIGNED, OWNED_REVOKED, OWNED_LOST };

struct history_owned {
	struct str topic;
	int32_t partition;
	int64_t time_us;
	enum owned_how how;
};

struct history_commit {
	struct str topic, error;
	int32_t partition;
	int64_t offset, time_us;
	bool success;
};

struct history_subject {
	struct str name;
	struct history_send **sends; /* in the order in which they were first named */
	size_t sends_count, sends_cap;
	struct history_read *reads;
	size_t reads_count, reads_cap;
	struct history_owned *owned;
	size_t owned_count, owned_cap;
	struct history_commit *commits;
	size_t commits_count, commits_cap;
	enum txn_outcome *txns; /* how the subject told that its transactions ended, in order */
	size_t txns_count, txns_cap;
	int32_t polls;
	int32_t lives;	/* startup_complete lines */
	bool ended;	/* the latest life said shutdown_complete */
	uint64_t lines; /* reports that had a name */
	struct history_send *by_value;
	struct history_subject *next;
};

/* A broker told a client that its position is not in the log: OFFSET_OUT_OF_RANGE, or an
 * OffsetForLeaderEpoch whose answer ends below it. */
struct history_reset {
	struct str client, topic;
	int32_t partition;
	int64_t position; /* that was asked for; -1 unknown */
	int64_t offset;	  /* from here on records may be given again */
	int64_t time_us;
};

/* A rule that fired, a connection that broke, a cluster that changed. */
struct history_fault {
	int64_t time_us;
	struct str text;
};

/* What a fetch session was last asked for (KIP-227): later requests leave it out. */
struct history_asked {
	struct {
		int32_t session, partition;
		uint64_t topic; /* hash of its name or id */
	} key;
	int64_t offset;
	UT_hash_handle hh;
};

struct history {
	struct arena arena;
	struct history_asked *asked;
	struct history_partition *partitions, *partitions_by_key;
	struct history_subject *subjects;
	struct history_fault *faults;
	size_t faults_count, faults_cap;
	struct history_reset *resets; /* in the order of their answers; the first ones */
	size_t resets_count, resets_cap;
	uint64_t log_events, report_events,
		unreadable;	  /* unreadable: batches whose records do not parse */
	int64_t last_us;	  /* time of the last event */
	bool unacknowledged;	  /* somebody produced with acks=0 */
	bool of_a_run;		  /* a mark, a log or a report was seen: not any capture */
	bool full;		  /* HISTORY_SIZE_MAX was passed: what follows is missing */
	struct batches *batches;  /* NULL: nobody asked for them */
	struct clusters clusters; /* of a capture */
	struct topic_names topics;
	struct buf scratch; /* expanded records, and keys of the hashes */
};

struct history *history_new(void);
void history_free(struct history *h);
/* From now on the batches of Produce requests are kept. */
void history_keep_batches(struct history *h);
void history_feed(struct history *h, const struct event *ev);

/* The lookups give NULL if nothing was seen of it. Of a topic that was made anew: the newest. */
struct history_partition *history_partition(struct history *h, struct str topic, int32_t partition);
struct history_subject *history_subject(struct history *h, struct str name);
struct history_send *history_send(struct history_subject *s, struct str topic, struct str value);

/* The record at an offset (whatever became of it but truncation), or NULL. */
struct history_record *history_record(const struct history_partition *p, int64_t offset);
/* The index of the first record at or behind an offset; records_count if there is none. */
size_t history_record_from(const struct history_partition *p, int64_t offset);

/* Whether the log was cut, at or below that offset, between two moments. */
bool history_cut_between(const struct history_partition *p, int64_t offset, int64_t from_us,
			 int64_t to_us);

/* Whether that value stands at that offset, or stood there until the log was cut or the topic made
 * anew. */
bool history_held(const struct history_partition *p, int64_t offset, struct str value);

/* The next time, up to a moment, that a client was told that its position is gone, from the index
 * *at on, which is set behind it; NULL if there is none. A position that the log never had does
 * not count. */
const struct history_reset *history_reset_next(struct history *h, struct str client,
					       struct str topic, int32_t partition,
					       int64_t until_us, size_t *at);

/* Which cluster a connection leads to, as a part of keys: a run has one, a capture may have
 * several.
 */
uint64_t history_cluster(const struct history *h, const struct event_conn *conn);

/* The name that a message has, or the one of its id, as the log or Metadata told; null if nobody
 * did.
 */
struct str history_topic(const struct history *h, struct str name, struct uuid id);

/* How many records of a topic somebody was given, each counted once. */
int64_t history_records_given(const struct history *h, struct str topic);

/* A record that a reader is to be given: there, not control, not aborted. */
static inline bool history_readable(const struct history_record *r)
{
	return r->state == RECORD_LIVE && !r->control && r->txn != TXN_ABORTED;
}

/* Whether what was given is that record: its offset, and of a topic that was made anew its value,
 * too. */
static inline bool history_is_read_of(const struct history_partition *p,
				      const struct history_record *record,
				      const struct history_read *r)
{
	return record->offset == r->offset && ((!p->older && !p->replaced && !p->removed_count) ||
					       str_eq(record->value, r->value));
}

/* The number in "7" or "prefix.7"; -1 if there is none. */
int64_t history_value_number(struct str value);

#endif
