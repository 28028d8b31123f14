/* Anomalies between what was written and what was read, as Jepsen's Kafka workload names them; here
 * the log is known, so nothing is inferred. What a single consumer's order says is consumer.c's. */
#include "checks/types.h"

#include "protocol/messages.h"

#include <stdlib.h>
#include <uthash.h>

static void read_moment(struct finding *f, const struct history_subject *s,
			const struct history_read *r)
{
	finding_moment(f, r->time_us, STR_FMT " is given " STR_FMT "-%d offset %lld: " STR_FMT,
		       STR_ARG(s->name), STR_ARG(r->topic), r->partition, (long long)r->offset,
		       STR_ARG(r->value));
}

static void sum_up(struct finding *f, uint64_t wrong, const char *what, const char *nothing)
{
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "%s", nothing);
	else if (!wrong)
		finding_set(f, FINDING_PASS, "%llu %s", (unsigned long long)f->judged, what);
	else if (wrong > 1)
		f->actual = str_of(arena_printf(f->arena, STR_FMT " (and %llu more)",
						STR_ARG(f->actual), (unsigned long long)wrong - 1));
}

#define NO_READ "no subject reported a record that it was given"

/* ---- inconsistent offsets ---- */

static bool same_content(const struct history_record *record, const struct history_read *r)
{
	/* A reader says text; a null value is null for both. */
	return str_eq(record->value, r->value) && (!r->key.data || str_eq(record->key, r->key));
}

/* Whether that record was at that offset when or before it was read: now, or until a truncation. */
static bool was_there(const struct history_partition *p, const struct history_read *r)
{
	const struct history_record *record = history_record(p, r->offset);

	if (record && same_content(record, r))
		return true;
	for (size_t i = 0; i < p->removed_count; i++)
		if (p->removed[i].offset == r->offset && same_content(&p->removed[i], r))
			return true;
	return false;
}

static void judge_consistent(struct check *c, struct finding *f, const struct history_subject *s,
			     uint64_t *wrong)
{
	for (size_t i = 0; i < s->reads_count; i++) {
		const struct history_read *r = &s->reads[i];
		struct history_partition *p = history_partition(c->history, r->topic, r->partition);
		const struct history_record *record;
		bool found = false;

		if (!scope_has(c->scope.topic, r->topic) || !p)
			continue;
		f->judged++;
		for (struct history_partition *older = p; older && !found; older = older->older)
			found = was_there(older, r);
		if (found || (*wrong)++)
			continue;
		record = history_record(p, r->offset);
		read_moment(f, s, r);
		if (record)
			finding_set(f, FINDING_FAIL,
				    STR_FMT "-%d offset %lld holds '" STR_FMT "', " STR_FMT
					    " was given '" STR_FMT "'",
				    STR_ARG(r->topic), r->partition, (long long)r->offset,
				    STR_ARG(record->value), STR_ARG(s->name), STR_ARG(r->value));
		else
			finding_set(f, FINDING_FAIL,
				    STR_FMT "-%d has no record at offset %lld, " STR_FMT
					    " was given '" STR_FMT "'",
				    STR_ARG(r->topic), r->partition, (long long)r->offset,
				    STR_ARG(s->name), STR_ARG(r->value));
	}
}

static void end_consistent(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		judge_consistent(c, f, s, &wrong);
	sum_up(f, wrong, "records, all as the log has them", NO_READ);
}

const struct check_type check_consistent = {
	.name = "read.consistent",
	.claim = "what is given at an offset is what the log holds there (inconsistent-offsets)",
	.see = "the record batch's CRC; Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_consistent,
};

/* ---- unseen and lost writes ---- */

/* Which offsets of a partition somebody was given, and the highest of them. */
struct seen {
	const struct history_partition *partition;
	bool *given; /* by index of the record */
	int64_t highest;
	bool read; /* somebody read its topic, this partition or another */
};

static void mark_given(struct check *c, struct seen *seen)
{
	const struct history_partition *p = seen->partition;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		for (size_t i = 0; i < s->reads_count; i++) {
			const struct history_read *r = &s->reads[i];
			size_t at;

			if (!str_eq(r->topic, p->topic))
				continue;
			seen->read = true;
			if (r->partition != p->partition)
				continue;
			seen->highest = r->offset > seen->highest ? r->offset : seen->highest;
			at = history_record_from(p, r->offset);
			if (at < p->records_count && history_is_read_of(p, &p->records[at], r))
				seen->given[at] = true;
		}
}

