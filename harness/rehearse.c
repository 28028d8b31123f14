/* The rehearsal's stage: a cluster that nobody talks to, in virtual time. What depends on what
 * subjects do (groups and their members, topics that are made when asked for, what lies in a log)
 * is taken as it is. */
#include "harness/rehearse.h"

#include "harness/preload.h"
#include "harness/timeline.h"
#include "mock/happen.h"

#include <stddef.h>
#include <stdlib.h>

#define WAITS_MAX 1000 /* a timeline that waits more often is left at that */

struct rehearsal {
	struct stage stage;
	struct case_plan *plan;
	struct cluster *cluster;
	struct instant now;
	int waits;
};

static struct rehearsal *rehearsal_of(struct stage *stage)
{
	return (struct rehearsal *)(void *)((char *)stage - offsetof(struct rehearsal, stage));
}

static int rehearse_start(struct stage *stage, int32_t client, struct error *e)
{
	(void)stage;
	(void)client;
	(void)e;
	return 0;
}

static void rehearse_signal(struct stage *stage, int32_t client, int number)
{
	(void)stage;
	(void)client;
	(void)number;
}

static enum holds rehearse_holds(struct stage *stage, const struct condition *c, char *text,
				 size_t size)
{
	(void)c;
	(void)text;
	(void)size;
	return rehearsal_of(stage)->waits++ < WAITS_MAX ? HOLDS : HOLDS_NOT_YET;
}

static int32_t rehearse_release(struct stage *stage, struct str hold)
{
	(void)stage;
	(void)hold;
	return 1;
}

static bool depends_on_subjects(const struct rehearsal *r, const struct happening *h)
{
	bool ours = !h->topic.data;

	for (int32_t i = 0; i < r->plan->topics_count; i++)
		ours |= str_eq(r->plan->topics[i].name, h->topic);
	return h->group.data || h->offset >= 0 || (!ours && r->plan->auto_create);
}

static int rehearse_happen(struct stage *stage, struct str text, struct error *e)
{
	struct rehearsal *r = rehearsal_of(stage);
	struct happening h;
	int rc = happening_parse(text, &h, e);

	if (rc || depends_on_subjects(r, &h))
		return rc;
	return cluster_happen(r->cluster, &h, r->now, e);
}

static void rehearse_mark(struct stage *stage, struct str text)
{
	(void)stage;
	(void)text;
}

static void set_up(struct rehearsal *r, struct case_plan *p)
{
	struct cluster_config config = preload_config(p);
	struct error e = ERROR_INIT;

	r->plan = p;
	r->stage = (struct stage){rehearse_start,   rehearse_signal, rehearse_holds,
				  rehearse_release, rehearse_happen, rehearse_mark};
	r->cluster = cluster_new(&config, r->now);
	for (int32_t i = 0; i < p->topics_count; i++)
		cluster_create_topic(r->cluster, p->topics[i].name, p->topics[i].partitions,
				     p->topics[i].replication, p->topics[i].leader, r->now, &e);
}

static bool play(struct case_plan *p, struct buf *out)
{
	struct rehearsal r = {.now = {1, 1}};
	struct timeline *t;
	bool ok;

	set_up(&r, p);
	t = timeline_new(p, &r.stage);
	while (timeline_poll(t, r.now) == TIMELINE_RUNNING && r.waits++ < WAITS_MAX)
		r.now.mono_us = timeline_deadline(t);
	ok = !timeline_mistake(t);
	if (!ok)
		buf_text(out, timeline_mistake(t));
	timeline_free(t);
	cluster_free(r.cluster);
	return ok;
}

bool plan_rehearse(const struct scenario *s, int32_t case_index, uint64_t seed, struct buf *out)
{
	struct case_plan *p = plan_load(s, case_index, seed, out);
	bool ok = p && (!p->has_timeline || play(p, out));

	plan_free(p);
	return ok;
}
