/* What producers promise: nothing acknowledged is lost, nothing stands twice, a partition keeps the
 * order of sending. Judged from what the broker persisted and what the subject said it was told. A
 * record belongs to the subject that said it sent that value to that topic. Reading the records is
 * the history's. */
#include "checks/types.h"

#include "protocol/messages.h"

#include <stdlib.h>

#define LIST_MAX 12 /* values named in a finding; the rest is counted */

/* What the log holds of one subject's sends. All arrays go by the index of the send. */
struct tally {
	struct history_subject *subject;
	int32_t *live;	/* records that are there */
	int32_t *gone;	/* that were there until the cluster truncated, compacted or expired them */
	int32_t *plain; /* those there that were written without a producer id */
	struct history_record **first;
	struct history_record **second;
	struct history_partition **first_in, **second_in;
	uint64_t records;
};

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		abort();
	return p;
}

static void tally_init(struct tally *t, struct history_subject *s)
{
	size_t n = s->sends_count;

	*t = (struct tally){.subject = s};
	t->live = zeroed(n, sizeof(*t->live));
	t->gone = zeroed(n, sizeof(*t->gone));
	t->plain = zeroed(n, sizeof(*t->plain));
	t->first = zeroed(n, sizeof(struct history_record *));
	t->second = zeroed(n, sizeof(struct history_record *));
	t->first_in = zeroed(n, sizeof(struct history_partition *));
	t->second_in = zeroed(n, sizeof(struct history_partition *));
}

static void tally_release(struct tally *t)
{
	free(t->live);
	free(t->gone);
	free(t->plain);
	free(t->first);
	free(t->second);
	free(t->first_in);
	free(t->second_in);
}

static void tally_record(struct tally *t, struct history_partition *p, struct history_record *r)
{
	struct history_send *send =
		r->control ? NULL : history_send(t->subject, p->topic, r->value);

	if (!send)
		return;
	t->records++;
	/* What was aborted may be sent again, in the next transaction; what a topic held before it
	 * was made anew is gone. */
	if (r->state != RECORD_LIVE || r->txn == TXN_ABORTED || p->replaced) {
		t->gone[send->index]++;
		return;
	}
	t->plain[send->index] += r->producer_id < 0;
	t->live[send->index]++;
	if (t->live[send->index] == 1) {
		t->first[send->index] = r;
		t->first_in[send->index] = p;
	} else if (t->live[send->index] == 2) {
		t->second[send->index] = r;
		t->second_in[send->index] = p;
	}
}

static void tally_log(struct tally *t, const struct check *c)
{
	for (struct history_partition *p = c->history->partitions; p; p = p->next) {
		if (!scope_has(c->scope.topic, p->topic))
			continue;
		for (size_t i = 0; i < p->records_count; i++)
			tally_record(t, p, &p->records[i]);
		for (size_t i = 0; i < p->removed_count; i++)
			tally_record(t, p, &p->removed[i]);
	}
}

/* Names values in a text, the first LIST_MAX of them. */
struct list {
	struct buf text;
	uint64_t count;
};

static void list_add(struct list *l, struct str value)
{
	if (!l->count++)
		buf_init(&l->text, 4000);
	if (l->count <= LIST_MAX)
		buf_printf(&l->text, "%s" STR_FMT, l->count > 1 ? ", " : "", STR_ARG(value));
	else if (l->count == LIST_MAX + 1)
		buf_text(&l->text, ", ...");
}

static void send_moments(struct finding *f, const struct history_subject *s,
			 const struct history_send *send)
{
	finding_moment(f, send->attempt_us, STR_FMT " sends value " STR_FMT " to " STR_FMT,
		       STR_ARG(s->name), STR_ARG(send->value), STR_ARG(send->topic));
	if (send->state == SEND_ACKED)
		finding_moment(f, send->end_us,
			       STR_FMT " is told that " STR_FMT " is at " STR_FMT "-%d offset %lld",
			       STR_ARG(s->name), STR_ARG(send->value), STR_ARG(send->topic),
			       send->partition, (long long)send->offset);
	else if (send->state == SEND_FAILED)
		finding_moment(f, send->end_us,
			       STR_FMT " is told that " STR_FMT " failed: " STR_FMT,
			       STR_ARG(s->name), STR_ARG(send->value), STR_ARG(send->why));
}

