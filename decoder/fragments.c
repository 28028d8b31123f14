/* A few slots, each one datagram: its bytes and which of them are there, in units of 8. The oldest
 * slot goes when all are taken. The first bytes that came win, and the first end.
 *
 * Invariants: no byte of a datagram lies behind its end; only the unit at the end is not full. */
#include "decoder/fragments.h"

#include <stdlib.h>
#include <string.h>

#define UNITS ((FRAGMENTS_SIZE_MAX + 8) / 8)

struct datagram {
	bool used;
	struct endpoint src, dst;
	uint32_t id, size; /* size 0: the last fragment has not come */
	uint32_t reach;	   /* the end of what is there */
	uint8_t protocol;
	int64_t time_ns;
	uint32_t units; /* that are there */
	uint8_t have[UNITS];
	uint8_t data[UNITS * 8];
};

struct fragments {
	struct fragments_totals totals;
	struct datagram *slots[FRAGMENTS_DATAGRAMS];
	struct datagram *done; /* handed out by the last call */
};

struct fragments *fragments_new(void)
{
	struct fragments *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	return f;
}

void fragments_free(struct fragments *f)
{
	if (!f)
		return;
	for (int i = 0; i < FRAGMENTS_DATAGRAMS; i++)
		free(f->slots[i]);
	free(f);
}

const struct fragments_totals *fragments_totals(const struct fragments *f)
{
	return &f->totals;
}

static bool same(const struct datagram *g, const struct packet *p)
{
	return g->used && g->id == p->ip_id && g->protocol == p->protocol &&
	       g->src.family == p->src.family &&
	       !memcmp(g->src.addr, p->src.addr, sizeof(p->src.addr)) &&
	       !memcmp(g->dst.addr, p->dst.addr, sizeof(p->dst.addr));
}

static struct datagram *slot_of(struct fragments *f, const struct packet *p, int64_t time_ns)
{
	struct datagram *g, **oldest = NULL;

	for (int i = 0; i < FRAGMENTS_DATAGRAMS; i++) {
		g = f->slots[i];
		if (g && g->used && time_ns - g->time_ns > FRAGMENTS_AGE_NS) {
			g->used = false;
			f->totals.given_up++;
		}
		if (g && same(g, p))
			return g;
		if (!oldest || (*oldest && (*oldest)->used &&
				(!g || !g->used || g->time_ns < (*oldest)->time_ns)))
			oldest = &f->slots[i];
	}
	if (!*oldest && !(*oldest = calloc(1, sizeof(**oldest))))
		abort();
	g = *oldest;
	f->totals.given_up += g->used;
	memset(g, 0, offsetof(struct datagram, data));
	g->used = true;
	g->src = p->src;
	g->dst = p->dst;
	g->id = p->ip_id;
	g->protocol = p->protocol;
	g->time_ns = time_ns;
	return g;
}

/* Whether a fragment can be a part of what came before it. */
static bool fits(const struct datagram *g, const struct packet *p)
{
	uint32_t end = p->fragment_offset + p->len;

	if (p->fragment_more)
		return !g->size || end <= g->size;
	return g->size ? end == g->size : end >= g->reach;
}

/* Adds what is not there yet. Every fragment but the last is a multiple of 8 bytes. */
static void add(struct datagram *g, const struct packet *p)
{
	uint32_t unit = p->fragment_offset / 8, left = p->len;
	const uint8_t *at = p->data;

	while (left) {
		uint32_t n = left < 8 ? left : 8;

		if (!g->have[unit]) {
			memcpy(g->data + (size_t)unit * 8, at, n);
			g->have[unit] = 1;
			g->units++;
		}
		unit++;
		at += n;
		left -= n;
	}
	if (p->fragment_offset + p->len > g->reach)
		g->reach = p->fragment_offset + p->len;
	if (!p->fragment_more)
		g->size = p->fragment_offset + p->len;
}

bool fragments_feed(struct fragments *f, struct packet *p, int64_t time_ns)
{
	struct datagram *g;

	if (p->len < p->wire_len || !p->len || p->fragment_offset + p->len > FRAGMENTS_SIZE_MAX ||
	    (p->fragment_more && p->len % 8))
		return false;
	g = slot_of(f, p, time_ns);
	if (!fits(g, p))
		return false;
	add(g, p);
	if (!g->size || g->units != (g->size + 7) / 8)
		return false;
	g->used = false;
	f->totals.joined++;
	packet_parse_payload(g->data, g->size, p);
	return true;
}
