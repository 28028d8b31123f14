/* What producers promise about the requests that they send: sequences without gap or rewinding,
 * identical retries, no more in flight than configured, a pause before a retry, nothing after a
 * fatal error, nothing again that is written. Judged from the batches on the wire, in the order of
 * their arrival. */
#include "checks/types.h"

#include "checks/batches.h"
#include "checks/hash.h"
#include "protocol/kafka_error.h"
#include "protocol/records.h"

#include <stdlib.h>
#include <uthash.h>

#define RETRY_EARLY_PERCENT 80 /* of the back-off: jitter of 20 % is the clients' own */

/* The next batch of the scope from index *at on; NULL at the end. */
static struct sent_batch *next_batch(const struct check *c, size_t *at)
{
	struct batches *all = c->history->batches;

	batches_sort(all);
	while (*at < all->count) {
		struct sent_batch *b = &all->list[(*at)++];

		if (scope_has(c->scope.client, b->client) &&
		    (!c->scope.topic.data || !b->topic.data || str_eq(c->scope.topic, b->topic)))
			return b;
	}
	return NULL;
}

static void moment(struct finding *f, const struct sent_batch *b, const char *what)
{
	struct str text = batch_text(b, f->arena);

	finding_moment(f, b->request_us, "%s" STR_FMT, what, STR_ARG(text));
	if (b->answered)
		finding_moment(f, b->end_us, "answered %s: " STR_FMT,
			       kafka_error_name(b->code) ? kafka_error_name(b->code) : "?",
			       STR_ARG(text));
	else
		finding_moment(f, b->end_us, "never answered: " STR_FMT, STR_ARG(text));
}

/* The common end: nothing seen, all well, or the first of n violations, whose text is in f->actual.
 */
static void sum_up(struct finding *f, uint64_t wrong, const char *nothing)
{
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "%s", nothing);
	else if (!wrong)
		finding_set(f, FINDING_PASS, "%llu batches", (unsigned long long)f->judged);
	else if (wrong > 1)
		f->actual = str_of(arena_printf(f->arena, STR_FMT " (and %llu more)",
						STR_ARG(f->actual), (unsigned long long)wrong - 1));
}

/* ---- sequences ---- */

/* A producer id and epoch on one partition. */
struct lane {
	struct {
		int64_t producer_id;
		uint64_t topic; /* hash of its name or id */
		int32_t partition, producer_epoch;
	} key;
	int32_t next;	 /* the sequence that must come */
	int32_t highest; /* of those seen */
	const struct sent_batch *last;
	size_t first, count; /* batches seen, as indices into `seen` */
	const struct sent_batch **seen;
	size_t cap;
	UT_hash_handle hh;
};

static struct lane *lane_of(struct lane **all, const struct sent_batch *b, struct arena *arena)
{
	struct lane like, *l;

	memset(&like, 0, sizeof(like));
	like.key.producer_id = b->producer_id;
	like.key.topic = hash_topic(b->topic, b->topic_id);
	like.key.partition = b->partition;
	like.key.producer_epoch = b->producer_epoch;
	HASH_FIND(hh, *all, &like.key, sizeof(like.key), l);
	if (l)
		return l;
	l = arena_zalloc(arena, sizeof(*l));
	if (!l)
		return NULL;
	l->key = like.key;
	HASH_ADD(hh, *all, key, sizeof(l->key), l);
	return l;
}

static void remember(struct lane *l, const struct sent_batch *b)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->seen = realloc(l->seen, l->cap * sizeof(struct sent_batch *));
		if (!l->seen)
			abort();
	}
	if (!l->count || b->base_sequence > l->highest)
		l->highest = b->base_sequence;
	l->seen[l->count++] = b;
	l->next = sequence_add(b->base_sequence, b->records);
	l->last = b;
}

static const struct sent_batch *seen_at(const struct lane *l, int32_t sequence)
{
	if (sequence > l->highest)
		return NULL; /* what a sound producer sends: no need to look through them all */
	for (size_t i = l->count; i-- > 0;)
		if (l->seen[i]->base_sequence == sequence)
			return l->seen[i];
	return NULL;
}

