/* Short lists are searched from the start, long ones by an open hash, so that neither a small
 * request pays for a table nor a large one for comparing all with all. */
#include "mock/asked.h"

#include "base/rand.h"

#include <assert.h>

#define SHORT_LIST 16

void asked_init(struct asked_list *list, struct call *call, int32_t max)
{
	uint32_t slots = 64;

	*list = (struct asked_list){.items = CALL_ARRAY(call, struct asked, max), .max = max};
	if (max <= SHORT_LIST)
		return;
	while (slots < 2 * (uint32_t)max)
		slots *= 2;
	list->slots = CALL_ARRAY(call, int32_t, slots);
	list->mask = slots - 1;
}

static bool same_topic(const struct asked *a, const struct asked *b)
{
	return str_eq(a->topic, b->topic) && uuid_eq(a->topic_id, b->topic_id);
}

static bool same(const struct asked *a, const struct asked *b)
{
	return a->partition == b->partition && same_topic(a, b);
}

static uint32_t hash(const struct asked *a)
{
	uint64_t h = hash_u64(0, (uint64_t)(uint32_t)a->partition);

	if (a->topic.data && a->topic.len)
		return (uint32_t)hash_bytes(h, a->topic.data, (size_t)a->topic.len);
	return (uint32_t)hash_bytes(h, a->topic_id.b, sizeof(a->topic_id.b));
}

/* The entry like this one, or NULL with the free slot for it. */
static struct asked *find(const struct asked_list *list, const struct asked *like,
			  uint32_t *ret_slot)
{
	if (!list->slots) {
		for (int32_t i = 0; i < list->count; i++)
			if (same(&list->items[i], like))
				return &list->items[i];
		return NULL;
	}
	for (uint32_t slot = hash(like) & list->mask;; slot = (slot + 1) & list->mask) {
		*ret_slot = slot;
		if (!list->slots[slot])
			return NULL;
		if (same(&list->items[list->slots[slot] - 1], like))
			return &list->items[list->slots[slot] - 1];
	}
}

struct asked *asked_add(struct asked_list *list, struct str topic, struct uuid topic_id,
			int32_t partition, int32_t topic_at, int32_t at)
{
	struct asked new = {topic, topic_id, partition, 0, topic_at, at, false};
	uint32_t slot = 0;
	struct asked *old = find(list, &new, &slot);

	if (old) {
		old->topic_at = topic_at;
		old->at = at;
		old->twice = true;
		return old;
	}
	assert(list->count < list->max);
	list->items[list->count++] = new;
	if (list->slots)
		list->slots[slot] = list->count;
	return &list->items[list->count - 1];
}

struct asked_topic *asked_by_topic(struct asked_list *list, struct call *call, int32_t *ret_count)
{
	struct asked_topic *topics = CALL_ARRAY(call, struct asked_topic, list->count);
	struct asked_list names;

	asked_init(&names, call, list->count);
	for (int32_t i = 0; i < list->count; i++) {
		struct asked *a = &list->items[i];
		const struct asked *name =
			i > 0 && same_topic(a, a - 1)
				? &names.items[a[-1].group]
				: asked_add(&names, a->topic, a->topic_id, -1, 0, 0);

		a->group = (int32_t)(name - names.items);
		topics[a->group].name = a->topic;
		topics[a->group].id = a->topic_id;
		topics[a->group].count++;
	}
	*ret_count = names.count;
	return topics;
}
