/* Leadership. Invariants: the leader is a live member of the ISR, or -1; the ISR is never empty;
 * the epoch grows with every change of leader. */
#include "mock/leadership.h"

#include "base/json.h"
#include "mock/mem.h"
#include "mock/reassignment.h"
#include "mock/state.h"

#include <stdlib.h>

static bool in_list(const int32_t *nodes, int32_t count, int32_t node_id)
{
	for (int32_t i = 0; i < count; i++)
		if (nodes[i] == node_id)
			return true;
	return false;
}

static void emit_moved(struct cluster *c, const struct partition *p)
{
	struct json j;

	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_str(&j, "topic", p->topic->name);
	json_key_int(&j, "partition", p->index);
	json_key_int(&j, "leader", p->leader);
	json_key_int(&j, "leaderEpoch", p->leader_epoch);
	json_key(&j, "isr");
	json_open(&j, '[');
	for (int32_t i = 0; i < p->isr_count; i++)
		json_int(&j, p->isr[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	cluster_event(c, "leader-moved", &c->scratch);
}

void leader_set(struct cluster *c, struct partition *p, int32_t node_id)
{
	p->leader = node_id;
	p->leader_epoch++;
	log_start_epoch(&p->log, p->leader_epoch);
	emit_moved(c, p);
	waitlist_wake(c, &p->waiters);
	if (node_id >= 0)
		txns_push(c);
}

static void note_behind(struct partition *p, int32_t node_id)
{
	struct partition_behind *b = mem_new(sizeof(*b));

	*b = (struct partition_behind){node_id, p->log.end, p->behind};
	p->behind = b;
}

static void forget_behind(struct partition *p, int32_t node_id)
{
	struct partition_behind **link = &p->behind, *b;

	while ((b = *link)) {
		if (b->node_id != node_id) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		free(b);
	}
}

void leadership_forget(struct partition *p)
{
	while (p->behind)
		forget_behind(p, p->behind->node_id);
}

static void leave_isr(struct partition *p, int32_t node_id)
{
	int32_t n = 0;

	if (p->isr_count == 1 || !in_list(p->isr, p->isr_count, node_id))
		return;
	note_behind(p, node_id);
	for (int32_t i = 0; i < p->isr_count; i++)
		if (p->isr[i] != node_id)
			p->isr[n++] = p->isr[i];
	p->isr_count = n;
}

/* The first live replica of the ISR, in the order of the replicas; -1 if none is up. */
static int32_t candidate(const struct cluster *c, const struct partition *p)
{
	for (int32_t i = 0; i < p->replicas_count; i++)
		if (in_list(p->isr, p->isr_count, p->replicas[i]) &&
		    cluster_broker(c, p->replicas[i])->alive)
			return p->replicas[i];
	return -1;
}

typedef void partition_visit(struct cluster *c, struct partition *p, int32_t node_id);

static void each_partition(struct cluster *c, partition_visit *visit, int32_t node_id)
{
	struct topic *t, *next;

	HASH_ITER (by_name, c->topics.by_name, t, next)
		for (int32_t i = 0; i < t->partitions_count; i++)
			visit(c, t->partitions[i], node_id);
}

static void join_isr(struct partition *p, int32_t node_id)
{
	if (in_list(p->replicas, p->replicas_count, node_id) &&
	    !in_list(p->isr, p->isr_count, node_id)) {
		p->isr[p->isr_count++] = node_id;
		forget_behind(p, node_id);
	}
}

/* Replicas that are up catch up at once. */
static void join_live(const struct cluster *c, struct partition *p)
{
	for (int32_t i = 0; i < p->replicas_count; i++)
		if (cluster_broker(c, p->replicas[i])->alive)
			join_isr(p, p->replicas[i]);
}

/* Without a leader, and where losing records is allowed, any live replica will do. */
static void elect_unclean(struct cluster *c, struct partition *p)
{
	for (int32_t i = 0; p->leader < 0 && i < p->replicas_count; i++)
		if (p->topic->config.unclean_election && cluster_broker(c, p->replicas[i])->alive)
			leader_out_of_sync(c, p, p->replicas[i]);
}

static void broker_gone(struct cluster *c, struct partition *p, int32_t node_id)
{
	leave_isr(p, node_id);
	if (p->leader == node_id)
		leader_set(c, p, candidate(c, p));
	elect_unclean(c, p);
}

/* Without a leader only a member of the ISR may lead; the others catch up with it then. */
static void broker_back(struct cluster *c, struct partition *p, int32_t node_id)
{
	if (p->leader < 0 && candidate(c, p) == node_id)
		leader_set(c, p, node_id);
	elect_unclean(c, p);
	if (p->leader < 0)
		return;
	join_live(c, p);
	reassignment_settle(c, p);
}

void leadership_broker_down(struct cluster *c, int32_t node_id)
{
	each_partition(c, broker_gone, node_id);
}

void leadership_broker_up(struct cluster *c, int32_t node_id)
{
	each_partition(c, broker_back, node_id);
}

static void emit_truncated(struct cluster *c, const struct partition *p, int64_t end)
{
	struct event ev = {.kind = EVENT_LOG, .time_us = c->now.wall_us};

	ev.log = (struct event_log){.what = LOG_TRUNCATED,
				    .topic = p->topic->name,
				    .topic_id = p->topic->id,
				    .partition = p->index,
				    .leader_epoch = p->leader_epoch,
				    .base_offset = p->log.start,
				    .next_offset = end};
	if (c->config.bus)
		event_emit(c->config.bus, &ev);
}

void leader_out_of_sync(struct cluster *c, struct partition *p, int32_t node_id)
{
	bool in_sync = in_list(p->isr, p->isr_count, node_id);
	int64_t end = in_sync ? p->log.end : p->log.start; /* if it never was in sync */

	for (const struct partition_behind *b = p->behind; b && !in_sync; b = b->next)
		if (b->node_id == node_id && b->end > p->log.start)
			end = b->end < p->log.end ? b->end : p->log.end;
	leader_unclean(c, p, node_id, end);
}

void leader_unclean(struct cluster *c, struct partition *p, int32_t node_id, int64_t offset)
{
	partition_truncate(c, p, offset);
	emit_truncated(c, p, p->log.end);
	for (int32_t i = 0; i < p->isr_count; i++)
		if (p->isr[i] != node_id)
			note_behind(p, p->isr[i]);
	forget_behind(p, node_id);
	p->isr[0] = node_id;
	p->isr_count = 1;
	leader_set(c, p, node_id);
	join_live(c, p);
}