/* An answer that says for good that nothing was written: the sequence is free again. A batch that
 * was too large comes again in parts, one that could not be had at all leaves its place to the
 * next (KIP-126, KIP-360). */
static bool is_free_again(const struct sent_batch *before, const struct sent_batch *b)
{
	return before->answered && before->end_us < b->request_us && before->code &&
	       before->code != ERROR_DUPLICATE_SEQUENCE_NUMBER &&
	       !kafka_error_retriable(before->code);
}

/* Whether a batch of the lane was answered UNKNOWN_PRODUCER_ID before this one: the broker has
 * forgotten the producer, and its sequences begin anew. */
static bool was_forgotten(const struct lane *l, const struct sent_batch *b)
{
	for (size_t i = l->count; i-- > 0;)
		if (l->seen[i]->code == ERROR_UNKNOWN_PRODUCER_ID &&
		    l->seen[i]->end_us < b->request_us)
			return true;
	return false;
}

/* True if the batch is what must come, or one again that came. */
static bool judge_sequence(struct finding *f, struct lane *l, const struct sent_batch *b, bool tell)
{
	const struct sent_batch *before = seen_at(l, b->base_sequence);

	if (before && before->records == b->records && before->crc == b->crc)
		return true;
	if ((!before && b->base_sequence == l->next) || (before && is_free_again(before, b)) ||
	    (!b->base_sequence && was_forgotten(l, b))) {
		remember(l, b);
		return true;
	}
	if (!tell)
		return false;
	if (before) {
		moment(f, before, "");
		moment(f, b, "");
		finding_set(f, FINDING_FAIL,
			    "sequence %d of partition %d was sent twice with different content (%d "
			    "and %d records)",
			    b->base_sequence, b->partition, before->records, b->records);
		return false;
	}
	if (l->last)
		moment(f, l->last, "");
	moment(f, b, "");
	finding_set(f, FINDING_FAIL, "sequence %d was sent to partition %d where %d must come",
		    b->base_sequence, b->partition, l->next);
	return false;
}

static void end_sequences(struct check *c, struct finding *f)
{
	struct lane *lanes = NULL, *l, *next;
	const struct sent_batch *b;
	uint64_t wrong = 0;
	size_t at = 0;

	while ((b = next_batch(c, &at))) {
		if (b->producer_id < 0 || !(l = lane_of(&lanes, b, f->arena)))
			continue;
		f->judged++;
		if (!judge_sequence(f, l, b, !wrong)) {
			wrong++;
			remember(l, b);
		}
	}
	HASH_ITER (hh, lanes, l, next) {
		HASH_DELETE(hh, lanes, l);
		free(l->seen);
	}
	sum_up(f, wrong, "nothing was sent with a producer id");
}

const struct check_type check_sequences = {
	.name = "produce.sequences",
	.claim = "sequences of a producer id, epoch and partition start at 0 and have no gap, and "
		 "what is sent again is identical",
	.see = "KIP-98",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.batches = true,
	.end = end_sequences,
};

/* ---- in flight ---- */

/* How many requests of a connection stood unanswered when this batch's request came, itself
 * included. */
static int32_t in_flight_at(const struct batches *all, const struct sent_batch *b)
{
	uint64_t counted = 0;
	int32_t n = 1;

	for (const struct sent_batch *o = b; o-- > all->list;) {
		if (o->conn != b->conn || o->request == b->request || o->request == counted)
			continue;
		counted = o->request;
		if (o->end_us > b->request_us)
			n++;
		else
			break; /* answers keep the order of requests */
	}
	return n;
}

