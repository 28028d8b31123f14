/* What listens: a mock cluster behind its brokers' listeners, with rules and events. A library:
 * `serve` runs one until a signal, `run` one for every case, on the same loop as the subjects.
 *
 * Order of use: service_new, sinks onto service_events, topics, rules, service_start; then the loop
 * runs; service_stop, service_free. All in the loop's thread. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "base/error.h"
#include "mock/cluster.h"
#include "net/loop.h"
#include "rules/rule.h"
#include "trace/event.h"

#include <sys/uio.h>

#define SERVICE_BROKERS_MAX 1000

struct service;

struct service_address {
	char host[256]; /* a name or an address; of IPv6 without brackets */
	uint16_t port;	/* 0: a free one (to listen), the one listened on (to advertise) */
};

struct service_config {
	struct cluster_config cluster; /* its bus is the service's own: leave it NULL */
	const struct service_address
		*listen; /* one for each broker, in the order of their node ids */
	const struct service_address *advertise; /* likewise; NULL: where each listens */
};

/*
 * Reads HOST:PORT, HOST, :PORT or [IPV6]:PORT. A missing host is 127.0.0.1, a missing port
 * default_port. 0, or ERR_USAGE.
 */
int service_address_parse(struct str text, uint16_t default_port,
			  struct service_address *ret_address, struct error *e);

/*
 * Who answers the requests: the cluster, unless somebody stands before it, who may hand calls on to
 * it. The functions are those of mock/cluster.h with the same promises: a call that waits is given
 * out by ready once, or canceled; closed tells that a connection is gone, its calls canceled.
 */
struct service_answerer {
	bool (*speaks)(void *ctx, int api_key, int api_version);
	enum call_result (*call)(void *ctx, struct call *call, struct instant now);
	void (*cancel)(void *ctx, struct call *call);
	struct call *(*ready)(void *ctx);
	int64_t (*tick)(void *ctx, struct instant now);
	void (*closed)(void *ctx, int64_t conn); /* may be NULL */
	void *ctx;
};

/* Nothing is opened yet. Copies what it needs of config. NULL with *e when the config can't be
 * (ERR_USAGE). */
struct service *service_new(struct loop *loop, const struct service_config *config,
			    struct error *e);

/* Binds and listens, all brokers or none. ERR_OS with the address that is taken in e->field. From
 * here on clients are served. */
int service_start(struct service *s, struct error *e);

/* To be set before service_start; copied. */
void service_set_answerer(struct service *s, const struct service_answerer *a);

/* Takes a connected stream descriptor as if a client had reached that broker by it: for tests. */
void service_adopt(struct service *s, int32_t broker, int fd);

/* Ends every connection (their events are emitted: lost exchanges, then closed) and stops
 * listening. Exchanges that were held or waiting are lost. Idempotent. */
void service_stop(struct service *s);

/* Stops first. Accepts NULL. */
void service_free(struct service *s);

/* "HOST:PORT,HOST:PORT", as advertised; valid from service_start until service_free. */
const char *service_bootstrap(const struct service *s);

/* Where all events of this service go, cluster and log events included. A sink must not call back
 * into the service: it notes what it wants and does it at the loop's next turn. */
struct event_bus *service_events(struct service *s);

/* The cluster, for topics and events; the rules, for their counters. Whoever changes the cluster
 * calls service_poke afterwards. */
struct cluster *service_cluster(struct service *s);
struct rules *service_rules(struct service *s);

/* Answers whoever a change of the cluster from outside has woken, and sets the next deadline. */
void service_poke(struct service *s);

/* Bytes as they were read and written, in order, after all faults: for evidence. To be set before
 * service_start. */
struct service_tap {
	void (*on_bytes)(void *ctx, const struct event_conn *conn, bool from_client,
			 const struct iovec *iov, size_t count, int64_t wall_us);
	void *ctx;
};
void service_set_tap(struct service *s, const struct service_tap *tap);

/* Adds a rule behind the others, effective from the next request that is begun. As rules_add. */
struct rule *service_add_rule(struct service *s, struct str name, struct str text, struct error *e);

/* As cluster_create_topic, now. */
int service_create_topic(struct service *s, struct str name, int32_t partitions,
			 int16_t replication, int32_t leader, struct error *e);

/* Puts a batch, or the marker that ends a producer's transaction, into a log (mock/put.h). */
int service_put_batch(struct service *s, struct str topic, int32_t partition, struct bytes batch,
		      int64_t gap, struct error *e);
int service_put_marker(struct service *s, struct str topic, int32_t partition, int64_t producer_id,
		       int16_t epoch, bool commit, struct error *e);

/* Commits an offset of a group (mock/put.h). */
int service_put_offset(struct service *s, struct str group, struct str topic, int32_t partition,
		       int64_t offset, struct error *e);

/*
 * Lets something happen to the cluster, as one line of mock/happen.h's grammar: "broker-down
 * broker=2". What a broker's life means for its connections and its port is done here. 0, or
 * ERR_USAGE with the column in e->offset, or ERR_OS.
 */
int service_happen(struct service *s, struct str text, struct error *e);

/* Lets go of all exchanges that a rule holds under that name; how many there were. */
int32_t service_release(struct service *s, struct str hold);

/* How many exchanges are held under that name now. */
int32_t service_held(const struct service *s, struct str hold);

/* How many brokers, and the node id of the first; the others' follow it unless the cluster's
 * configuration names others. */
int32_t service_brokers(const struct service *s);
int32_t service_first_broker(const struct service *s);

/* Where clients are told to find a broker; NULL if there is none of that node id. Its port is
 * there from service_start on. */
const struct service_address *service_advertised(const struct service *s, int32_t broker);

/*
 * As after service_start, for use between two tests: ends all connections, makes the cluster anew
 * (another cluster id, the topics that were made before the start), removes the rules that were
 * added since, sets the others' counters to zero. service_cluster gives another cluster afterwards.
 */
void service_reset(struct service *s);

/* Connections that are open now, and how many there have been. */
int64_t service_connections(const struct service *s);
int64_t service_connections_total(const struct service *s);

#endif
