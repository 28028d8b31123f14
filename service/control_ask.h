/* Inside the control interface: one question under way, and the table of routes. */
#ifndef SERVICE_CONTROL_ASK_H
#define SERVICE_CONTROL_ASK_H

#include "base/json.h"
#include "service/control.h"
#include "service/happened.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#define ASK_PARTS_MAX 8
#define ASK_LATER     0 /* the status of a handler that answers later */

struct control {
	struct loop *loop;
	struct service *service;
	struct control_config config;
	struct evhttp *http;
	char address[300];
	struct keep *keep;
	struct happened *happened;
	struct event_sink sink;
	struct waiting *waiting;
	struct loop_timer check;
	struct evconnlistener *listener; /* evhttp's */
	struct loop_timer resume;	 /* of accepting, which pauses without descriptors */
	struct control *next_living;
	char *token;
	char *evidence;
};

struct ask {
	struct control *c;
	struct evhttp_request *req;
	struct str parts[ASK_PARTS_MAX]; /* of the path; decoded, NUL-terminated */
	int parts_count;
	struct evkeyvalq query;
	json_t *body; /* NULL: none */
	struct buf out;
	struct json json; /* onto out */
};

struct route {
	const char *method, *path, *what;
	/* Writes JSON to a->json and returns the HTTP status, or ASK_LATER. */
	int (*on_ask)(struct ask *a);
};
extern const struct route control_routes[]; /* ends with a NULL method */

/* An error as the answer; the status. */
int ask_fail(struct ask *a, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same from a struct error, with its column where it has one. */
int ask_error(struct ask *a, int status, const struct error *e);

/* A value of the query, or NULL. */
const char *ask_query(const struct ask *a, const char *key);
/* A string or number of the body; the fallback where it is absent. */
struct str ask_text(const struct ask *a, const char *key);
int64_t ask_int(const struct ask *a, const char *key, int64_t fallback);

/* What can be waited for: hits of a rule, exchanges held under a name, exchanges that match, what
 * happened to the cluster. */
enum wait_for { WAIT_RULE, WAIT_HOLD, WAIT_EXCHANGES, WAIT_HAPPENED };

/* Answers once there are ?count= (1) of them, or ?timeout= (30s) is over; of the last two those
 * after ?since= (0). The match was seen to be one. */
int control_wait(struct ask *a, enum wait_for what, struct str name);

#endif
