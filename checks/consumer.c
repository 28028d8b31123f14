/* What consumers promise: offsets only go up within an assignment and skip nothing that they should
 * get; a commit never goes back within a generation and never passes what was delivered. Judged
 * from what the subject said, the log, and OffsetCommit on the wire. */
#include "checks/types.h"

#include "protocol/messages.h"

#include <stdio.h>

#define KEY_MAX 900

/* ---- U3 ---- */

/* The last read of one partition, while a subject's reads are walked. */
struct position {
	const struct history_read *last;
	struct history_partition *partition;
	size_t resets;	   /* index of the first reset that no step was owed to */
	UT_hash_handle hh; /* by topic and partition */
};

/* What can be wrong with a read; a check asks for some of them. */
enum wrong {
	WRONG_BACK = 1,	       /* at or before what was given, in a later poll */
	WRONG_BACK_WITHIN = 2, /* the same within one poll */
	WRONG_SKIP = 4,	       /* over a record that should have been given, between two polls */
	WRONG_SKIP_WITHIN = 8, /* the same within one poll */
	WRONG_CONTROL = 16,    /* a control record was given */
};

struct positions {
	struct position *by_key;
	unsigned wanted;
	uint64_t count; /* of wrong reads */
};

static void read_moment(struct finding *f, const struct history_subject *s,
			const struct history_read *r)
{
	finding_moment(f, r->time_us, STR_FMT " is given " STR_FMT "-%d offset %lld: " STR_FMT,
		       STR_ARG(s->name), STR_ARG(r->topic), r->partition, (long long)r->offset,
		       STR_ARG(r->value));
}

static struct position *position_of(const struct check *c, struct positions *all,
				    const struct history_read *r)
{
	char key[KEY_MAX];
	int len = snprintf(key, sizeof(key), STR_FMT "/%d", STR_ARG(r->topic), r->partition);
	struct position *p;

	if (len < 0 || len >= (int)sizeof(key))
		return NULL;
	HASH_FIND(hh, all->by_key, key, (unsigned)len, p);
	if (p)
		return p;
	p = arena_zalloc(c->arena, sizeof(*p));
	if (!p)
		return NULL;
	p->partition = history_partition(c->history, r->topic, r->partition);
	HASH_ADD_KEYPTR(hh, all->by_key, arena_copy(c->arena, key, (size_t)len), (unsigned)len, p);
	return p;
}

/* The first record between two offsets that a reader should have been given; NULL if there is none.
 */
static const struct history_record *skipped_between(const struct history_partition *p, int64_t from,
						    int64_t to)
{
	for (size_t i = history_record_from(p, from);
	     i < p->records_count && p->records[i].offset < to; i++)
		if (history_readable(&p->records[i]))
			return &p->records[i];
	return NULL;
}

/* The first wrong read is told. */
static void note_read(struct finding *f, const struct history_subject *s, struct positions *all,
		      const struct history_read *last, const struct history_read *r,
		      const struct history_record *gap)
{
	if (all->count++)
		return;
	read_moment(f, s, last);
	read_moment(f, s, r);
	if (gap)
		finding_set(f, FINDING_FAIL,
			    STR_FMT " was given " STR_FMT
				    "-%d offset %lld and then %lld; offset %lld holds " STR_FMT,
			    STR_ARG(s->name), STR_ARG(r->topic), r->partition,
			    (long long)last->offset, (long long)r->offset, (long long)gap->offset,
			    STR_ARG(gap->value));
	else
		finding_set(f, FINDING_FAIL,
			    STR_FMT " was given " STR_FMT "-%d offset %lld after offset %lld",
			    STR_ARG(s->name), STR_ARG(r->topic), r->partition, (long long)r->offset,
			    (long long)last->offset);
}

/* Whether a step follows from a position that the broker called gone; each such answer accounts for
 * one. Back: by the policy "earliest". Over records: by "latest", to what was written afterwards;
 * nothing below the lost position may be left out. What was fetched before is given after it. */
static bool was_reset(const struct check *c, const struct history_subject *s, struct position *p,
		      const struct history_read *r, const struct history_record *gap)
{
	const struct history_record *record =
		p->partition ? history_record(p->partition, r->offset) : NULL;
	const struct history_reset *reset;
	size_t at = p->resets;

	while ((reset = history_reset_next(c->history, s->name, r->topic, r->partition, r->time_us,
					   &at))) {
		if (gap ? gap->offset < reset->position || !record ||
				    record->time_us < reset->time_us
			: p->last->offset < reset->offset)
			continue;
		p->resets = at;
		return true;
	}
	return false;
}

