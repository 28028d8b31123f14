/* The three looks. Invariant: a look's timer is set while there is anything that it could find. */
#include "mock/expiry.h"

#include "mock/consumer_group.h"
#include "mock/consumer_protocol.h"
#include "mock/offsets.h"
#include "mock/state.h"
#include "mock/txn_offsets.h"

#define PRODUCERS_CHECK_MS 600000 /* producer.id.expiration.check.interval.ms, which none shows */

/* Looks are counted from the start of the cluster. */
static void arm(struct cluster *c, struct timer *t, int32_t interval_ms,
		void (*on_due)(struct cluster *c, void *owner))
{
	int64_t interval = interval_ms * INT64_C(1000), since = c->now.mono_us - c->started.mono_us;

	t->on_due = on_due;
	if (!t->at)
		timer_set(&c->timers, t, c->started.mono_us + (since / interval + 1) * interval);
}

/* ---- offsets ---- */

/* From when an offset's time runs: since it was committed, or since its group has had no member. */
static int64_t unused_since(const struct group *g, const struct offset_entry *o)
{
	bool left = !g->consumer && g->protocol_type.data && g->state == GROUP_EMPTY;

	return left ? g->state_since_ms : o->committed_ms;
}

static bool is_old(const struct cluster *c, const struct group *g, const struct offset_entry *o)
{
	int64_t now = instant_wall_ms(c->now);

	if (o->expire_ms >= 0)
		return now >= o->expire_ms;
	return now - unused_since(g, o) >=
	       c->config.broker.offsets_retention_minutes * INT64_C(60000);
}

/* While a classic group is between two generations, or of another kind than consumers, its offsets
 * are left alone. */
static bool may_expire(const struct group *g)
{
	return g->consumer || !g->members ||
	       (g->state == GROUP_STABLE && str_is(g->protocol_type, "consumer"));
}

static void expire_offsets(struct cluster *c, struct group *g)
{
	struct offset_entry *o, *next;
	struct arena arena;

	arena_init(&arena, ARENA_EXCHANGE_MAX);
	HASH_ITER (hh, g->offsets, o, next) {
		if (is_old(c, g, o) && !txn_offset_pending(g, o->key.topic_id, o->key.partition) &&
		    !group_subscribes(g, topic_by_id(c, o->key.topic_id), &arena))
			offset_delete(g, o);
		arena_reset(&arena);
	}
	arena_release(&arena);
	if (!g->offsets && !g->txn_offsets && !g->members && !g->pending &&
	    !(g->consumer && g->consumer->members))
		group_free(c, g);
}

static void on_offsets(struct cluster *c, void *owner)
{
	struct group *g, *next;

	(void)owner;
	HASH_ITER (by_id, c->groups.by_id, g, next)
		if (may_expire(g))
			expire_offsets(c, g);
	if (c->groups.by_id)
		expiry_arm_offsets(c);
}

void expiry_arm_offsets(struct cluster *c)
{
	arm(c, &c->expiry.offsets, c->config.broker.offsets_check_ms, on_offsets);
}

/* ---- producers ---- */

static bool expire_producers(struct cluster *c, struct partition *p)
{
	int64_t oldest = instant_wall_ms(c->now) - c->config.broker.producer_id_expiration_ms;

	producers_expire(&p->producers, oldest);
	return p->producers.by_id != NULL;
}

static void on_producers(struct cluster *c, void *owner)
{
	struct topic *t, *next;
	bool any = false;

	(void)owner;
	HASH_ITER (by_name, c->topics.by_name, t, next)
		for (int32_t i = 0; i < t->partitions_count; i++)
			any |= expire_producers(c, t->partitions[i]);
	if (any)
		expiry_arm_producers(c);
}

void expiry_arm_producers(struct cluster *c)
{
	arm(c, &c->expiry.producers, PRODUCERS_CHECK_MS, on_producers);
}

/* ---- transactional ids ---- */

static void on_txns(struct cluster *c, void *owner)
{
	(void)owner;
	txns_expire(c, instant_wall_ms(c->now) - c->config.broker.txn_id_expiration_ms);
	if (c->txns.by_id)
		expiry_arm_txns(c);
}

void expiry_arm_txns(struct cluster *c)
{
	arm(c, &c->expiry.txns, c->config.broker.txn_cleanup_ms, on_txns);
}