static void record_moment(struct finding *f, const struct history_partition *p,
			  const struct history_record *r)
{
	finding_moment(f, r->time_us,
		       "log: " STR_FMT "-%d offset %lld holds " STR_FMT
		       " (connection %lld correlation %d)",
		       STR_ARG(p->topic), p->partition, (long long)r->offset, STR_ARG(r->value),
		       (long long)r->conn, r->correlation_id);
}

/* ---- loss ---- */

static void judge_loss(const struct check *c, struct finding *f, const struct tally *t,
		       struct list *lost)
{
	for (size_t i = 0; i < t->subject->sends_count; i++) {
		const struct history_send *send = t->subject->sends[i];

		if (send->state != SEND_ACKED || !scope_has(c->scope.topic, send->topic))
			continue;
		f->judged++;
		if (t->live[i] || t->gone[i])
			continue;
		if (lost->count < 2) {
			send_moments(f, t->subject, send);
			finding_fault_before(f, c->history, send->end_us);
		}
		list_add(lost, send->value);
	}
}

static void end_no_loss(struct check *c, struct finding *f)
{
	struct list lost = {0};
	struct tally t;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s)) {
		tally_init(&t, s);
		tally_log(&t, c);
		judge_loss(c, f, &t, &lost);
		tally_release(&t);
	}
	finding_expected(f, "every acknowledged value is in the log");
	if (lost.count)
		finding_set(f, FINDING_FAIL,
			    "%llu of %llu acknowledged values are in no log: " STR_FMT,
			    (unsigned long long)lost.count, (unsigned long long)f->judged,
			    (int)lost.text.len, (const char *)lost.text.data);
	else if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "no subject reported an acknowledged value");
	else
		finding_set(f, FINDING_PASS, "%llu acknowledged values, all in the log",
			    (unsigned long long)f->judged);
	if (lost.count)
		buf_release(&lost.text);
}

const struct check_type check_no_loss = {
	.name = "delivery.no_loss",
	.claim = "what the subject was told is written is in the log",
	.see = "U1; KIP-98",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_loss,
};

/* ---- duplicates ---- */

static void judge_twice(const struct check *c, struct finding *f, const struct tally *t,
			struct list *twice, bool idempotent)
{
	for (size_t i = 0; i < t->subject->sends_count; i++) {
		const struct history_send *send = t->subject->sends[i];

		if (!t->live[i] || (idempotent && t->plain[i]))
			continue;
		f->judged++;
		if (t->live[i] < 2)
			continue;
		if (twice->count < 2) {
			send_moments(f, t->subject, send);
			record_moment(f, t->first_in[i], t->first[i]);
			finding_fault_before(f, c->history, t->second[i]->time_us);
			record_moment(f, t->second_in[i], t->second[i]);
		}
		list_add(twice, send->value);
	}
}

static void end_no_duplicates(struct check *c, struct finding *f)
{
	struct list twice = {0};
	struct tally t;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s)) {
		tally_init(&t, s);
		tally_log(&t, c);
		judge_twice(c, f, &t, &twice, false);
		tally_release(&t);
	}
	finding_expected(f, "every value stands in the log once");
	if (twice.count)
		finding_set(f, FINDING_FAIL,
			    "%llu of %llu values stand in the log more than once: " STR_FMT,
			    (unsigned long long)twice.count, (unsigned long long)f->judged,
			    (int)twice.text.len, (const char *)twice.text.data);
	else if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "the log holds no value that a subject reported");
	else
		finding_set(f, FINDING_PASS, "%llu values, each once",
			    (unsigned long long)f->judged);
	if (twice.count)
		buf_release(&twice.text);
}

const struct check_type check_no_duplicates = {
	.name = "delivery.no_duplicates",
	.claim = "no value stands in the log more than once",
	.see = "KIP-98",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_duplicates,
};

/* ---- as sent ---- */

