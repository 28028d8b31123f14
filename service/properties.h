/* Kafka's server.properties as the configuration of a service. */
#ifndef SERVICE_PROPERTIES_H
#define SERVICE_PROPERTIES_H

#include "base/buf.h"
#include "service/service.h"

/* What a file said beyond the cluster's configuration. */
struct properties {
	struct topic_config topics; /* what config->cluster.broker.topics points at */
	struct service_address listen, advertise;
	bool has_listen, has_advertise;
	struct buf ignored; /* the keys that have no effect here, ", " between them */
};

/*
 * Reads the text of a file (Java's format: key=value, key: value, # and ! comments, continued
 * lines) into config. Kafka's keys without an effect here are collected in ret->ignored,
 * zookeeper.connect too. 0, or ERR_USAGE with *e, whose field is the key and whose offset is the
 * line's number. ret is to be released and must outlive the cluster.
 */
int properties_read(struct str text, struct service_config *config, struct properties *ret,
		    struct error *e);
void properties_release(struct properties *p);

#endif
