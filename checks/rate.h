/* How often something came within one second, by key: requests of a client, attempts of an
 * address. Memory is that of the keys seen in the last second, however many there were before. */
#ifndef CHECKS_RATE_H
#define CHECKS_RATE_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

#define RATE_MAX 1024 /* in one second; more counts as so many */

/* Zeroed before first use. */
struct rates {
	struct rate *by_key;
	size_t prune_at; /* keys at which old ones are looked for */
};

/* One more at time_us (about in order). Returns how many of this key lie in the second before it,
 * it included; those with another tag before the last change of it don't count. */
int32_t rates_note(struct rates *r, const void *key, size_t size, int32_t tag, int64_t time_us);

/* What came of this key so far doesn't count any more. */
void rates_forget(struct rates *r, const void *key, size_t size);

void rates_release(struct rates *r);

#endif
