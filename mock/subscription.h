/* What members of a KIP-848 group ask for: one piece for all that ask for the same, so that the
 * partitions that thousands of members could have are kept and compared once. */
#ifndef MOCK_SUBSCRIPTION_H
#define MOCK_SUBSCRIPTION_H

#include "mock/tp_set.h"

#include <uthash.h>

struct cluster;

struct subscription {
	struct str *topics;
	int32_t topics_count;
	struct str regex;	/* null: none */
	struct tp_set eligible; /* all partitions that these names and topics come to */
	int32_t members;	/* who asks for it */
	struct str key;
	UT_hash_handle hh;
};

/* The one of *all with these topics, in this order, and this expression (null or "": none); made if
 * there is none. Counts one more member. */
struct subscription *subscription_get(struct cluster *c, struct subscription **all,
				      const struct str *topics, int32_t count, struct str regex);
/* One member less; the last one's goes. Accepts NULL. */
void subscription_put(struct subscription **all, struct subscription *s);

/* Topics have changed: eligible sets anew; true if one is another now. */
bool subscriptions_update(struct cluster *c, struct subscription *all);

#endif
