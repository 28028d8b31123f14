/* See rate.h. Times of a key lie in a ring that grows; what left the second goes from its front. */
#include "checks/rate.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define SECOND_US   1000000
#define TIMES_FIRST 4
#define PRUNE_FIRST 1024

struct rate {
	UT_hash_handle hh;
	int64_t *times_us; /* a ring of cap */
	int32_t first, count, cap, tag;
	int64_t newest_us;
	unsigned char key[];
};

static void drop(struct rates *r, struct rate *k)
{
	HASH_DEL(r->by_key, k);
	free(k->times_us);
	free(k);
}

/* A key without anything in the last second tells nothing. */
static void prune(struct rates *r, int64_t now_us)
{
	struct rate *k, *next;

	if (!r->prune_at)
		r->prune_at = PRUNE_FIRST;
	if (HASH_COUNT(r->by_key) < r->prune_at)
		return;
	HASH_ITER (hh, r->by_key, k, next)
		if (now_us - k->newest_us >= SECOND_US)
			drop(r, k);
	r->prune_at = (size_t)HASH_COUNT(r->by_key) * 2;
	if (r->prune_at < PRUNE_FIRST)
		r->prune_at = PRUNE_FIRST;
}

static struct rate *find(const struct rates *r, const void *key, size_t size)
{
	struct rate *k;

	HASH_FIND(hh, r->by_key, key, (unsigned)size, k);
	return k;
}

static struct rate *add(struct rates *r, const void *key, size_t size, int64_t now_us)
{
	struct rate *k;

	prune(r, now_us);
	k = calloc(1, sizeof(*k) + size);
	if (!k)
		abort();
	memcpy(k->key, key, size);
	HASH_ADD_KEYPTR(hh, r->by_key, k->key, (unsigned)size, k);
	return k;
}

static void grow(struct rate *k)
{
	int32_t cap = k->cap ? k->cap * 2 : TIMES_FIRST;
	int64_t *times = malloc((size_t)cap * sizeof(*times));

	if (!times)
		abort();
	for (int32_t i = 0; i < k->count; i++)
		times[i] = k->times_us[(k->first + i) % k->cap];
	free(k->times_us);
	k->times_us = times;
	k->first = 0;
	k->cap = cap;
}

/* What is told late is early, and a clock that was set back leaves times in the future: they are as
 * far away as those of long ago. */
static bool is_near(int64_t time_us, int64_t then_us)
{
	return time_us - then_us < SECOND_US && then_us - time_us < SECOND_US;
}

static void leave_first(struct rate *k)
{
	k->first = (k->first + 1) % k->cap;
	k->count--;
}

int32_t rates_note(struct rates *r, const void *key, size_t size, int32_t tag, int64_t time_us)
{
	struct rate *k = find(r, key, size);
	int32_t n = 0;

	if (!k)
		k = add(r, key, size, time_us);
	if (k->tag != tag)
		k->count = 0;
	k->tag = tag;
	while (k->count && time_us - k->times_us[k->first] >= SECOND_US)
		leave_first(k);
	if (k->count == RATE_MAX)
		leave_first(k);
	if (k->count == k->cap)
		grow(k);
	k->times_us[(k->first + k->count++) % k->cap] = time_us;
	k->newest_us = time_us > k->newest_us ? time_us : k->newest_us;
	for (int32_t i = 0; i < k->count; i++)
		n += is_near(time_us, k->times_us[(k->first + i) % k->cap]);
	return n;
}

void rates_forget(struct rates *r, const void *key, size_t size)
{
	struct rate *k = find(r, key, size);

	if (k)
		drop(r, k);
}

void rates_release(struct rates *r)
{
	struct rate *k, *next;

	HASH_ITER (hh, r->by_key, k, next)
		drop(r, k);
}
