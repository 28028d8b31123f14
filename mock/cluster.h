/* The mock cluster: a pure state machine. A request goes in with the moment it is worked and the
 * plan of what shall happen to it; an answer, a wait, or a close comes out, and log and cluster
 * events go to the bus. No socket, no clock, no file. Acceptance text: what a real 4.4.0 broker was
 * seen to do. */
#ifndef MOCK_CLUSTER_H
#define MOCK_CLUSTER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/shared.h"
#include "mock/broker_config.h"
#include "mock/profile.h"
#include "mock/timer.h"
#include "rules/rule.h"
#include "trace/event.h"

struct cluster;

struct broker_address {
	int32_t node_id;
	char host[256]; /* as advertised */
	uint16_t port;
};

/* What is advertised of an API, less than what is there; min > max: nothing. */
struct version_limit {
	int api_key;
	int16_t min, max;
};

struct cluster_config {
	int32_t brokers;	 /* node ids 1..brokers, or from broker.first_node_id on */
	const int32_t *node_ids; /* ascending, in place of those; read by cluster_new. NULL */
	uint64_t seed;
	bool auto_create;	     /* topics, on Metadata */
	int32_t default_partitions;  /* num.partitions; 1 */
	int16_t default_replication; /* default.replication.factor; min(3, brokers) when 0 */
	size_t memory_max;	     /* bytes of log memory; 0: 1 GiB */
	const struct profile *like;  /* a release whose versions and ways it takes on; NULL: all
					versions, the newest release's ways */
	const struct version_limit *limits; /* read by cluster_new; limits_count of them */
	int32_t limits_count;
	struct event_bus *bus;	     /* where log and cluster events go */
	struct broker_config broker; /* server.properties; zero for Kafka's defaults */
};

struct cluster *cluster_new(const struct cluster_config *config, struct instant now);
void cluster_free(struct cluster *c);

/* Where clients shall find a broker. To be set before the first call; may change later (listener
 * changed). */
void cluster_set_address(struct cluster *c, const struct broker_address *address);

/* As CreateTopics would: partitions or replication -1 for the default. leader: node id that leads
 * all partitions, or -1 for the usual placement. */
int cluster_create_topic(struct cluster *c, struct str name, int32_t partitions,
			 int16_t replication, int32_t leader, struct instant now, struct error *e);

enum call_result {
	CALL_ANSWER,	/* response is there */
	CALL_WAIT,	/* call again when cluster_ready gives it out */
	CALL_NO_ANSWER, /* done; none is due */
	CALL_CLOSE,	/* the connection is to be closed without an answer */
	CALL_RESET,	/* likewise, with a reset: not the cluster's, but of who answers for it */
};

/* One exchange inside the cluster. The service fills the first part, zeroes the rest, and keeps it
 * (with its arena and frame) until call_release. */
struct call {
	int32_t broker;
	int64_t conn;
	struct endpoint client;
	int64_t arrived_us; /* mono: its last byte; 0 of calls that no client made */
	struct frame_header header;
	const void *request;  /* decoded; views into frame */
	struct shared *frame; /* a log may take a reference */
	struct arena *arena;
	const struct plan *plan; /* never NULL */
	bool own; /* no client's but ours: any version, and the truth even where metadata lie */

	void *response; /* the API's response struct, encoded at response_version */
	int16_t response_version;
	void *answerer; /* who answers in place of the cluster may keep something here */

	/* The cluster's own. */
	bool begun;		   /* worked at least once */
	int64_t deadline_us;	   /* of CALL_WAIT: mono µs at which it is ready in any case */
	void *state;		   /* the handler's, between two calls; in the arena */
	struct call_hold *holds;   /* log memory that the response points into */
	struct call_spill *spills; /* what did not fit the arena's maximum */
	struct call_wait *waits;   /* where it is registered */
	struct call_wait *spare_waits;
	struct timer timer;
	struct call *next_ready, *prev_ready;
	bool ready;
};

/*
 * Works one request, or goes on with one that waited. ACTION_ERROR of the plan is carried out here:
 * before the work (none is done on the partitions hit) or after it (done, then the code is put into
 * the answer). All other actions are the service's. An API version that the cluster does not
 * advertise is CALL_CLOSE, but for ApiVersions (error 35 in version 0, KIP-511).
 */
enum call_result cluster_call(struct cluster *c, struct call *call, struct instant now);

/* The facts that rules match on: topics by name, groups, transactional ids; in the call's arena. */
void cluster_facts(struct cluster *c, const struct call *call, struct facts *ret_facts);

/* A waiting call whose key was woken or whose deadline passed by cluster_tick; NULL when there is
 * none. */
struct call *cluster_ready(struct cluster *c);

/* Time passes: session time-outs, rebalance deadlines, waiting calls. Returns the next mono_us at
 * which something is due, INSTANT_NEVER if nothing is. */
int64_t cluster_tick(struct cluster *c, struct instant now);

/* Gives up a waiting call (its connection is gone). */
void cluster_cancel(struct cluster *c, struct call *call);

/* Drops what the response holds; the call may then be reused. */
void call_release(struct call *call);

/* True if the cluster answers this API and version (what ApiVersions says). */
bool cluster_speaks(const struct cluster *c, int api_key, int api_version);

#endif