static void end_in_flight(struct check *c, struct finding *f)
{
	int64_t limit = c->scope.number >= 0 ? c->scope.number : 5;
	const struct sent_batch *b;
	uint64_t wrong = 0, request = 0;
	size_t at = 0;

	finding_expected(f, "at most %lld Produce requests in flight on a connection",
			 (long long)limit);
	while ((b = next_batch(c, &at))) {
		int32_t n = b->request == request ? 0 : in_flight_at(c->history->batches, b);

		request = b->request;
		f->judged++;
		if (n <= limit || wrong++)
			continue;
		moment(f, b, "");
		finding_set(f, FINDING_FAIL, "%d in flight on connection %lld", n,
			    (long long)b->conn);
	}
	sum_up(f, wrong, "nothing was produced");
}

const struct check_type check_in_flight = {
	.name = "produce.in_flight",
	.claim = "no more Produce requests are in flight on a connection than configured (5)",
	.see = "max.in.flight.requests.per.connection",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_TOPIC, ARG_NUMBER},
	.batches = true,
	.end = end_in_flight,
};

/* ---- retries ---- */

/* The same batch, sent again: by producer and sequence, else by content. */
static bool is_again(const struct sent_batch *a, const struct sent_batch *b)
{
	if (a->producer_id != b->producer_id || !batch_same_partition(a, b))
		return false;
	return a->producer_id >= 0
		       ? a->producer_epoch == b->producer_epoch &&
				 a->base_sequence == b->base_sequence
		       : a->records == b->records &&
				 (a->content ? a->content == b->content : a->crc == b->crc);
}

#define AGAIN_LOOK_BACK 2000 /* batches that are searched for an earlier sending */

/* The sending before this one, or NULL. */
static const struct sent_batch *before_this(const struct batches *all, const struct sent_batch *b)
{
	const struct sent_batch *o = b;

	for (int i = 0; i < AGAIN_LOOK_BACK && o-- > all->list; i++)
		if (is_again(o, b) && o->request != b->request)
			return o;
	return NULL;
}

static void end_backoff(struct check *c, struct finding *f)
{
	int64_t backoff_us = (c->scope.number >= 0 ? c->scope.number : 100) * 1000;
	const struct sent_batch *b, *before;
	uint64_t wrong = 0;
	size_t at = 0;

	finding_expected(f,
			 "a batch that was answered with a retriable error is sent again after "
			 "%lld ms at the earliest (less 20 %%)",
			 (long long)backoff_us / 1000);
	while ((b = next_batch(c, &at))) {
		before = before_this(c->history->batches, b);
		if (!before || !before->answered || !kafka_error_retriable(before->code) ||
		    before->broker != b->broker || before->led)
			continue; /* a new leader needs no pause */
		f->judged++;
		if (b->request_us - before->end_us >= backoff_us * RETRY_EARLY_PERCENT / 100 ||
		    wrong++)
			continue;
		moment(f, before, "");
		moment(f, b, "again: ");
		finding_set(f, FINDING_FAIL, "sent again %.1f ms after %s",
			    (double)(b->request_us - before->end_us) / 1000,
			    kafka_error_name(before->code));
	}
	sum_up(f, wrong, "nothing was sent again after a retriable error");
}

const struct check_type check_backoff = {
	.name = "produce.backoff",
	.claim = "a batch is sent again only after the back-off (100 ms)",
	.see = "retry.backoff.ms; KIP-580",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_TOPIC, ARG_NUMBER},
	.batches = true,
	.timing = true,
	.end = end_backoff,
};

#define GROWS_FROM    4	  /* sendings of one batch that show whether the pauses grow */
#define GROWS_PERCENT 150 /* the last pause, of the first: doubled twice, with jitter of 20 % */

/* How often a batch was sent before this time, and the pauses before the second sending and this
 * one. */
static int32_t pauses(const struct batches *all, const struct sent_batch *b, int64_t *ret_first_us,
		      int64_t *ret_last_us)
{
	const struct sent_batch *later = b, *before;
	int32_t n = 1;

	while ((before = before_this(all, later))) {
		*ret_first_us = later->request_us - before->end_us;
		if (n++ == 1)
			*ret_last_us = *ret_first_us;
		if (!before->answered || !kafka_error_retriable(before->code) || before->led)
			return 0;
		later = before;
	}
	return n;
}

