/* Reassignments as KRaft's controller keeps them (seen on three 4.4.0 nodes): replicas are the
 * target and behind it those that go; a second request changes the first one's lists only where it
 * has something to say. The leader's epoch grows when a replica goes. */
#include "mock/reassignment.h"

#include "base/json.h"
#include "mock/leadership.h"
#include "mock/mem.h"
#include "mock/state.h"

#include <stdlib.h>

static bool has(const int32_t *nodes, int32_t count, int32_t node)
{
	for (int32_t i = 0; i < count; i++)
		if (nodes[i] == node)
			return true;
	return false;
}

/* Appends to out what is in a and not in b; the new count. */
static int32_t put_minus(int32_t *out, int32_t n, const int32_t *a, int32_t a_count,
			 const int32_t *b, int32_t b_count)
{
	for (int32_t i = 0; i < a_count; i++)
		if (!has(b, b_count, a[i]))
			out[n++] = a[i];
	return n;
}

static void put_list(struct json *j, const char *name, const int32_t *nodes, int32_t count)
{
	json_key(j, name);
	json_open(j, '[');
	for (int32_t i = 0; i < count; i++)
		json_int(j, nodes[i]);
	json_close(j, ']');
}

static void tell(struct cluster *c, const struct partition *p)
{
	struct json j;

	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_str(&j, "topic", p->topic->name);
	json_key_int(&j, "partition", p->index);
	put_list(&j, "replicas", p->replicas, p->replicas_count);
	put_list(&j, "adding", p->adding, p->adding_count);
	put_list(&j, "removing", p->removing, p->removing_count);
	json_close(&j, '}');
	cluster_event(c, "replicas-changed", &c->scratch);
}

bool reassignment_is_under_way(const struct partition *p)
{
	return p->adding_count || p->removing_count;
}

static void forget(struct partition *p)
{
	free(p->adding);
	free(p->removing);
	p->adding = p->removing = NULL;
	p->adding_count = p->removing_count = 0;
}

/* Takes nodes out of replicas and ISR; the leader, if it is one of them, is followed by the first
 * replica in sync. */
static void drop(struct cluster *c, struct partition *p, const int32_t *nodes, int32_t count)
{
	int32_t leader = p->leader;

	p->replicas_count = put_minus(p->replicas, 0, p->replicas, p->replicas_count, nodes, count);
	p->isr_count = put_minus(p->isr, 0, p->isr, p->isr_count, nodes, count);
	if (has(nodes, count, leader)) {
		leader = -1;
		for (int32_t i = 0; i < p->replicas_count && leader < 0; i++)
			if (has(p->isr, p->isr_count, p->replicas[i]) &&
			    cluster_broker(c, p->replicas[i])->alive)
				leader = p->replicas[i];
	}
	if (count)
		leader_set(c, p, leader);
}

void reassignment_settle(struct cluster *c, struct partition *p)
{
	int32_t *removing = p->removing, removing_count = p->removing_count, staying = 0;

	if (!reassignment_is_under_way(p))
		return;
	for (int32_t i = 0; i < p->adding_count; i++)
		if (!has(p->isr, p->isr_count, p->adding[i]) ||
		    has(removing, removing_count, p->adding[i]))
			return;
	for (int32_t i = 0; i < p->isr_count; i++)
		staying += !has(removing, removing_count, p->isr[i]);
	if (!staying)
		return;
	p->removing = NULL;
	forget(p);
	drop(c, p, removing, removing_count);
	free(removing);
	tell(c, p);
}

/* A list where there is something in it takes the place of the old one. */
static void replace(int32_t **list, int32_t *list_count, int32_t *nodes, int32_t count)
{
	if (!count) {
		free(nodes);
		return;
	}
	free(*list);
	*list = nodes;
	*list_count = count;
}

void reassignment_start(struct cluster *c, struct partition *p, const int32_t *nodes, int32_t count)
{
	size_t most = (size_t)(count + p->replicas_count) * sizeof(nodes[0]);
	int32_t *adding = mem_new(most), *removing = mem_new(most), *replicas = mem_new(most);
	int32_t *isr = mem_new(most);
	int32_t added = put_minus(adding, 0, nodes, count, p->replicas, p->replicas_count);
	int32_t removed = put_minus(removing, 0, p->replicas, p->replicas_count, nodes, count);

	memcpy(replicas, nodes, (size_t)count * sizeof(nodes[0]));
	memcpy(replicas + count, removing, (size_t)removed * sizeof(nodes[0]));
	memcpy(isr, p->isr, (size_t)p->isr_count * sizeof(isr[0]));
	free(p->replicas);
	free(p->isr);
	p->replicas = replicas;
	p->replicas_count = count + removed;
	p->isr = isr;
	for (int32_t i = 0; i < added && p->leader >= 0; i++)
		if (cluster_broker(c, adding[i])->alive)
			p->isr[p->isr_count++] = adding[i];
	replace(&p->adding, &p->adding_count, adding, added);
	replace(&p->removing, &p->removing_count, removing, removed);
	tell(c, p);
	reassignment_settle(c, p);
}

bool reassignment_can_cancel(const struct partition *p)
{
	for (int32_t i = 0; i < p->isr_count; i++)
		if (!has(p->adding, p->adding_count, p->isr[i]))
			return true;
	return false;
}

void reassignment_cancel(struct cluster *c, struct partition *p)
{
	int32_t *adding = p->adding, count = p->adding_count;

	p->adding = NULL;
	forget(p);
	drop(c, p, adding, count);
	free(adding);
	tell(c, p);
}