static void judge_read(const struct check *c, struct finding *f, const struct history_subject *s,
		       struct positions *all, struct position *p, const struct history_read *r)
{
	const struct history_read *last = p->last;
	bool within = r->poll == last->poll, back = r->offset <= last->offset;
	const struct history_record *gap = NULL;
	unsigned kind;

	if (p->partition &&
	    history_cut_between(p->partition, last->offset, last->time_us, r->time_us))
		return; /* a cut log sets the reader back (KIP-320) */
	if (!back && p->partition)
		gap = skipped_between(p->partition, last->offset + 1, r->offset);
	if ((!back && !gap) || was_reset(c, s, p, r, gap))
		return;
	if (back)
		kind = within ? WRONG_BACK_WITHIN : WRONG_BACK;
	else
		kind = within ? WRONG_SKIP_WITHIN : WRONG_SKIP;
	if (all->wanted & kind)
		note_read(f, s, all, last, r, gap);
}

static void judge_control(struct finding *f, const struct history_subject *s, struct positions *all,
			  const struct position *p, const struct history_read *r)
{
	const struct history_record *record =
		p->partition ? history_record(p->partition, r->offset) : NULL;

	if (!record || !record->control || !(all->wanted & WRONG_CONTROL) || all->count++)
		return;
	read_moment(f, s, r);
	finding_set(f, FINDING_FAIL,
		    STR_FMT " was given the control record at " STR_FMT "-%d offset %lld",
		    STR_ARG(s->name), STR_ARG(r->topic), r->partition, (long long)r->offset);
}

static void judge_reads(struct check *c, struct finding *f, struct history_subject *s,
			struct positions *all)
{
	all->by_key = NULL;
	for (size_t i = 0; i < s->reads_count; i++) {
		const struct history_read *r = &s->reads[i];
		struct position *p =
			scope_has(c->scope.topic, r->topic) ? position_of(c, all, r) : NULL;

		if (!p || (p->partition && p->partition->older))
			continue; /* a topic made anew starts again at 0 */
		f->judged++;
		judge_control(f, s, all, p, r);
		if (p->last && p->last->assignment == r->assignment)
			judge_read(c, f, s, all, p, r);
		p->last = r;
	}
	HASH_CLEAR(hh, all->by_key);
}

static void judge_all(struct check *c, struct finding *f, unsigned wanted)
{
	struct positions all = {.wanted = wanted};

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		judge_reads(c, f, s, &all);
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "no subject reported a record that it was given");
	else if (!all.count)
		finding_set(f, FINDING_PASS, "%llu records", (unsigned long long)f->judged);
	else if (all.count > 1)
		f->actual =
			str_of(arena_printf(f->arena, STR_FMT " (and %llu more)",
					    STR_ARG(f->actual), (unsigned long long)all.count - 1));
}

static void end_u3(struct check *c, struct finding *f)
{
	judge_all(c, f,
		  WRONG_BACK | WRONG_BACK_WITHIN | WRONG_SKIP | WRONG_SKIP_WITHIN | WRONG_CONTROL);
}

const struct check_type check_u3 = {
	.name = "U3",
	.claim = "within an assignment a consumer is given strictly increasing offsets, none that "
		 "it should get is left out, and no control "
		 "record is given",
	.see = "the consumer's contract",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.kin = "read.",
	.universal = true,
	.end = end_u3,
};

static void end_no_step_back(struct check *c, struct finding *f)
{
	judge_all(c, f, WRONG_BACK);
}

const struct check_type check_no_step_back = {
	.name = "read.no_step_back",
	.claim = "a later poll gives nothing at or before what was given (nonmonotonic-poll)",
	.see = "the consumer's contract",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_step_back,
};

static void end_no_step_back_within(struct check *c, struct finding *f)
{
	judge_all(c, f, WRONG_BACK_WITHIN);
}

const struct check_type check_no_step_back_within = {
	.name = "read.no_step_back_within",
	.claim = "one poll gives increasing offsets (int-nonmonotonic-poll)",
	.see = "the consumer's contract",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_step_back_within,
};

static void end_no_skip(struct check *c, struct finding *f)
{
	judge_all(c, f, WRONG_SKIP);
}

const struct check_type check_no_skip = {
	.name = "read.no_skip",
	.claim = "successive polls jump over no record that should be given (poll-skip)",
	.see = "the consumer's contract",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_skip,
};

static void end_no_skip_within(struct check *c, struct finding *f)
{
	judge_all(c, f, WRONG_SKIP_WITHIN);
}