static void end_backoff_grows(struct check *c, struct finding *f)
{
	const struct sent_batch *b;
	int64_t first_us = 0, last_us = 0;
	uint64_t wrong = 0;
	size_t at = 0;

	while ((b = next_batch(c, &at))) {
		if (pauses(c->history->batches, b, &first_us, &last_us) != GROWS_FROM)
			continue;
		f->judged++;
		if (last_us * 100 >= first_us * GROWS_PERCENT || wrong++)
			continue;
		moment(f, b, "");
		finding_set(f, FINDING_FAIL,
			    "sent for the %d. time after %.0f ms; the first pause was %.0f ms",
			    GROWS_FROM, (double)last_us / 1000, (double)first_us / 1000);
	}
	sum_up(f, wrong, "nothing was sent so often after retriable errors");
}

const struct check_type check_backoff_grows = {
	.name = "produce.backoff_grows",
	.claim = "the pauses between the sendings of one batch grow",
	.see = "KIP-580",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.batches = true,
	.timing = true,
	.end = end_backoff_grows,
};

/* Time that an answer may be on its way while the next request leaves. */
#define CROSSING_US 20000

static void end_no_resend(struct check *c, struct finding *f)
{
	const struct sent_batch *b, *before;
	uint64_t wrong = 0;
	size_t at = 0;

	while ((b = next_batch(c, &at))) {
		f->judged++;
		before = before_this(c->history->batches, b);
		if (!before || !before->answered || before->code ||
		    b->request_us < before->end_us + CROSSING_US || wrong++)
			continue;
		moment(f, before, "");
		moment(f, b, "again: ");
		finding_set(f, FINDING_FAIL,
			    "a batch that had been answered without an error was sent again %.1f "
			    "ms later",
			    (double)(b->request_us - before->end_us) / 1000);
	}
	sum_up(f, wrong, "nothing was produced");
}

const struct check_type check_no_resend = {
	.name = "produce.no_resend",
	.claim = "a batch that was acknowledged is not sent again",
	.see = "a partial failure concerns only what failed",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.batches = true,
	.end = end_no_resend,
};

/* ---- fatal errors ---- */

static bool is_fatal(int16_t code)
{
	return code == ERROR_INVALID_PRODUCER_EPOCH || code == ERROR_PRODUCER_FENCED ||
	       code == ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
	       code == ERROR_CLUSTER_AUTHORIZATION_FAILED;
}

/* The first fatal answer to a producer id and epoch that came before a moment; NULL if none did. */
static const struct sent_batch *fatal_before(const struct batches *all, const struct sent_batch *b)
{
	for (const struct sent_batch *o = all->list; o < b; o++)
		if (o->answered && is_fatal(o->code) && o->producer_id == b->producer_id &&
		    o->producer_epoch == b->producer_epoch &&
		    b->request_us > o->end_us + CROSSING_US)
			return o;
	return NULL;
}

static void end_no_send_after_fatal(struct check *c, struct finding *f)
{
	const struct sent_batch *b, *fatal;
	bool any = false;
	uint64_t wrong = 0;
	size_t at = 0;

	while ((b = next_batch(c, &at))) {
		any |= b->answered && is_fatal(b->code);
		f->judged++;
		fatal = any ? fatal_before(c->history->batches, b) : NULL;
		if (!fatal || wrong++)
			continue;
		moment(f, fatal, "");
		moment(f, b, "and yet: ");
		finding_set(f, FINDING_FAIL, "producer %lld epoch %d sent on %.1f ms after %s",
			    (long long)b->producer_id, b->producer_epoch,
			    (double)(b->request_us - fatal->end_us) / 1000,
			    kafka_error_name(fatal->code));
	}
	f->judged = any ? f->judged : 0;
	sum_up(f, wrong, "nothing was answered with a fatal error");
}

const struct check_type check_no_send_after_fatal = {
	.name = "produce.no_send_after_fatal",
	.claim = "after a fatal error nothing more is sent with that producer id and epoch",
	.see = "KIP-98, KIP-360",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.batches = true,
	.end = end_no_send_after_fatal,
};
