/* Subscriptions by their own text: names, then the expression, each behind a separator that no
 * topic has in its name. */
#include "mock/subscription.h"

#include "mock/mem.h"
#include "mock/pattern.h"
#include "mock/state.h"

#include <stdlib.h>

static void add_topic(struct tp_set *s, const struct topic *t)
{
	for (int32_t i = 0; i < t->partitions_count; i++) {
		struct tp tp;

		memset(&tp, 0, sizeof(tp));
		tp.topic_id = t->id;
		tp.partition = i;
		tp_set_add(s, tp);
	}
}

/* All topics whose whole name the expression matches. */
static void add_matching(struct cluster *c, struct tp_set *s, struct str regex)
{
	struct pattern *p = pattern_new(regex);
	struct topic *t, *next;

	if (!p)
		return;
	HASH_ITER (by_name, c->topics.by_name, t, next)
		if (pattern_matches(p, t->name))
			add_topic(s, t);
	pattern_free(p);
}

static void find_eligible(struct cluster *c, struct subscription *s)
{
	tp_set_clear(&s->eligible);
	for (int32_t i = 0; i < s->topics_count; i++) {
		const struct topic *t = topic_find(c, s->topics[i]);

		if (t)
			add_topic(&s->eligible, t);
	}
	if (s->regex.data)
		add_matching(c, &s->eligible, s->regex);
	tp_set_sort(&s->eligible);
}

static void add_part(struct buf *key, char separator, struct str part)
{
	buf_byte(key, (uint8_t)separator);
	buf_add(key, part.data, (size_t)part.len);
}

struct subscription *subscription_get(struct cluster *c, struct subscription **all,
				      const struct str *topics, int32_t count, struct str regex)
{
	struct subscription *s;
	struct buf key;

	buf_init(&key, INT32_MAX);
	for (int32_t i = 0; i < count; i++)
		add_part(&key, '\n', topics[i]);
	if (regex.len)
		add_part(&key, '\r', regex);
	HASH_FIND(hh, *all, buf_cstr(&key), (unsigned)key.len, s);
	if (!s) {
		s = mem_new(sizeof(*s));
		s->key = mem_str((struct str){buf_cstr(&key), (int32_t)key.len});
		s->topics = mem_new((size_t)count * sizeof(*s->topics));
		s->topics_count = count;
		for (int32_t i = 0; i < count; i++)
			s->topics[i] = mem_str(topics[i]);
		if (regex.len)
			s->regex = mem_str(regex);
		find_eligible(c, s);
		HASH_ADD_KEYPTR(hh, *all, s->key.data, (unsigned)s->key.len, s);
	}
	buf_release(&key);
	s->members++;
	return s;
}

void subscription_put(struct subscription **all, struct subscription *s)
{
	if (!s || --s->members)
		return;
	HASH_DELETE(hh, *all, s);
	for (int32_t i = 0; i < s->topics_count; i++)
		mem_str_free(s->topics[i]);
	free(s->topics);
	mem_str_free(s->regex);
	mem_str_free(s->key);
	tp_set_release(&s->eligible);
	free(s);
}

bool subscriptions_update(struct cluster *c, struct subscription *all)
{
	struct tp_set before = {0};
	bool changed = false;

	for (struct subscription *s = all; s; s = s->hh.next) {
		tp_set_copy(&before, &s->eligible);
		find_eligible(c, s);
		changed |= !tp_set_equal(&before, &s->eligible);
	}
	tp_set_release(&before);
	return changed;
}
