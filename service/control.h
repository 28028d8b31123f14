/* The control interface: HTTP and JSON, by which a test suite in any language steers a running
 * service. docs/control.md says it for users, docs/openapi.json for programs. */
#ifndef SERVICE_CONTROL_H
#define SERVICE_CONTROL_H

#include "service/keep.h"
#include "service/service.h"

struct control;

struct control_config {
	struct service_address listen; /* port 0: a free one */
	const char *token;	       /* asked for as "Authorization: Bearer TOKEN"; NULL: none */
	const char *evidence;	       /* path of the capture, for download; NULL: none */
	void (*on_flush)(void *ctx);   /* called before the capture is read; may be NULL */
	void (*on_reset)(void *ctx);   /* called after a reset, before its answer; may be NULL */
	void *ctx;
};

/* Listens at once. An address that is not loopback needs a token (ERR_USAGE). ERR_OS if it is
 * taken. Before service_stop, control_free. */
struct control *control_new(struct loop *loop, struct service *s,
			    const struct control_config *config, struct error *e);
void control_free(struct control *c); /* accepts NULL */

/* "HOST:PORT" */
const char *control_address(const struct control *c);

/* The routes, for the reference and for tests: method, path, what it does. false at the end. */
bool control_route(size_t i, const char **ret_method, const char **ret_path, const char **ret_what);

#endif