/* Records that should be given and were not; below: only those before the highest that was given.
 */
static void judge_given(struct check *c, struct finding *f, const struct history_partition *p,
			bool below, uint64_t *wrong)
{
	struct seen seen = {.partition = p,
			    .given = calloc(p->records_count + 1, sizeof(bool)),
			    .highest = -1,
			    .read = c->scope.topic.data !=
				    NULL}; /* who names a topic wants it read */

	if (!seen.given)
		abort();
	mark_given(c, &seen);
	for (size_t i = 0; seen.read && i < p->records_count; i++) {
		const struct history_record *r = &p->records[i];

		if (!history_readable(r) || r->txn == TXN_OPEN || p->replaced ||
		    (below && r->offset > seen.highest))
			continue;
		f->judged++;
		if (seen.given[i] || (*wrong)++)
			continue;
		finding_moment(f, r->time_us, "log: " STR_FMT "-%d offset %lld holds " STR_FMT,
			       STR_ARG(p->topic), p->partition, (long long)r->offset,
			       STR_ARG(r->value));
		finding_set(f, FINDING_FAIL,
			    STR_FMT "-%d offset %lld (" STR_FMT ") was given to nobody%s",
			    STR_ARG(p->topic), p->partition, (long long)r->offset,
			    STR_ARG(r->value), below ? ", what lies behind it was" : "");
	}
	free(seen.given);
}

/* What can't be read ends the way: who was given something behind it has left it out in silence. */
static void judge_holes(struct check *c, struct finding *f, const struct history_partition *p,
			uint64_t *wrong)
{
	struct seen seen = {
		.partition = p, .given = calloc(p->records_count + 1, sizeof(bool)), .highest = -1};

	if (!seen.given)
		abort();
	mark_given(c, &seen);
	free(seen.given);
	for (int32_t i = 0; i < p->holes_count; i++) {
		f->judged += seen.read;
		if (seen.highest < p->holes[i].to || p->holes[i].to <= p->start || (*wrong)++)
			continue;
		finding_set(f, FINDING_FAIL,
			    STR_FMT "-%d offsets %lld to %lld can't be read, and offset %lld "
				    "behind them was given",
			    STR_ARG(p->topic), p->partition, (long long)p->holes[i].from,
			    (long long)p->holes[i].to - 1, (long long)seen.highest);
	}
}

static void end_given(struct check *c, struct finding *f, bool below)
{
	uint64_t wrong = 0;

	for (struct history_partition *p = c->history->partitions; p; p = p->next) {
		if (!scope_has(c->scope.topic, p->topic))
			continue;
		judge_given(c, f, p, below, &wrong);
		if (below)
			judge_holes(c, f, p, &wrong);
	}
	sum_up(f, wrong, "records, all given to somebody", NO_READ);
}

static void end_all_given(struct check *c, struct finding *f)
{
	end_given(c, f, false);
}

static void end_nothing_passed_over(struct check *c, struct finding *f)
{
	end_given(c, f, true);
}

const struct check_type check_all_given = {
	.name = "read.everything",
	.claim = "by the end every record of a topic that was read has been given to somebody "
		 "(unseen)",
	.see = "Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_all_given,
};

const struct check_type check_nothing_passed_over = {
	.name = "read.nothing_passed_over",
	.claim = "no record lies unread below one that was given (lost-write)",
	.see = "Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_nothing_passed_over,
};

/* ---- read once ---- */

static void judge_once(struct check *c, struct finding *f, const struct history_partition *p,
		       uint64_t *wrong)
{
	int32_t *times = calloc(p->records_count + 1, sizeof(*times));

	if (!times)
		abort();
	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		for (size_t i = 0; i < s->reads_count; i++) {
			const struct history_read *r = &s->reads[i];
			size_t at = history_record_from(p, r->offset);

			if (r->partition != p->partition || !str_eq(r->topic, p->topic) ||
			    at == p->records_count || !history_is_read_of(p, &p->records[at], r))
				continue;
			f->judged++;
			if (++times[at] < 2 || (*wrong)++)
				continue;
			read_moment(f, s, r);
			finding_set(f, FINDING_FAIL,
				    STR_FMT "-%d offset %lld was given a second time, to " STR_FMT,
				    STR_ARG(p->topic), p->partition, (long long)r->offset,
				    STR_ARG(s->name));
		}
	free(times);
}

