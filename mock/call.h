/* What handlers do with a call: take memory for the answer, wait for something to happen, keep log
 * memory alive until the answer is sent. */
#ifndef MOCK_CALL_H
#define MOCK_CALL_H

#include "mock/cluster.h"

/* A registration of one call on one list. */
struct call_wait {
	struct call *call;
	struct call_wait **link; /* what points to it in the list */
	struct call_wait *next;
	struct call_wait *of_call; /* the call's next registration */
};

/* Whoever can be waited for embeds one. It must be woken before its memory goes. */
struct waitlist {
	struct call_wait *first;
};

/* Zeroed memory that lives as long as the exchange. An answer may pass the arena's maximum (it is
 * bounded by what the cluster holds and what a frame can ask for), so it never fails. */
void *call_alloc(struct call *call, size_t size);
#define CALL_ARRAY(call, type, count) ((type *)call_alloc(call, sizeof(type) * (size_t)(count)))
struct str call_str(struct call *call, struct str s);
struct str call_printf(struct call *call, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A copy of node ids. */
int32_t *call_nodes(struct call *call, const int32_t *nodes, int32_t count);

/* "/" and the client's address, as Kafka names the host of a group's member. */
struct str call_client_host(struct call *call);

/* The call's response struct of this schema at its defaults, set as call->response. */
void *call_response(struct call *call, const struct schema *schema);

/* To be woken with the list; any number of lists, all forgotten when the call is worked again. */
void call_wait_on(struct call *call, struct waitlist *list);

/* Makes every call on the list ready, in no particular order but the same for the same seed. */
void waitlist_wake(struct cluster *c, struct waitlist *list);

/* Forgets all registrations and the deadline; takes the call from the ready queue. */
void call_unwait(struct cluster *c, struct call *call);
void call_make_ready(struct cluster *c, struct call *call);

/* Keeps s until call_release. */
void call_hold(struct call *call, struct shared *s);

/* What it keeps, in no order, in the call's memory. */
struct shared **call_held(struct call *call, int32_t *ret_count);

#endif
