/* What happened to a group from one generation to the next, as text: what began it, who came, went
 * and stayed and why, how long it took, which partitions moved. Reads the group's state as groups.c
 * left it; owns nothing. */
#include "decoder/life.h"

#include "base/clock.h"
#include "decoder/text.h"
#include "protocol/kafka_error.h"

#include <stdarg.h>
#include <stdio.h>

#define SILENCES  3 /* heartbeats that a member of KIP-848 may miss before it counts as gone */
#define SECOND_US 1000000

/* The least of what may have begun a generation. */
struct cause {
	int64_t time_us;
	char text[400];
};

static void put_label(struct life *g, const char *label)
{
	buf_printf(&g->text, "    %-10s", label);
}

static void put_seconds(struct buf *out, int64_t us)
{
	buf_printf(out, "%.3f s", (double)(us > 0 ? us : 0) / SECOND_US);
}

/* ---- causes ---- */

static void consider(struct cause *c, int64_t time_us, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void consider(struct cause *c, int64_t time_us, const char *fmt, ...)
{
	va_list args;

	if (!time_us || (c->time_us && c->time_us <= time_us))
		return;
	c->time_us = time_us;
	va_start(args, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, args);
	va_end(args);
}

static bool silent_too_long(const struct life_member *m, int64_t time_us)
{
	int64_t pause_us = time_us - m->contact_us;

	if (m->session_ms)
		return pause_us >= (int64_t)m->session_ms * 1000;
	return m->interval_ms && pause_us > (int64_t)m->interval_ms * 1000 * SILENCES;
}

/* A member that asked again although nobody had told it to. */
static bool asked_by_itself(const struct life_member *m)
{
	return m->was_in && m->in && m->asked_us && !m->told;
}

static void consider_member(const struct life *g, const struct life_member *m, struct cause *c)
{
	int64_t over_us = m->contact_us + (int64_t)m->session_ms * 1000;

	if (m->in && !m->was_in)
		consider(c, m->asked_us, "m%d joined", m->number);
	else if (m->was_in && !m->in && m->left_us)
		consider(c, m->left_us, "m%d left", m->number);
	else if (m->was_in && !m->in && m->seen && silent_too_long(m, g->now.began_us))
		consider(c, m->session_ms ? over_us : g->now.began_us, "m%d was not heard any more",
			 m->number);
	else if (asked_by_itself(m))
		consider(c, m->asked_us, "m%d joined again by itself%s%s%s%s", m->number,
			 m->subscription_changed ? ", with another subscription" : "",
			 m->gave_up ? ", having given up partitions" : "", m->reason[0] ? ": " : "",
			 m->reason);
}

static bool grew(const struct life_topic *t)
{
	return t->before >= 0 && t->shown != t->before;
}

static void find_cause(struct life *g, struct cause *c)
{
	for (struct life_topic *t = g->topics; t; t = t->hh.next)
		if (grew(t))
			consider(c, t->shown_us, "the partitions of %.200s changed", t->name);
	for (struct life_member *m = g->members; m; m = m->hh.next)
		consider_member(g, m, c);
}

/* ---- members ---- */

static void put_who(struct life *g, const char *label, const struct life_member *m)
{
	put_label(g, label);
	buf_printf(&g->text, "m%d", m->number);
}

static void put_joined(struct life *g, const struct life_member *m)
{
	put_who(g, "joined", m);
	if (!m->seen)
		buf_text(&g->text, ", which is not in this capture");
	if (m->reason[0])
		buf_printf(&g->text, ": %s", m->reason);
	buf_byte(&g->text, '\n');
}

static void put_left(struct life *g, const struct life_member *m)
{
	int64_t pause_us = g->now.began_us - m->contact_us;

	put_who(g, "left", m);
	if (m->left_us)
		buf_printf(&g->text, ": %s", m->left_why);
	else if (!m->seen)
		buf_text(&g->text, ", which is not in this capture: why is not known");
	else if (silent_too_long(m, g->now.began_us) && m->session_ms)
		buf_printf(&g->text,
			   ": not heard for %.3f s, longer than its session time-out of %.3f s",
			   (double)pause_us / SECOND_US, m->session_ms / 1000.0);
	else if (silent_too_long(m, g->now.began_us))
		buf_printf(&g->text, ": not heard for %.3f s, and every %.3f s it should be",
			   (double)pause_us / SECOND_US, m->interval_ms / 1000.0);
	else if (m->rebalance_ms &&
		 g->now.settled_us - g->now.began_us >= (int64_t)m->rebalance_ms * 1000)
		buf_printf(&g->text, ": did not join again within its rebalance time-out of %.3f s",
			   m->rebalance_ms / 1000.0);
	else
		buf_printf(&g->text,
			   " without a LeaveGroup in this capture, last heard %.3f s before",
			   (double)(pause_us > 0 ? pause_us : 0) / SECOND_US);
	buf_byte(&g->text, '\n');
}

static void put_rejoined(struct life *g, const struct life_member *m)
{
	put_who(g, "rejoined", m);
	buf_text(&g->text, m->told ? ", told by the broker" : ", by itself");
	if (m->subscription_changed)
		buf_printf(&g->text, ", now subscribed to %s", m->topics);
	if (m->gave_up)
		buf_text(&g->text, ", having given up partitions");
	if (m->reason[0])
		buf_printf(&g->text, ": %s", m->reason);
	buf_byte(&g->text, '\n');
}

static void put_members(struct life *g)
{
	struct life_member *m;

	for (m = g->members; m; m = m->hh.next)
		if (m->in && !m->was_in)
			put_joined(g, m);
	for (m = g->members; m; m = m->hh.next)
		if (!m->in && m->was_in)
			put_left(g, m);
	for (m = g->members; m; m = m->hh.next)
		if (m->in && m->was_in && m->asked_us)
			put_rejoined(g, m);
}

/* ---- partitions ---- */

struct move {
	const struct life_member *from, *to;
};

static bool is_move(const struct life_partition *p, const void *context)
{
	const struct move *move = context;

	return p->before == move->from && p->owner == move->to;
}

static void put_move(struct life *g, const struct life_member *from, const struct life_member *to)
{
	struct move move = {from, to};

	put_label(g, !from ? "given" : !to ? "given up" : "moved");
	if (from)
		buf_printf(&g->text, "m%d", from->number);
	if (to)
		buf_printf(&g->text, "%sm%d", from ? " > " : "", to->number);
	buf_byte(&g->text, ':');
	life_put_partitions(&g->text, g, is_move, &move);
	buf_byte(&g->text, '\n');
}

/* Each pair of old and new owner once, where it first occurs. */
static void put_moves(struct life *g)
{
	struct life_partition *p, *earlier;

	for (p = g->partitions; p; p = p->hh.next) {
		if (p->owner == p->before)
			continue;
		for (earlier = g->partitions; earlier != p; earlier = earlier->hh.next)
			if (earlier->owner == p->owner && earlier->before == p->before)
				break;
		if (earlier == p)
			put_move(g, p->before, p->owner);
	}
}

static bool is_owned(const struct life_partition *p, const void *context)
{
	return p->owner == context;
}

static void put_owned(struct life *g)
{
	for (struct life_member *m = g->members; m; m = m->hh.next) {
		if (!m->in || !m->seen || (g->now.met && !g->now.settled_us))
			continue;
		put_who(g, "owns", m);
		buf_byte(&g->text, ':');
		life_put_partitions(&g->text, g, is_owned, m);
		buf_byte(&g->text, '\n');
	}
}

/* ---- a generation ---- */

static void put_topics(struct life *g)
{
	for (struct life_topic *t = g->topics; t; t = t->hh.next) {
		if (!grew(t))
			continue;
		put_label(g, "metadata");
		text_put(&g->text, str_of(t->name), 200);
		buf_printf(&g->text, " has %d partitions in place of %d\n", t->shown, t->before);
	}
}

static void put_time(struct buf *out, int64_t time_us)
{
	char text[RFC3339_SIZE];

	clock_rfc3339(time_us, text);
	buf_text(out, text);
}

static void put_head(struct life *g, const struct cause *c, int64_t from_us)
{
	const struct life_generation *now = &g->now;

	buf_printf(&g->text, "  %s %d  ", g->consumer_protocol ? "epoch" : "generation", now->id);
	put_time(&g->text, from_us);
	if (now->settled_us) {
		buf_text(&g->text, "  took ");
		put_seconds(&g->text, now->settled_us - from_us);
	} else {
		buf_text(&g->text, now->met ? "  since before the capture" : "  did not settle");
	}
	if (now->protocol[0])
		buf_printf(&g->text, "  %s", now->protocol);
	if (now->leader)
		buf_printf(&g->text, ", leader m%d", now->leader->number);
	buf_byte(&g->text, '\n');
	if (c->text[0]) {
		put_label(g, "because");
		buf_text(&g->text, c->text);
		buf_byte(&g->text, '\n');
	}
}

/* How it went on: told with the next generation, whose beginning is its end. */
static void note_rest(struct life *g)
{
	const struct life_generation *now = &g->now;
	const struct life_member *slowest = NULL;
	char pause[80] = "", refused[80] = "";

	for (struct life_member *m = g->members; m; m = m->hh.next)
		if (m->in && (!slowest || m->longest_us > slowest->longest_us))
			slowest = m;
	if (slowest && slowest->longest_us)
		snprintf(pause, sizeof(pause), " (longest pause %.3f s, m%d)",
			 (double)slowest->longest_us / SECOND_US, slowest->number);
	if (now->refused)
		snprintf(refused, sizeof(refused), ", %llu partitions refused, first %s",
			 (unsigned long long)now->refused, kafka_error_name(now->refused_code));
	snprintf(g->rest, sizeof(g->rest), "%llu heartbeats%s, %llu commits%s",
		 (unsigned long long)now->heartbeats, pause, (unsigned long long)now->commits,
		 refused);
	g->rest_us = now->settled_us ? now->settled_us : now->began_us;
}

static void put_rest(struct life *g, int64_t until_us)
{
	if (!g->rest[0])
		return;
	put_label(g, "then");
	put_seconds(&g->text, until_us - g->rest_us);
	buf_printf(&g->text, ", %s\n", g->rest);
}

/* Without the leader's list nothing is known of those who are not in the capture: they stay. */
static void keep_unseen(struct life *g)
{
	for (struct life_member *m = g->members; m; m = m->hh.next)
		if (m->was_in && !m->seen)
			m->in = true;
}

static void tell(struct life *g)
{
	struct cause c = {0};
	int64_t from_us = g->now.began_us;
	size_t before = g->text.cap;

	if (g->text.len >= LIFE_TEXT_MAX || g->full) {
		g->left_out++;
		return;
	}
	life_sort(g);
	if (!g->now.whole && !g->consumer_protocol)
		keep_unseen(g);
	if (!g->now.met)
		find_cause(g, &c);
	if (c.time_us && c.time_us < from_us)
		from_us = c.time_us;
	put_rest(g, from_us);
	put_head(g, &c, from_us);
	put_topics(g);
	put_members(g);
	put_moves(g);
	put_owned(g);
	note_rest(g);
	g->full = !life_take(g, g->text.cap - before);
}

/* What was said about the last generation is of no use for the next one. */
static void forget(struct life *g, bool keep_owners)
{
	for (struct life_member *m = g->members; m; m = m->hh.next) {
		m->was_in = m->in;
		m->in = false;
		m->longest_us = 0;
		m->subscription_changed = m->gave_up = false;
		m->asked_us = 0;
		m->reason[0] = '\0';
	}
	for (struct life_partition *p = g->partitions; p; p = p->hh.next) {
		p->before = p->owner;
		if (!keep_owners)
			p->owner = NULL;
	}
	for (struct life_topic *t = g->topics; t; t = t->hh.next) {
		t->before = t->shown;
		t->shown = t->partitions;
		t->shown_us = t->changed_us;
	}
}

/* With KIP-848 nobody joins again: who neither left nor fell silent stays. */
static void keep_members(struct life *g, int64_t time_us)
{
	for (struct life_member *m = g->members; m; m = m->hh.next)
		if (m->was_in && !m->left_us && !silent_too_long(m, time_us))
			m->in = true;
}

void life_begin(struct life *g, int32_t generation, int64_t time_us)
{
	if (g->now.id == generation)
		return;
	if (g->now.id >= 0)
		tell(g);
	forget(g, g->consumer_protocol);
	g->generations++;
	g->now = (struct life_generation){.id = generation, .began_us = time_us};
	if (g->consumer_protocol)
		keep_members(g, time_us);
}

void life_met(struct life *g, struct life_member *m, int32_t generation, int64_t time_us)
{
	if (g->now.id < 0 || (g->consumer_protocol && generation > g->now.id)) {
		life_begin(g, generation, time_us);
		g->now.met = g->generations == 1;
	}
	if (generation == g->now.id && !m->in)
		m->in = m->was_in = true;
}

/* Who went without a generation that says so. */
static void put_late(struct life *g)
{
	for (struct life_member *m = g->members; m; m = m->hh.next) {
		if (!m->in || !m->left_us)
			continue;
		put_who(g, "left", m);
		buf_printf(&g->text, ": %s\n", m->left_why);
	}
}

void life_end(struct life *g)
{
	if (g->now.id >= 0)
		tell(g);
	put_rest(g, g->last_us);
	put_late(g);
	life_sort(g);
}