const struct check_type check_no_skip_within = {
	.name = "read.no_skip_within",
	.claim = "one poll jumps over no record that should be given (int-poll-skip)",
	.see = "the consumer's contract",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_skip_within,
};

static void end_no_control(struct check *c, struct finding *f)
{
	judge_all(c, f, WRONG_CONTROL);
}

const struct check_type check_no_control = {
	.name = "read.no_control_records",
	.claim = "control records are not given to anybody",
	.see = "the consumer's contract",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_no_control,
};

/* ---- U4 ---- */

/* The highest commit of a partition in a generation; the key is cluster, group, topic, partition,
 * generation. */
struct commit {
	struct str topic, group;
	int32_t partition, generation;
	int64_t offset, time_us; /* when it arrived */
	UT_hash_handle hh;
};

/* A client that committed for a group. */
struct committer {
	struct str client, group;
	struct committer *next;
};

struct commits {
	struct committer *committers;
	struct commit *by_key;
	uint64_t judged, back;
	struct str first;
	struct finding_moment moments[2];
};

static struct commit *commit_of(struct check *c, uint64_t cluster,
				const struct offset_commit_request *request, struct str topic,
				int32_t partition)
{
	struct commits *s = c->state;
	char key[KEY_MAX];
	int len = snprintf(key, sizeof(key), "%llx " STR_FMT "%c" STR_FMT "%c%d %d",
			   (unsigned long long)cluster, STR_ARG(request->group_id), 0,
			   STR_ARG(topic), 0, partition, request->generation_id_or_member_epoch);
	struct commit *m;

	if (len < 0 || len >= (int)sizeof(key))
		return NULL;
	HASH_FIND(hh, s->by_key, key, (unsigned)len, m);
	if (m)
		return m;
	m = arena_zalloc(c->arena, sizeof(*m));
	if (!m)
		return NULL;
	m->topic = arena_str(c->arena, topic);
	m->group = arena_str(c->arena, request->group_id);
	m->partition = partition;
	m->generation = request->generation_id_or_member_epoch;
	m->offset = -1;
	HASH_ADD_KEYPTR(hh, s->by_key, arena_copy(c->arena, key, (size_t)len), (unsigned)len, m);
	return m;
}

static void note_committer(struct check *c, struct str client, struct str group)
{
	struct commits *s = c->state;
	struct committer *k = s->committers;

	while (k && !(str_eq(k->client, client) && str_eq(k->group, group)))
		k = k->next;
	if (k || !(k = arena_zalloc(c->arena, sizeof(*k))))
		return;
	*k = (struct committer){arena_str(c->arena, client), arena_str(c->arena, group),
				s->committers};
	s->committers = k;
}

/* What was committed last may have been delivered before the log was cut, the topic made anew or
 * the position gone, and committed after it. */
static bool may_go_back(const struct check *c, const struct commit *m, struct str client,
			int64_t time_us)
{
	const struct history_partition *log = history_partition(c->history, m->topic, m->partition);
	size_t at = 0;

	return (log && (log->older || history_cut_between(log, m->offset - 1, 0, time_us))) ||
	       history_reset_next(c->history, client, m->topic, m->partition, time_us, &at);
}

static void note_back(struct check *c, const struct commit *m, int64_t offset, int64_t time_us)
{
	struct commits *s = c->state;

	if (s->back++)
		return;
	s->first = str_of(arena_printf(
		c->arena, STR_FMT "-%d: offset %lld after %lld in generation %d of group " STR_FMT,
		STR_ARG(m->topic), m->partition, (long long)offset, (long long)m->offset,
		m->generation, STR_ARG(m->group)));
	s->moments[0] = (struct finding_moment){
		.time_us = m->time_us,
		.text = str_of(
			arena_printf(c->arena, "OffsetCommit of %lld", (long long)m->offset))};
	s->moments[1] = (struct finding_moment){
		.time_us = time_us,
		.text = str_of(arena_printf(c->arena, "OffsetCommit of %lld", (long long)offset))};
}

/* Commits count in the order of their arrival: of two connections the later one may be answered
 * first. */
static void commit_one(struct check *c, const struct exchange *x,
		       const struct offset_commit_request *request, struct str topic,
		       const struct offset_commit_request_topics_partitions *p)
{
	struct commits *s = c->state;
	struct commit *m = commit_of(c, history_cluster(c->history, &x->conn), request, topic,
				     p->partition_index);

	if (!m)
		return;
	s->judged++;
	if (x->request_us < m->time_us)
		return;
	if (p->committed_offset < 0 || (p->committed_offset < m->offset &&
					!may_go_back(c, m, x->header.client_id, x->response_us)))
		note_back(c, m, p->committed_offset, x->request_us);
	m->offset = p->committed_offset;
	m->time_us = x->request_us;
}

