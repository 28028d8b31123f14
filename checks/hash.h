/* Hashes that stand in keys and for contents, all of them FNV-1a. Begin with FNV_BASIS. */
#ifndef CHECKS_HASH_H
#define CHECKS_HASH_H

#include "trace/event.h"

#define FNV_BASIS 14695981039346656037ULL
#define FNV_PRIME 1099511628211ULL

static inline uint64_t hash_more(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * FNV_PRIME;
	return h;
}

static inline uint64_t hash_str(uint64_t h, struct str s)
{
	return hash_more(h, s.data, s.data ? (size_t)s.len : 0);
}

/* Of a topic by what a message calls it: its name, or where there is none its id. */
static inline uint64_t hash_topic(struct str name, struct uuid id)
{
	return name.len ? hash_str(FNV_BASIS, name) : hash_more(FNV_BASIS, id.b, sizeof(id.b));
}

/* Of the program that sends, as far as a capture tells programs apart: client id and host. Never 0.
 */
static inline uint64_t hash_sender(const struct exchange *x)
{
	return hash_more(hash_str(FNV_BASIS, x->header.client_id), x->conn.client.addr,
			 sizeof(x->conn.client.addr)) |
	       1;
}

#endif
