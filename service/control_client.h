/* One question to a control interface, for `ktrial ctl`: sends, waits, gives the answer back. */
#ifndef SERVICE_CONTROL_CLIENT_H
#define SERVICE_CONTROL_CLIENT_H

#include "base/buf.h"
#include "service/service.h"

struct control_question {
	struct service_address to;
	const char *token;  /* NULL: none */
	const char *method; /* "GET", "POST", "DELETE" */
	const char *path;   /* with its query, encoded */
	struct str body;    /* null: none */
	int timeout_s;
};

/* The HTTP status with the body in ret_body (init it), or ERR_OS with *e: nobody answers there. */
int control_ask(const struct control_question *q, struct buf *ret_body, struct error *e);

/* Appends text as one part of a path or a value of a query. */
void control_encode(struct buf *path, struct str text);

#endif
