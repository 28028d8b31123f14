/* Sorted arrays: sets here are small or are walked whole. */
#include "mock/tp_set.h"

#include "mock/mem.h"

#include <stdlib.h>

int tp_compare(const struct tp *a, const struct tp *b)
{
	int order = memcmp(a->topic_id.b, b->topic_id.b, sizeof(a->topic_id.b));

	return order ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static int compare(const void *a, const void *b)
{
	return tp_compare(a, b);
}

void tp_set_release(struct tp_set *s)
{
	free(s->list);
	*s = (struct tp_set){0};
}

void tp_set_clear(struct tp_set *s)
{
	s->count = 0;
}

void tp_set_add(struct tp_set *s, struct tp tp)
{
	s->list = mem_grow(s->list, &s->cap, (size_t)s->count + 1, sizeof(s->list[0]));
	s->list[s->count++] = tp;
}

void tp_set_sort(struct tp_set *s)
{
	int32_t kept = 0;

	if (s->count)
		qsort(s->list, (size_t)s->count, sizeof(s->list[0]), compare);
	for (int32_t i = 0; i < s->count; i++)
		if (!kept || tp_compare(&s->list[kept - 1], &s->list[i]))
			s->list[kept++] = s->list[i];
	s->count = kept;
}

bool tp_set_has(const struct tp_set *s, struct tp tp)
{
	return s->count && bsearch(&tp, s->list, (size_t)s->count, sizeof(tp), compare);
}

bool tp_set_equal(const struct tp_set *a, const struct tp_set *b)
{
	return a == b ||
	       (a->count == b->count &&
		(!a->count || !memcmp(a->list, b->list, (size_t)a->count * sizeof(a->list[0]))));
}

void tp_set_copy(struct tp_set *to, const struct tp_set *from)
{
	tp_set_clear(to);
	for (int32_t i = 0; i < from->count; i++)
		tp_set_add(to, from->list[i]);
}

static void select_from(struct tp_set *to, const struct tp_set *a, const struct tp_set *b, bool in)
{
	tp_set_clear(to);
	for (int32_t i = 0; i < a->count; i++)
		if (tp_set_has(b, a->list[i]) == in)
			tp_set_add(to, a->list[i]);
}

void tp_set_intersect(struct tp_set *to, const struct tp_set *a, const struct tp_set *b)
{
	select_from(to, a, b, true);
}

void tp_set_minus(struct tp_set *to, const struct tp_set *a, const struct tp_set *b)
{
	select_from(to, a, b, false);
}

bool tp_set_overlaps(const struct tp_set *a, const struct tp_set *b)
{
	for (int32_t i = 0; i < a->count; i++)
		if (tp_set_has(b, a->list[i]))
			return true;
	return false;
}
