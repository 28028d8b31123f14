/* A client's connection to a live broker: frames out, answers back, matched in their order. */
#ifndef HARNESS_LIVE_H
#define HARNESS_LIVE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/shared.h"
#include "net/loop.h"
#include "service/service.h"

struct live;

/* A request under way. Embedded in whatever its owner keeps of it, who keeps it until it was
 * answered, or until live_free. */
struct live_request {
	int32_t correlation_id;
	struct live_request *next;
};

struct live_callbacks {
	/* The answer's frame; whoever wants to keep it takes a reference. */
	void (*on_answer)(void *ctx, struct live_request *r, struct shared *frame,
			  struct instant last);
	/* The broker ended it, or said something that is no answer to what was asked; the requests
	 * that are under way get none. Nothing follows; live_free is the owner's. */
	void (*on_closed)(void *ctx);
	/* All answers that came at once were told. */
	void (*on_idle)(void *ctx);
};

/* Connects, waiting at most some seconds. NULL with *e (ERR_OS). */
struct live *live_open(struct loop *l, const struct service_address *to,
		       const struct live_callbacks *callbacks, void *ctx, struct error *e);

/* Queues a frame, length bytes and correlation id included: goes out with the next live_flush. r
 * NULL: no answer is due. The bytes are copied. */
void live_send(struct live *l, struct live_request *r, struct bytes frame);
void live_flush(struct live *l);

/* Requests without an answer. */
int32_t live_waiting(const struct live *l);

/* True once on_closed was called. */
bool live_is_closed(const struct live *l);

/* Closes; accepts NULL; also from inside a callback. */
void live_free(struct live *l);

#endif