static void end_once(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_partition *p = c->history->partitions; p; p = p->next)
		if (scope_has(c->scope.topic, p->topic))
			judge_once(c, f, p, &wrong);
	sum_up(f, wrong, "records, each given once", NO_READ);
}

const struct check_type check_once = {
	.name = "read.once",
	.claim = "no record is given twice, to whomever",
	.see = "a clean hand-over of a partition commits before it revokes",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_once,
};

/* ---- aborted reads ---- */

/* Clients that fetched with read_committed. */
struct committed_reader {
	struct str client;
	UT_hash_handle hh;
};

struct isolation {
	struct committed_reader *readers;
};

static void feed_aborted(struct check *c, const struct event *ev)
{
	struct isolation *s = c->state;
	const struct fetch_request *q;
	struct str client;
	struct committed_reader *r;

	if (ev->kind != EVENT_EXCHANGE || ev->exchange->header.api_key != API_FETCH ||
	    !(q = exchange_request(ev->exchange)) || q->isolation_level != 1)
		return;
	client = ev->exchange->header.client_id;
	if (!client.data)
		return;
	HASH_FIND(hh, s->readers, client.data, (unsigned)client.len, r);
	if (r || !(r = arena_zalloc(c->arena, sizeof(*r))))
		return;
	r->client = arena_str(c->arena, client);
	HASH_ADD_KEYPTR(hh, s->readers, r->client.data, (unsigned)client.len, r);
}

/* Whether a record's transaction had this outcome when it was given: what was committed later was
 * open until its marker came. */
static bool was_given_as(const struct history_record *record, const struct history_read *r,
			 enum txn_outcome outcome)
{
	bool ended = record->ended_us && record->ended_us <= r->time_us;

	if (outcome == TXN_OPEN && record->txn == TXN_COMMITTED)
		return record->ended_us && !ended;
	return record->txn == outcome;
}

/* Counts the reads of records whose transaction ended so, and tells the first. */
static uint64_t judge_outcome(struct check *c, struct finding *f, enum txn_outcome outcome,
			      const char *what)
{
	struct isolation *state = c->state;
	struct committed_reader *reader;
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s)) {
		HASH_FIND(hh, state->readers, s->name.data, (unsigned)s->name.len, reader);
		for (size_t i = 0; reader && i < s->reads_count; i++) {
			const struct history_read *r = &s->reads[i];
			struct history_partition *p =
				history_partition(c->history, r->topic, r->partition);
			const struct history_record *record =
				p ? history_record(p, r->offset) : NULL;

			f->judged += record != NULL;
			if (!record || !was_given_as(record, r, outcome) || wrong++)
				continue;
			read_moment(f, s, r);
			finding_set(f, FINDING_FAIL,
				    STR_FMT " reads committed records only and was given " STR_FMT
					    "-%d offset %lld (" STR_FMT ") of an %s transaction",
				    STR_ARG(s->name), STR_ARG(r->topic), r->partition,
				    (long long)r->offset, STR_ARG(r->value), what);
		}
	}
	return wrong;
}

static void end_open(struct check *c, struct finding *f)
{
	sum_up(f, judge_outcome(c, f, TXN_OPEN, "open"), "records, none of an open transaction",
	       "nobody who reads committed records only was given one");
}

static void end_aborted(struct check *c, struct finding *f)
{
	uint64_t wrong = judge_outcome(c, f, TXN_ABORTED, "aborted");

	sum_up(f, wrong, "records, none of an aborted transaction",
	       "nobody who reads committed records only was given one");
}

static void release_aborted(struct check *c)
{
	struct isolation *s = c->state;

	HASH_CLEAR(hh, s->readers);
}

