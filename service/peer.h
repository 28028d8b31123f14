/* Inside the service: connections (peers) and the requests of theirs that are under way (jobs). */
#ifndef SERVICE_PEER_H
#define SERVICE_PEER_H

#include "net/conn.h"
#include "net/listener.h"
#include "protocol/codec.h"
#include "service/service.h"

#define PEER_UNSENT_MAX	  ((size_t)256 << 10) /* then the next request waits for the writing */
#define PEER_JOBS_MAX	  1024		      /* begun and not yet answered, behind a held answer */
#define JOBS_POOL_MAX	  64		      /* finished jobs kept for their memory */
#define PEER_WHY_SIZE	  200
#define JOB_OWN_BYTES_MAX ((size_t)FRAME_SIZE_MAX + 4096)

enum job_step {
	JOB_BEFORE,  /* not worked: delayed or held */
	JOB_WORK,    /* in the cluster: worked, perhaps waiting */
	JOB_AFTER,   /* answer there: delayed or held */
	JOB_READY,   /* to be sent when its turn comes */
	JOB_SENDING, /* given to the connection */
	JOB_REST,    /* answered or not to be; holds up what follows until its timer */
};

/* One request under way. The call's arena, frame and answer live until it is finished. */
struct job {
	struct call call;
	struct peer *peer;
	struct arena arena;
	struct frame_in in;
	struct facts facts;
	struct plan plan;
	enum job_step step;
	bool held;   /* on the service's list, under plan.text */
	bool passes; /* later answers may pass this one */

	struct gather gather;
	struct buf copy; /* of a damaged or doubled answer */
	bool damaged;	 /* the answer on the wire is not what response says */
	struct out out;
	struct loop_timer timer;

	struct job *next, *prev;	   /* of the peer, in order of arrival */
	struct job *next_held, *prev_held; /* of the service */
};

struct peer {
	struct service *s;
	struct conn *conn;
	struct event_conn info;
	struct job *first, *last;
	bool going;  /* peer_go is under way */
	bool gone;   /* closed; memory goes when nobody uses it */
	bool ended;  /* the client sends nothing more */
	bool silent; /* nothing is answered nor worked any more */
	bool deaf;   /* nothing is read nor begun, for good or until hearing */
	struct loop_timer hearing;
	char *why; /* what it sent that can't be read; NULL nothing */
	struct peer *next, *prev;
};

struct door {
	struct service *s;
	struct listener *listener;
	struct service_address listen, advertise;
	struct listener *left; /* where it was at first, once it moved away; else NULL */
	struct service_address home, home_listen; /* and how clients were told to find it there */
	bool left_serves;			  /* there it works on, too */
	int32_t broker;
	bool resets;	      /* down, but new connections are accepted and reset */
	struct loop_timer up; /* of a restart */
};

/* A topic or rule from before the start, for service_reset. */
struct given {
	char *name, *text; /* of a topic text is NULL */
	int32_t partitions, leader;
	int16_t replication;
};

struct service {
	struct loop *loop;
	struct cluster_config config;
	struct given *given;
	size_t given_count;
	uint64_t resets;
	struct cluster *cluster;
	struct service_answerer answerer;
	struct rules *rules;
	struct event_bus bus;
	struct door *doors;
	int32_t brokers;
	bool started;
	char *bootstrap;
	struct service_tap tap;

	struct peer *peers;
	int64_t peers_open, peers_total;
	struct job *held; /* newest first */
	struct job *pool;
	int32_t pool_count;
	struct loop_timer tick;
	bool pumping;
	struct buf flat; /* an answer in one piece, for an event */
};

/* ---- peer.c ---- */

void peer_new(struct door *d, int fd, const struct net_address *client,
	      const struct net_address *server);

/* The broker is down: the connection is told and reset. */
void peer_refuse(struct door *d, int fd, const struct net_address *client,
		 const struct net_address *server);

/* Sends what is ready, begins what may begin. Called whenever something of a peer has changed; may
 * end the peer. */
void peer_go(struct peer *p);

/* Neither reads nor begins anything for so long; 0: for good. */
void peer_stop_reading(struct peer *p, int64_t us);

/* Says what the client sent that no broker reads; the connection's end then tells it. */
void peer_blame(struct peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ends the connection: its jobs and waiting frames are lost, events say so. */
void peer_end(struct peer *p, enum close_how how);

/* ---- job.c ---- */

/* Begins on a frame, whose reference it takes. The peer may be gone afterwards. */
void job_begin(struct peer *p, const struct frame_in *in);

/* Goes on with one that waited in the cluster. */
void job_continue(struct job *j, struct instant now);

/* Sends an answer whose turn it is. */
void job_send(struct job *j);

/* Lets go of a held one, which then goes on. */
void job_release(struct job *j, struct instant now);

/* Takes the job off its peer and away, telling its exchange. */
void job_finish(struct job *j, enum exchange_state state);

/* Frees the pool. */
void jobs_free(struct service *s);

/* ---- damage.c: what a rule does to an answer ---- */

/* On the response struct, before it is written. */
void damage_struct(struct job *j);

/* On the bytes and on the way in which they are sent, once j->out has its spans. */
void damage_bytes(struct job *j);

/* ---- tell.c: events ---- */

void tell_conn(struct peer *p, enum event_kind kind, enum close_how how);
void tell_rule(struct job *j, const char *what);
void tell_exchange(struct job *j, enum exchange_state state);
/* A frame that was read and never begun. */
void tell_lost(struct peer *p, const struct frame_in *in);
void tell_unmatched(struct peer *p, bool from_client, uint64_t size, const char *why);

/* ---- service.c ---- */

/* The door of a broker; NULL if there is none. */
struct door *door_of(const struct service *s, int32_t broker);

/* Gives ready calls back to their jobs and sets the next deadline. */
void service_pump(struct service *s);

#endif