static void judge_as_sent(const struct check *c, struct finding *f,
			  const struct history_partition *p, uint64_t *wrong)
{
	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		for (size_t i = 0; i < p->records_count; i++) {
			const struct history_record *r = &p->records[i];
			const struct history_send *send =
				r->control ? NULL : history_send(s, p->topic, r->value);

			if (!send)
				continue;
			f->judged++;
			if ((!send->key.data == !r->key.data && str_eq(send->key, r->key)) ||
			    (*wrong)++)
				continue;
			send_moments(f, s, send);
			record_moment(f, p, r);
			finding_set(f, FINDING_FAIL,
				    STR_FMT "-%d offset %lld (" STR_FMT ") has %s%s" STR_FMT
					    "%s; it was sent with %s%s" STR_FMT "%s",
				    STR_ARG(p->topic), p->partition, (long long)r->offset,
				    STR_ARG(r->value), r->key.data ? "the key " : "no key",
				    r->key.data ? "'" : "", STR_ARG(r->key), r->key.data ? "'" : "",
				    send->key.data ? "the key " : "none", send->key.data ? "'" : "",
				    STR_ARG(send->key), send->key.data ? "'" : "");
		}
}

static void end_as_sent(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_partition *p = c->history->partitions; p; p = p->next)
		if (scope_has(c->scope.topic, p->topic))
			judge_as_sent(c, f, p, &wrong);
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "the log holds no value that a subject reported");
	else if (!wrong)
		finding_set(f, FINDING_PASS, "%llu records, each with its key",
			    (unsigned long long)f->judged);
}

const struct check_type check_as_sent = {
	.name = "delivery.as_sent",
	.claim = "a record stands in the log with the key that it was sent with, and null is not "
		 "empty",
	.see = "the record batch",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_as_sent,
};

/* ---- order ---- */

/* One partition against one subject: first occurrences must come in the order of sending. */
struct order {
	const struct check *check;
	struct history_subject *subject;
	bool *seen; /* by index of the send */
	uint64_t judged, broken;
	bool all_idempotent;
};

static void judge_order_in(struct order *o, struct finding *f, const struct history_partition *p)
{
	const struct history_record *last = NULL;
	int64_t last_number = -1;

	for (size_t i = 0; i < p->records_count; i++) {
		const struct history_record *r = &p->records[i];
		struct history_send *send =
			r->control ? NULL : history_send(o->subject, p->topic, r->value);

		/* What was reported as failed has no place in the order: a time-out may leave it at
		 * the broker until later ones are written. */
		if (!send || send->number < 0 || o->seen[send->index] ||
		    (send->state == SEND_FAILED && r->producer_id < 0))
			continue;
		o->seen[send->index] = true;
		o->judged++;
		o->all_idempotent &= r->producer_id >= 0;
		if (send->number > last_number) {
			last_number = send->number;
			last = r;
			continue;
		}
		if (!o->broken++ && last) {
			record_moment(f, p, last);
			finding_fault_before(f, o->check->history, r->time_us);
			record_moment(f, p, r);
			send_moments(f, o->subject, send);
			finding_set(f, FINDING_FAIL,
				    "in " STR_FMT "-%d value " STR_FMT
				    " (offset %lld) stands behind " STR_FMT " (offset %lld)",
				    STR_ARG(p->topic), p->partition, STR_ARG(r->value),
				    (long long)r->offset, STR_ARG(last->value),
				    (long long)last->offset);
		}
	}
}

/* Judges all of the scope; f->actual names the first break. */
static void judge_order(const struct check *c, struct finding *f, struct order *sum)
{
	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s)) {
		sum->subject = s;
		sum->seen = zeroed(s->sends_count, sizeof(bool));
		for (struct history_partition *p = c->history->partitions; p; p = p->next)
			if (scope_has(c->scope.topic, p->topic))
				judge_order_in(sum, f, p);
		free(sum->seen);
	}
	f->judged = sum->judged;
	if (sum->broken > 1)
		f->actual = str_of(
			arena_printf(f->arena, STR_FMT ", and %llu more are out of order",
				     STR_ARG(f->actual), (unsigned long long)sum->broken - 1));
	else if (!sum->judged)
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "the log holds no value that a subject reported");
	else if (!sum->broken)
		finding_set(f, FINDING_PASS, "%llu values in the order of sending",
			    (unsigned long long)sum->judged);
}

static void end_order(struct check *c, struct finding *f)
{
	struct order sum = {.check = c, .all_idempotent = true};

	finding_expected(
		f, "a partition holds a subject's values in the order in which they were sent");
	judge_order(c, f, &sum);
}

const struct check_type check_order = {
	.name = "order.per_partition",
	.claim = "a partition holds a producer's values in the order of sending",
	.see = "U2",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_order,
};

