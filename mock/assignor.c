/* Uniform and range over sets of partitions. Pure: members in, targets out. */
#include "mock/assignor.h"

#include "mock/mem.h"

#include <stdlib.h>

assignor_run *assignor_find(struct str name)
{
	if (!name.data || str_is(name, "uniform"))
		return assignor_uniform;
	return str_is(name, "range") ? assignor_range : NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct consumer_member *x = *(struct consumer_member *const *)a;
	const struct consumer_member *y = *(struct consumer_member *const *)b;
	int32_t n = x->id.len < y->id.len ? x->id.len : y->id.len;
	int order = memcmp(x->id.data, y->id.data, (size_t)n);

	return order ? order : x->id.len - y->id.len;
}

static const struct tp_set *eligible(const struct consumer_member *m)
{
	return &m->subscription->eligible;
}

static void all_partitions(struct consumer_member **members, int32_t count, struct tp_set *ret_all)
{
	for (int32_t i = 0; i < count; i++) {
		const struct tp_set *e = eligible(members[i]);

		if (i && tp_set_equal(e, eligible(members[i - 1])))
			continue;
		for (int32_t k = 0; k < e->count; k++)
			tp_set_add(ret_all, e->list[k]);
	}
	tp_set_sort(ret_all);
}

static bool homogeneous(struct consumer_member **members, int32_t count)
{
	for (int32_t i = 1; i < count; i++)
		if (!tp_set_equal(eligible(members[i]), eligible(members[0])))
			return false;
	return true;
}

/* Who has the fewest among those that could have tp. */
static struct consumer_member *least_loaded(struct consumer_member **members, int32_t count,
					    struct tp tp)
{
	struct consumer_member *best = NULL;

	for (int32_t i = 0; i < count; i++)
		if ((!best || members[i]->target.count < best->target.count) &&
		    tp_set_has(eligible(members[i]), tp))
			best = members[i];
	return best;
}

/* Keeps of each member's target what it may have, at most quota (and one more for the first
 * `extra` members that have it); notes in taken what is kept. */
static void keep(struct consumer_member **members, int32_t count, int32_t quota, int32_t extra,
		 struct tp_set *taken)
{
	for (int32_t i = 0; i < count; i++) {
		struct tp_set *t = &members[i]->target;
		int32_t kept = 0, most = quota;

		if (extra > 0 && t->count > quota && quota != INT32_MAX) {
			most++;
			extra--;
		}
		for (int32_t k = 0; k < t->count && kept < most; k++) {
			if (!tp_set_has(eligible(members[i]), t->list[k]))
				continue;
			t->list[kept++] = t->list[k];
			tp_set_add(taken, t->list[kept - 1]);
		}
		t->count = kept;
	}
	tp_set_sort(taken);
}

/* Equal subscriptions: quotas decide, in linear time. */
static void spread_evenly(struct consumer_member **members, int32_t count,
			  const struct tp_set *unassigned, int32_t quota, int32_t extra)
{
	int32_t next = 0;

	for (int32_t i = 0; i < count; i++)
		extra -= members[i]->target.count > quota;
	for (int32_t i = 0; i < count; i++) {
		struct tp_set *t = &members[i]->target;
		int32_t most = quota;

		if (t->count <= quota && extra > 0) {
			most++;
			extra--;
		}
		while (t->count < most && next < unassigned->count)
			tp_set_add(t, unassigned->list[next++]);
	}
}

static void remove_tp(struct tp_set *s, int32_t index)
{
	memmove(&s->list[index], &s->list[index + 1],
		(size_t)(s->count - index - 1) * sizeof(s->list[0]));
	s->count--;
}

/* Moves what m has more than two others would even out; true if anything moved. */
static bool give_away(struct consumer_member **members, int32_t count, struct consumer_member *m)
{
	struct tp_set *t = &m->target;
	bool moved = false;

	for (int32_t k = t->count - 1; k >= 0; k--) {
		struct consumer_member *to = least_loaded(members, count, t->list[k]);

		if (!to || to->target.count + 1 >= t->count)
			continue;
		tp_set_add(&to->target, t->list[k]);
		remove_tp(t, k);
		moved = true;
	}
	return moved;
}

/* Unequal subscriptions: fill the least loaded, then move single partitions while that evens out.
 */
static void balance(struct consumer_member **members, int32_t count,
		    const struct tp_set *unassigned)
{
	bool moved = true;

	for (int32_t i = 0; i < unassigned->count; i++) {
		struct consumer_member *m = least_loaded(members, count, unassigned->list[i]);

		if (m)
			tp_set_add(&m->target, unassigned->list[i]);
	}
	while (moved) {
		moved = false;
		for (int32_t i = 0; i < count; i++)
			moved |= give_away(members, count, members[i]);
	}
}

void assignor_uniform(struct consumer_member **members, int32_t count)
{
	struct tp_set all = {0}, taken = {0}, unassigned = {0};
	bool same = homogeneous(members, count);
	int32_t quota, extra;

	if (!count)
		return;
	qsort(members, (size_t)count, sizeof(members[0]), by_id);
	all_partitions(members, count, &all);
	quota = all.count / count;
	extra = all.count % count;
	keep(members, count, same ? quota : INT32_MAX, extra, &taken);
	tp_set_minus(&unassigned, &all, &taken);
	if (same)
		spread_evenly(members, count, &unassigned, quota, extra);
	else
		balance(members, count, &unassigned);
	for (int32_t i = 0; i < count; i++)
		tp_set_sort(&members[i]->target);
	tp_set_release(&all);
	tp_set_release(&taken);
	tp_set_release(&unassigned);
}

/* One topic's partitions [from, to) of all, in runs over the members that subscribe to it. */
static void range_topic(struct consumer_member **members, int32_t count, const struct tp *from,
			int32_t partitions)
{
	int32_t subscribers = 0, seen = 0;

	for (int32_t i = 0; i < count; i++)
		subscribers += tp_set_has(eligible(members[i]), from[0]);
	for (int32_t i = 0; i < count; i++) {
		int32_t first, end;

		if (!tp_set_has(eligible(members[i]), from[0]))
			continue;
		first = seen * (partitions / subscribers) +
			(seen < partitions % subscribers ? seen : partitions % subscribers);
		end = first + partitions / subscribers + (seen < partitions % subscribers);
		for (int32_t k = first; k < end; k++)
			tp_set_add(&members[i]->target, from[k]);
		seen++;
	}
}

void assignor_range(struct consumer_member **members, int32_t count)
{
	struct tp_set all = {0};

	qsort(members, (size_t)count, sizeof(members[0]), by_id);
	all_partitions(members, count, &all);
	for (int32_t i = 0; i < count; i++)
		tp_set_clear(&members[i]->target);
	for (int32_t from = 0, to; from < all.count; from = to) {
		to = from;
		while (to < all.count && uuid_eq(all.list[to].topic_id, all.list[from].topic_id))
			to++;
		range_topic(members, count, &all.list[from], to - from);
	}
	for (int32_t i = 0; i < count; i++)
		tp_set_sort(&members[i]->target);
	tp_set_release(&all);
}
