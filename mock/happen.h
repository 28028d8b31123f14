/* What can happen to a cluster from outside: brokers go and come, leaders move, coordinators load,
 * logs lose their ends. One line of text for each, the same on the control interface and in a
 * scenario's timeline: "leader-move topic=orders partition=0 to=2". */
#ifndef MOCK_HAPPEN_H
#define MOCK_HAPPEN_H

#include "mock/cluster.h"

struct happening_info;

/* One of them, parsed. Texts are views into what was parsed. */
struct happening {
	const struct happening_info *info;
	struct str topic, group, member, host, how;
	int64_t broker, to, partition, partitions, replication, offset, port; /* -1: not given */
	int64_t for_us;							      /* -1: not given */
};

/* Reads one; ERR_USAGE with the column in e->offset for what is unknown, missing or of a wrong
 * kind. */
int happening_parse(struct str text, struct happening *ret, struct error *e);

/* "broker-down" and the like. */
const char *happening_name(const struct happening *h);

/* Lets it happen now. 0, or ERR_USAGE with *e: there is no such topic, partition, broker, group,
 * member, or it can't be just now. The caller then hands out cluster_ready. */
int cluster_happen(struct cluster *c, const struct happening *h, struct instant now,
		   struct error *e);

/* The table, for the reference: name, arguments ("topic partition to?"), what it does; false at the
 * end. */
bool happening_list(size_t i, const char **ret_name, const char **ret_args, const char **ret_what);

#endif
