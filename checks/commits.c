/* What a subject was told of its commits, against what the brokers answered: a commit of several
 * partitions may be taken for some and refused for others. Owns the commits that were taken, by
 * client and partition; what subjects said lies in the history. */
#include "checks/types.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define KEY_MAX 700

/* A commit that an answer took; the newest is first. */
struct taken {
	int64_t offset, time_us; /* when it was answered */
	struct taken *older;
};

/* A partition as one client commits for it. */
struct lane {
	struct taken *newest;
	struct finding_moment
		refused; /* the last answer that did not take a commit; time 0: none */
	UT_hash_handle hh;
};

struct commits {
	struct lane *lanes;
};

static struct lane *lane_of(struct check *c, struct str client, struct str topic, int32_t partition,
			    bool add)
{
	struct commits *s = c->state;
	char key[KEY_MAX];
	int len = snprintf(key, sizeof(key), STR_FMT "%c" STR_FMT "%c%d", STR_ARG(client), 0,
			   STR_ARG(topic), 0, partition);
	struct lane *l;

	if (len < 0 || len >= (int)sizeof(key))
		return NULL;
	HASH_FIND(hh, s->lanes, key, (unsigned)len, l);
	if (l || !add || !(l = arena_zalloc(c->arena, sizeof(*l))))
		return l;
	HASH_ADD_KEYPTR(hh, s->lanes, arena_copy(c->arena, key, (size_t)len), (unsigned)len, l);
	return l;
}

static void take(struct check *c, const struct exchange *x, struct str topic,
		 const struct offset_commit_request_topics_partitions *asked, int16_t code)
{
	struct lane *l = lane_of(c, x->header.client_id, topic, asked->partition_index, true);
	struct taken *t;

	if (l && code) {
		l->refused.time_us = x->response_us;
		l->refused.text = str_of(arena_printf(
			c->arena, "the OffsetCommit of " STR_FMT "-%d offset %lld is refused: %s",
			STR_ARG(topic), asked->partition_index, (long long)asked->committed_offset,
			kafka_error_name(code)));
		return;
	}
	t = l ? arena_zalloc(c->arena, sizeof(*t)) : NULL;
	if (!t)
		return;
	*t = (struct taken){asked->committed_offset, x->response_us, l->newest};
	l->newest = t;
}

static void feed(struct check *c, const struct event *ev)
{
	const struct offset_commit_request *q;
	const struct offset_commit_response *r;

	if (ev->kind != EVENT_EXCHANGE || ev->exchange->header.api_key != API_OFFSET_COMMIT)
		return;
	q = exchange_request(ev->exchange);
	r = exchange_response(ev->exchange);
	if (!q || !r)
		return;
	for (int32_t i = 0; i < q->topics_count && i < r->topics_count; i++)
		for (int32_t k = 0;
		     k < q->topics[i].partitions_count && k < r->topics[i].partitions_count; k++)
			take(c, ev->exchange,
			     history_topic(c->history, q->topics[i].name, q->topics[i].topic_id),
			     &q->topics[i].partitions[k], r->topics[i].partitions[k].error_code);
}

/* Whether that offset, or one behind it, was taken when the subject said so. */
static bool was_taken(const struct lane *l, const struct history_commit *told)
{
	const struct taken *t = l ? l->newest : NULL;

	while (t && (t->time_us > told->time_us || t->offset < told->offset))
		t = t->older;
	return t != NULL;
}

static void judge(struct check *c, struct finding *f, const struct history_subject *s,
		  const struct history_commit *told)
{
	const struct lane *l = lane_of(c, s->name, told->topic, told->partition, false);

	f->judged++;
	if (was_taken(l, told) || f->result == FINDING_FAIL)
		return;
	if (l)
		finding_moment(f, l->refused.time_us, STR_FMT, STR_ARG(l->refused.text));
	finding_moment(f, told->time_us, STR_FMT " says that it is committed", STR_ARG(s->name));
	finding_set(f, FINDING_FAIL,
		    STR_FMT " was told that " STR_FMT
			    "-%d offset %lld is committed, and no broker had taken it",
		    STR_ARG(s->name), STR_ARG(told->topic), told->partition,
		    (long long)told->offset);
}

static void end(struct check *c, struct finding *f)
{
	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		for (size_t i = 0; i < s->commits_count; i++)
			if (s->commits[i].success && scope_has(c->scope.topic, s->commits[i].topic))
				judge(c, f, s, &s->commits[i]);
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "nobody said that it had committed");
	else if (f->result != FINDING_FAIL)
		finding_set(f, FINDING_PASS, "%llu commits, each taken before it was told",
			    (unsigned long long)f->judged);
}

static void release(struct check *c)
{
	struct commits *s = c->state;

	HASH_CLEAR(hh, s->lanes);
}

const struct check_type check_committed_as_told = {
	.name = "offsets.committed_as_told",
	.claim = "an offset of which its member says that it is committed was taken by a broker",
	.see = "OffsetCommit answers for each partition",
	.needs = NEEDS_WIRE | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.state_size = sizeof(struct commits),
	.feed = feed,
	.end = end,
	.release = release,
};
