/* Members and partitions in hashes, in order of appearance. Owns its texts.
 *
 * Invariants: a member that was in a generation stays known; `in` is true of those that the
 * generation at hand has, `was_in` of those of the one before. What a generation was about is told
 * when the next one begins, as only then all that belongs to it has been seen. */
#include "decoder/life.h"

#include "decoder/text.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MAX 40 /* ranges of partitions in one line */

bool life_take(struct life *g, size_t n)
{
	if (!room_take(g->room, n))
		return false;
	g->size += n;
	return true;
}

struct life *life_new(struct str id, struct room *room)
{
	size_t size = sizeof(struct life) + (size_t)id.len + ROOM_OVERHEAD;
	struct life *g;

	if (!room_take(room, size))
		return NULL;
	g = calloc(1, sizeof(*g));
	if (!g)
		abort();
	g->room = room;
	g->size = size;
	g->id = str_copy(id);
	text_copy(g->name, sizeof(g->name), id);
	g->now.id = -1;
	buf_init(&g->text, 2 * LIFE_TEXT_MAX);
	return g;
}

void life_free(struct life *g)
{
	struct life_member *m, *next_member;
	struct life_partition *p, *next_partition;
	struct life_topic *t, *next_topic;

	if (!g)
		return;
	HASH_ITER (hh, g->members, m, next_member) {
		HASH_DELETE(hh, g->members, m);
		free(m->id);
		free(m);
	}
	HASH_ITER (hh, g->partitions, p, next_partition) {
		HASH_DELETE(hh, g->partitions, p);
		free(p->place);
		free(p);
	}
	HASH_ITER (hh, g->topics, t, next_topic) {
		HASH_DELETE(hh, g->topics, t);
		free(t->name);
		free(t);
	}
	buf_release(&g->text);
	room_give(g->room, g->size);
	free(g->id);
	free(g);
}

struct life_member *life_member(struct life *g, struct str id)
{
	struct life_member *m;

	if (!id.data || !id.len)
		return NULL;
	HASH_FIND(hh, g->members, id.data, (unsigned)id.len, m);
	if (m || HASH_COUNT(g->members) >= LIFE_MEMBERS_MAX ||
	    !life_take(g, sizeof(*m) + (size_t)id.len + ROOM_OVERHEAD))
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->id = str_copy(id);
	m->number = (int)HASH_COUNT(g->members) + 1;
	text_copy(m->name, sizeof(m->name), id);
	HASH_ADD_KEYPTR(hh, g->members, m->id, (unsigned)id.len, m);
	return m;
}

void life_contact(struct life_member *m, int64_t time_us)
{
	if (m->contact_us && m->in && time_us - m->contact_us > m->longest_us)
		m->longest_us = time_us - m->contact_us;
	if (time_us > m->contact_us)
		m->contact_us = time_us;
}

struct life_partition *life_partition(struct life *g, const char *place)
{
	struct life_partition *p;
	const char *dash = strrchr(place, '-');

	HASH_FIND_STR(g->partitions, place, p);
	if (p || HASH_COUNT(g->partitions) >= LIFE_PARTITIONS_MAX ||
	    !life_take(g, sizeof(*p) + strlen(place) + ROOM_OVERHEAD))
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	*p = (struct life_partition){.topic_len = (int)(dash - place),
				     .partition = (int32_t)strtol(dash + 1, NULL, 10),
				     .committed = -1,
				     .lag_most = -1};
	p->place = strdup(place);
	if (!p->place)
		abort();
	HASH_ADD_KEYPTR(hh, g->partitions, p->place, strlen(p->place), p);
	return p;
}

void life_disown(struct life *g, const struct life_member *m)
{
	for (struct life_partition *p = g->partitions; p; p = p->hh.next)
		if (p->owner == m)
			p->owner = NULL;
}

void life_subscribes(struct life *g, struct str topic, int32_t partitions)
{
	struct life_topic *t;

	HASH_FIND(hh, g->topics, topic.data, (unsigned)topic.len, t);
	if (t || HASH_COUNT(g->topics) >= LIFE_PARTITIONS_MAX ||
	    !life_take(g, sizeof(*t) + (size_t)topic.len + ROOM_OVERHEAD))
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->name = str_copy(topic);
	t->partitions = t->shown = t->before = partitions;
	HASH_ADD_KEYPTR(hh, g->topics, t->name, (unsigned)topic.len, t);
}

/* ---- partitions in a line ---- */

static int by_place(const struct life_partition *a, const struct life_partition *b)
{
	int least = a->topic_len < b->topic_len ? a->topic_len : b->topic_len;
	int order = memcmp(a->place, b->place, (size_t)least);

	if (order || a->topic_len != b->topic_len)
		return order ? order : a->topic_len - b->topic_len;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

void life_sort(struct life *g)
{
	HASH_SRT(hh, g->partitions, by_place);
}

static bool follows(const struct life_partition *a, const struct life_partition *b)
{
	return a->partition + 1 == b->partition && a->topic_len == b->topic_len &&
	       !memcmp(a->place, b->place, (size_t)a->topic_len);
}

static void put_range(struct buf *out, const struct life_partition *from,
		      const struct life_partition *to)
{
	buf_byte(out, ' ');
	text_put(out, str_of(from->place), 300);
	if (from != to)
		buf_printf(out, "..%d", to->partition);
}

void life_put_partitions(struct buf *out, const struct life *g,
			 bool (*want)(const struct life_partition *p, const void *context),
			 const void *context)
{
	const struct life_partition *from = NULL, *to = NULL;
	int ranges = 0;

	for (const struct life_partition *p = g->partitions;; p = p->hh.next) {
		if (p && !want(p, context))
			continue;
		if (p && to && follows(to, p)) {
			to = p;
			continue;
		}
		if (from && ++ranges <= SHOWN_MAX)
			put_range(out, from, to);
		from = to = p;
		if (!p)
			break;
	}
	if (ranges > SHOWN_MAX)
		buf_printf(out, " and %d more ranges", ranges - SHOWN_MAX);
}