const struct check_type check_open = {
	.name = "read.nothing_open",
	.claim = "a read_committed consumer is given nothing of a transaction that has not ended "
		 "(precommitted read)",
	.see = "KIP-98; isolation.level",
	.needs = NEEDS_LOG | NEEDS_REPORTS | NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.kin = "read.",
	.universal = true,
	.state_size = sizeof(struct isolation),
	.feed = feed_aborted,
	.end = end_open,
	.release = release_aborted,
};

const struct check_type check_aborted = {
	.name = "read.nothing_aborted",
	.claim = "a read_committed consumer is given nothing of an aborted transaction (G1a)",
	.see = "KIP-98; isolation.level",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT},
	.universal = true,
	.state_size = sizeof(struct isolation),
	.feed = feed_aborted,
	.end = end_aborted,
	.release = release_aborted,
};

/* ---- acknowledged offsets ---- */

static void end_true_offsets(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		for (size_t i = 0; i < s->sends_count; i++) {
			const struct history_send *send = s->sends[i];
			struct history_partition *p =
				history_partition(c->history, send->topic, send->partition);
			const struct history_record *record;

			if (send->state != SEND_ACKED || send->offset < 0 || !p ||
			    !scope_has(c->scope.topic, send->topic))
				continue;
			f->judged++;
			record = history_record(p, send->offset);
			if (history_held(p, send->offset, send->value) || wrong++)
				continue;
			finding_moment(f, send->end_us,
				       STR_FMT " is told that " STR_FMT " is at " STR_FMT
					       "-%d offset %lld",
				       STR_ARG(s->name), STR_ARG(send->value), STR_ARG(send->topic),
				       send->partition, (long long)send->offset);
			finding_set(f, FINDING_FAIL,
				    "%s was said to be at " STR_FMT
				    "-%d offset %lld, which holds %s",
				    send->value.data, STR_ARG(send->topic), send->partition,
				    (long long)send->offset,
				    record && record->value.data ? record->value.data : "nothing");
		}
	sum_up(f, wrong, "acknowledged offsets, all true", "no subject was told an offset");
}

const struct check_type check_true_offsets = {
	.name = "delivery.true_offsets",
	.claim = "a record is at the offset that its acknowledgement names",
	.see = "the producer's contract",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_true_offsets,
};

/* ---- reported failures ---- */

static void end_no_error(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		for (size_t i = 0; i < s->sends_count; i++) {
			const struct history_send *send = s->sends[i];

			if (send->state == SEND_OPEN || !scope_has(c->scope.topic, send->topic))
				continue;
			f->judged++;
			if (send->state != SEND_FAILED || wrong++)
				continue;
			finding_moment(f, send->end_us,
				       STR_FMT " is told that " STR_FMT " failed: " STR_FMT,
				       STR_ARG(s->name), STR_ARG(send->value), STR_ARG(send->why));
			finding_fault_before(f, c->history, send->end_us);
			finding_set(f, FINDING_FAIL,
				    STR_FMT " was told that " STR_FMT " failed: " STR_FMT,
				    STR_ARG(s->name), STR_ARG(send->value), STR_ARG(send->why));
		}
	sum_up(f, wrong, "values, all acknowledged", "no subject was told the outcome of a send");
}

const struct check_type check_no_error = {
	.name = "delivery.no_error",
	.claim = "what can be retried is retried: no send is reported as failed",
	.see = "delivery.timeout.ms, retries",
	.needs = NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_error,
};

static void end_all_answered(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		for (size_t i = 0; i < s->sends_count; i++) {
			const struct history_send *send = s->sends[i];

			if (!scope_has(c->scope.topic, send->topic))
				continue;
			f->judged++;
			if (send->state != SEND_OPEN || wrong++)
				continue;
			finding_moment(f, send->attempt_us, STR_FMT " sends value " STR_FMT,
				       STR_ARG(s->name), STR_ARG(send->value));
			finding_set(f, FINDING_FAIL, STR_FMT " was told nothing of " STR_FMT,
				    STR_ARG(s->name), STR_ARG(send->value));
		}
	sum_up(f, wrong, "values, each with an outcome", "no subject reported a send");
}

const struct check_type check_all_answered = {
	.name = "delivery.all_answered",
	.claim = "every send comes to an end that its sender is told",
	.see = "delivery.timeout.ms",
	.needs = NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_all_answered,
};