/* Whether the answer took this partition's commit. */
static bool committed(const struct offset_commit_response *response, int32_t topic,
		      int32_t partition)
{
	return topic < response->topics_count &&
	       partition < response->topics[topic].partitions_count &&
	       !response->topics[topic].partitions[partition].error_code;
}

static void feed_u4(struct check *c, const struct event *ev)
{
	const struct offset_commit_request *request;
	const struct offset_commit_response *response;

	if (ev->kind != EVENT_EXCHANGE || ev->exchange->header.api_key != API_OFFSET_COMMIT)
		return;
	request = exchange_request(ev->exchange);
	response = exchange_response(ev->exchange);
	if (!request || !response || request->generation_id_or_member_epoch < 0)
		return;
	if (c->history->of_a_run) /* else nobody tells what it was given */
		note_committer(c, ev->exchange->header.client_id, request->group_id);
	for (int32_t i = 0; i < request->topics_count; i++)
		for (int32_t k = 0; k < request->topics[i].partitions_count; k++)
			if (request->topics[i].name.len && committed(response, i, k))
				commit_one(c, ev->exchange, request, request->topics[i].name,
					   &request->topics[i].partitions[k]);
}

static bool is_committer(const struct check *c, struct str client, struct str group)
{
	const struct commits *s = c->state;
	const struct committer *k = s->committers;

	while (k && !(str_eq(k->client, client) && str_eq(k->group, group)))
		k = k->next;
	return k != NULL;
}

/* The highest offset of a partition that a subject who commits for that group was given; -1 if
 * none, -2 if one that reads it was cut off. */
static int64_t delivered(const struct check *c, const struct commit *m)
{
	int64_t highest = -1;

	for (struct history_subject *s = c->history->subjects; s; s = s->next) {
		if (!is_committer(c, s->name, m->group))
			continue;
		for (size_t i = 0; i < s->reads_count; i++) {
			const struct history_read *r = &s->reads[i];

			if (r->partition != m->partition || !str_eq(r->topic, m->topic))
				continue;
			if (!s->ended)
				return -2;
			highest = r->offset > highest ? r->offset : highest;
		}
	}
	return highest;
}

static uint64_t judge_beyond(struct check *c, struct finding *f)
{
	struct commits *s = c->state;
	const struct history_record *ahead;
	uint64_t beyond = 0;

	for (struct commit *m = s->by_key; m; m = m->hh.next) {
		struct history_partition *p = history_partition(c->history, m->topic, m->partition);
		int64_t last = p ? delivered(c, m) : -1;

		if (last < 0 || m->offset <= last + 1)
			continue;
		ahead = skipped_between(p, last + 1, m->offset);
		if (!ahead || beyond++)
			continue;
		finding_moment(f, m->time_us, "OffsetCommit of " STR_FMT "-%d offset %lld",
			       STR_ARG(m->topic), m->partition, (long long)m->offset);
		finding_set(f, FINDING_FAIL,
			    STR_FMT "-%d: offset %lld was committed, but %lld (" STR_FMT
				    ") was given to nobody",
			    STR_ARG(m->topic), m->partition, (long long)m->offset,
			    (long long)ahead->offset, STR_ARG(ahead->value));
	}
	return beyond;
}

static void end_u4(struct check *c, struct finding *f)
{
	struct commits *s = c->state;

	f->judged = s->judged;
	if (!s->judged) {
		finding_set(f, FINDING_NOT_APPLICABLE, "no member of a group committed an offset");
		return;
	}
	if (s->back) {
		finding_moment(f, s->moments[0].time_us, STR_FMT, STR_ARG(s->moments[0].text));
		finding_moment(f, s->moments[1].time_us, STR_FMT, STR_ARG(s->moments[1].text));
		finding_set(f, FINDING_FAIL, STR_FMT, STR_ARG(s->first));
	} else if (!judge_beyond(c, f)) {
		finding_set(f, FINDING_PASS, "%llu commits", (unsigned long long)s->judged);
	}
}

static void release_u4(struct check *c)
{
	struct commits *s = c->state;

	HASH_CLEAR(hh, s->by_key);
}

const struct check_type check_u4 = {
	.name = "U4",
	.claim = "within a generation a committed offset never goes back, and never passes what "
		 "was delivered",
	.see = "the consumer's contract; KIP-62",
	.needs = NEEDS_WIRE,
	.universal = true,
	.state_size = sizeof(struct commits),
	.feed = feed_u4,
	.end = end_u4,
	.release = release_u4,
};