/* ---- order as acknowledged ---- */

static int by_number(const void *a, const void *b)
{
	const struct history_send *x = *(const struct history_send *const *)a;
	const struct history_send *y = *(const struct history_send *const *)b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The last send of each partition, while they are walked in their order. */
struct sent_last {
	const struct history_send *send;
	UT_hash_handle hh; /* by partition's history */
	const struct history_partition *partition;
};

static void judge_sent_pair(const struct check *c, struct finding *f,
			    const struct history_subject *s, struct sent_last *last,
			    const struct history_send *send, uint64_t *wrong)
{
	const struct history_send *before = last->send;

	f->judged++;
	if (!before || send->offset > before->offset ||
	    history_cut_between(last->partition, before->offset, 0, send->end_us) || (*wrong)++)
		return;
	send_moments(f, s, before);
	send_moments(f, s, send);
	finding_fault_before(f, c->history, send->end_us);
	finding_set(f, FINDING_FAIL,
		    "value " STR_FMT " was sent after " STR_FMT " and is at " STR_FMT
		    "-%d offset %lld, which is not behind %lld",
		    STR_ARG(send->value), STR_ARG(before->value), STR_ARG(send->topic),
		    send->partition, (long long)send->offset, (long long)before->offset);
}

static void judge_sent(const struct check *c, struct finding *f, const struct history_subject *s,
		       uint64_t *wrong)
{
	struct history_send **list = zeroed(s->sends_count, sizeof(struct history_send *));
	struct sent_last *all = NULL, *last, *next;

	for (size_t i = 0; i < s->sends_count; i++)
		list[i] = s->sends[i];
	qsort(list, s->sends_count, sizeof(struct history_send *), by_number);
	for (size_t i = 0; i < s->sends_count; i++) {
		const struct history_send *send = list[i];
		const struct history_partition *p =
			history_partition(c->history, send->topic, send->partition);

		if (send->state != SEND_ACKED || send->offset < 0 || send->number < 0 || !p ||
		    p->older || !scope_has(c->scope.topic, send->topic))
			continue;
		HASH_FIND_PTR(all, &p, last);
		if (!last && (last = arena_zalloc(f->arena, sizeof(*last)))) {
			last->partition = p;
			HASH_ADD_PTR(all, partition, last);
		}
		if (!last)
			break;
		judge_sent_pair(c, f, s, last, send, wrong);
		if (!last->send || send->offset > last->send->offset)
			last->send = send;
	}
	HASH_ITER (hh, all, last, next)
		HASH_DELETE(hh, all, last);
	free(list);
}

static void end_sent_offsets(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		judge_sent(c, f, s, &wrong);
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "no subject was told an offset");
	else if (!wrong)
		finding_set(f, FINDING_PASS, "%llu offsets in the order of sending",
			    (unsigned long long)f->judged);
}

const struct check_type check_sent_offsets = {
	.name = "order.offsets",
	.claim = "what is sent later to a partition is acknowledged at a higher offset "
		 "(nonmonotonic-send)",
	.see = "Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_sent_offsets,
};

/* ---- the universal two ---- */

/* Acknowledged at an offset that another record has, or none yet. A value that is in no log is
 * lost, which is judged elsewhere; of a topic that was made anew the offsets of before mean
 * nothing. */
static void judge_misplaced(const struct check *c, struct finding *f, const struct tally *t,
			    struct list *misplaced)
{
	for (size_t i = 0; i < t->subject->sends_count; i++) {
		const struct history_send *send = t->subject->sends[i];
		struct history_partition *p =
			history_partition(c->history, send->topic, send->partition);

		if (send->state != SEND_ACKED || send->offset < 0 || !t->live[i] || !p || p->older)
			continue;
		if (history_held(p, send->offset, send->value) ||
		    (!history_record(p, send->offset) && send->offset < p->end))
			continue;
		if (misplaced->count < 2) {
			send_moments(f, t->subject, send);
			record_moment(f, t->first_in[i], t->first[i]);
		}
		list_add(misplaced, send->value);
	}
}

