/* A recorded session behind a service's doors: it answers what it can (replay/playback.h), and what
 * it can't is a miss, which is explained and then answered by the service's own cluster, filled
 * with what the recording showed, or by an error, or by a closed connection. */
#ifndef SERVICE_REPLAYED_H
#define SERVICE_REPLAYED_H

#include "replay/playback.h"
#include "service/seed.h"
#include "service/service.h"

#define REPLAYED_MISSES_TOLD 20 /* then they are only counted */

enum on_miss { ON_MISS_MOCK, ON_MISS_ERROR, ON_MISS_CLOSE };

struct replayed_config {
	const struct session *session; /* both must outlive it */
	const struct seen *seen;
	double speed; /* 0: no waiting */
	enum on_miss on_miss;
	void (*on_miss_text)(void *ctx, struct str text); /* lines, told once each */
	void (*on_note)(void *ctx, struct str text);	  /* a line; may be NULL */
	void *ctx;
};

struct replayed_totals {
	uint64_t requests;
	struct playback_totals played;
	uint64_t misses;
	uint64_t misses_by_api[API_KEY_MAX + 1];
	uint64_t by_cluster; /* answered by the cluster, misses included */
};

struct replayed;

/* Before service_start, of a service without topics; becomes who answers, fills the cluster. */
struct replayed *replayed_new(struct service *s, const struct replayed_config *config);

/* 0, or ERR_LIMIT with *e, as playback_check. */
int replayed_check(const struct replayed *r, struct error *e);

/* After service_start: clients are told where the brokers are. */
void replayed_start(struct replayed *r);

/* untouched: of each API how many recorded exchanges nobody asked for. */
void replayed_totals(const struct replayed *r, struct replayed_totals *ret,
		     uint64_t untouched[API_KEY_MAX + 1]);
const struct seed_totals *replayed_seeded(const struct replayed *r);

/* After service_stop. NULL is fine. */
void replayed_free(struct replayed *r);

#endif
