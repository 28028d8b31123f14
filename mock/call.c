/* Calls between their first work and their answer: memory, waits, the ready queue. A call is either
 * registered on lists (waiting) or in the ready queue, never both. */
#include "mock/call.h"

#include "mock/mem.h"
#include "mock/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct call_spill {
	struct call_spill *next;
	max_align_t data[];
};

struct call_hold {
	struct shared *s;
	struct call_hold *next;
};

void *call_alloc(struct call *call, size_t size)
{
	void *p = arena_zalloc(call->arena, size);
	struct call_spill *spill;

	if (p)
		return p;
	spill = mem_new(sizeof(*spill) + size);
	spill->next = call->spills;
	call->spills = spill;
	return spill->data;
}

struct str call_str(struct call *call, struct str s)
{
	char *p;

	if (!s.data)
		return s;
	p = call_alloc(call, (size_t)s.len + 1);
	memcpy(p, s.data, (size_t)s.len);
	return (struct str){p, s.len};
}

struct str call_printf(struct call *call, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return call_str(call, str_of(text));
}

int32_t *call_nodes(struct call *call, const int32_t *nodes, int32_t count)
{
	int32_t *copy = CALL_ARRAY(call, int32_t, count);

	memcpy(copy, nodes, (size_t)count * sizeof(copy[0]));
	return copy;
}

struct str call_client_host(struct call *call)
{
	char text[ENDPOINT_TEXT_SIZE], *host = text;

	endpoint_text(&call->client, text);
	*strrchr(text, ':') = '\0';
	if (*host == '[') {
		host++;
		host[strlen(host) - 1] = '\0';
	}
	return call_printf(call, "/%s", host);
}

void *call_response(struct call *call, const struct schema *schema)
{
	call->response = call_alloc(call, schema->size);
	codec_init(schema, call->response);
	return call->response;
}

void call_wait_on(struct call *call, struct waitlist *list)
{
	struct call_wait *w = call->spare_waits;

	if (w)
		call->spare_waits = w->of_call;
	else
		w = call_alloc(call, sizeof(*w));
	w->call = call;
	w->of_call = call->waits;
	call->waits = w;
	w->next = list->first;
	w->link = &list->first;
	if (w->next)
		w->next->link = &w->next;
	list->first = w;
}

static void wait_remove(struct call_wait *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
}

static void queue_remove(struct cluster *c, struct call *call)
{
	if (call->prev_ready)
		call->prev_ready->next_ready = call->next_ready;
	else
		c->ready_first = call->next_ready;
	if (call->next_ready)
		call->next_ready->prev_ready = call->prev_ready;
	else
		c->ready_last = call->prev_ready;
	call->next_ready = call->prev_ready = NULL;
	call->ready = false;
}

void call_unwait(struct cluster *c, struct call *call)
{
	while (call->waits) {
		struct call_wait *w = call->waits;

		wait_remove(w);
		call->waits = w->of_call;
		w->of_call = call->spare_waits;
		call->spare_waits = w;
	}
	timer_unset(&c->timers, &call->timer);
	if (call->ready)
		queue_remove(c, call);
}

void call_make_ready(struct cluster *c, struct call *call)
{
	assert(!call->ready);
	call_unwait(c, call);
	call->ready = true;
	call->prev_ready = c->ready_last;
	if (c->ready_last)
		c->ready_last->next_ready = call;
	else
		c->ready_first = call;
	c->ready_last = call;
}

void waitlist_wake(struct cluster *c, struct waitlist *list)
{
	while (list->first)
		call_make_ready(c, list->first->call);
}

struct call *cluster_ready(struct cluster *c)
{
	struct call *call = c->ready_first;

	if (call)
		queue_remove(c, call);
	return call;
}

void cluster_cancel(struct cluster *c, struct call *call)
{
	call_unwait(c, call);
}

void call_hold(struct call *call, struct shared *s)
{
	struct call_hold *h;

	if (call->holds && call->holds->s == s)
		return;
	h = call_alloc(call, sizeof(*h));
	h->s = shared_ref(s);
	h->next = call->holds;
	call->holds = h;
}

struct shared **call_held(struct call *call, int32_t *ret_count)
{
	struct shared **all;
	int32_t count = 0;

	for (const struct call_hold *h = call->holds; h; h = h->next)
		count++;
	all = CALL_ARRAY(call, struct shared *, count);
	*ret_count = count;
	for (const struct call_hold *h = call->holds; h; h = h->next)
		all[--count] = h->s;
	return all;
}

void call_release(struct call *call)
{
	struct call_spill *next;
	struct call_hold *holds = call->holds;

	assert(!call->waits && !call->ready);
	call->holds = NULL;
	for (; holds; holds = holds->next)
		shared_unref(holds->s);
	for (struct call_spill *s = call->spills; s; s = next) {
		next = s->next;
		free(s);
	}
	call->spills = NULL;
	call->response = NULL;
	call->state = NULL;
	call->spare_waits = NULL;
	call->begun = false;
}