static void end_u1(struct check *c, struct finding *f)
{
	struct list lost = {0}, twice = {0}, misplaced = {0};
	struct tally t;

	if (c->history->unacknowledged) {
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "something was produced with acks=0, which promises nothing");
		return;
	}
	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s)) {
		tally_init(&t, s);
		tally_log(&t, c);
		judge_loss(c, f, &t, &lost);
		judge_twice(c, f, &t, &twice, true);
		judge_misplaced(c, f, &t, &misplaced);
		tally_release(&t);
	}
	if (lost.count)
		finding_set(f, FINDING_FAIL, "%llu acknowledged values are in no log: " STR_FMT,
			    (unsigned long long)lost.count, (int)lost.text.len,
			    (const char *)lost.text.data);
	else if (twice.count)
		finding_set(f, FINDING_FAIL,
			    "%llu values of an idempotent producer stand twice: " STR_FMT,
			    (unsigned long long)twice.count, (int)twice.text.len,
			    (const char *)twice.text.data);
	else if (misplaced.count)
		finding_set(
			f, FINDING_FAIL,
			"%llu values were acknowledged at an offset that they don't have: " STR_FMT,
			(unsigned long long)misplaced.count, (int)misplaced.text.len,
			(const char *)misplaced.text.data);
	else if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "no subject reported an acknowledged value");
	else
		finding_set(f, FINDING_PASS, "%llu values", (unsigned long long)f->judged);
	if (lost.count)
		buf_release(&lost.text);
	if (twice.count)
		buf_release(&twice.text);
	if (misplaced.count)
		buf_release(&misplaced.text);
}

const struct check_type check_u1 = {
	.name = "U1",
	.claim = "what was acknowledged is in the log, where it was said to be; with idempotence "
		 "exactly once",
	.see = "KIP-98",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.kin = "delivery.",
	.universal = true,
	.end = end_u1,
};

#define PAIRS_TRACKED 256
#define TOGETHER_MAX  8

/* Produce requests of one client that stood unanswered at one broker, over all of its connections:
 * some clients open several, and order is theirs to keep across them. */
struct pair {
	struct str client;
	int32_t broker;
	int64_t answered_us[TOGETHER_MAX]; /* when those before were answered; the latest */
	int32_t at;
};

struct in_flight {
	struct pair pairs[PAIRS_TRACKED];
	int32_t pairs_count, max;
};

static struct pair *pair_of(struct check *c, const struct exchange *x)
{
	struct in_flight *s = c->state;
	struct pair *p = s->pairs, *end = s->pairs + s->pairs_count;

	while (p < end && (p->broker != x->conn.broker || !str_eq(p->client, x->header.client_id)))
		p++;
	if (p < end)
		return p;
	if (s->pairs_count == PAIRS_TRACKED)
		return &s->pairs[0]; /* so many clients: they share, and more counts as together */
	p->client = arena_str(c->arena, x->header.client_id);
	p->broker = x->conn.broker;
	s->pairs_count++;
	return p;
}

static void feed_u2(struct check *c, const struct event *ev)
{
	struct in_flight *s = c->state;
	const struct exchange *x = ev->exchange;
	int32_t together = 1;
	struct pair *p;

	if (ev->kind != EVENT_EXCHANGE || x->header.api_key != API_PRODUCE)
		return;
	p = pair_of(c, x);
	for (size_t i = 0; i < TOGETHER_MAX; i++)
		together += p->answered_us[i] > x->request_us;
	p->answered_us[p->at++ % TOGETHER_MAX] = x->response_us ? x->response_us : ev->time_us;
	if (together > s->max)
		s->max = together;
}

static void end_u2(struct check *c, struct finding *f)
{
	struct in_flight *s = c->state;
	struct order sum = {.check = c, .all_idempotent = true};

	judge_order(c, f, &sum);
	if (f->result == FINDING_FAIL && !sum.all_idempotent && s->max > 1) {
		f->documented = true;
		f->actual = str_of(arena_printf(
			f->arena,
			STR_FMT "; without idempotence and with %d requests in flight order "
				"is documented as not kept",
			STR_ARG(f->actual), s->max));
	}
}

const struct check_type check_u2 = {
	.name = "U2",
	.claim = "a partition holds a producer's values in the order of sending, with idempotence "
		 "or one request in flight",
	.see = "KIP-98; max.in.flight.requests.per.connection",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.kin = "order.",
	.universal = true,
	.state_size = sizeof(struct in_flight),
	.feed = feed_u2,
	.end = end_u2,
};
