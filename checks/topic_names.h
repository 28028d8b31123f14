/* Names of topics by their ids, as Metadata tells them: newer versions speak of ids alone. */
#ifndef CHECKS_TOPIC_NAMES_H
#define CHECKS_TOPIC_NAMES_H

#include "trace/event.h"

struct topic_names {
	struct topic_name *by_id;
};

void topic_names_release(struct topic_names *t);
/* Learns from an answer to Metadata; others are passed over. */
void topic_names_feed(struct topic_names *t, struct exchange *x);
/* NULL data if it was not told. Lives as long as t. */
struct str topic_names_find(const struct topic_names *t, struct uuid id);

#endif
