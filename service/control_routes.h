/* The handlers of the control interface that concern the cluster: control_cluster.c, and of a
 * partition's log control_log.c. */
#ifndef SERVICE_CONTROL_ROUTES_H
#define SERVICE_CONTROL_ROUTES_H

#include "rules/words.h"
#include "service/control_ask.h"

int control_get_cluster(struct ask *a);
int control_get_topic(struct ask *a);
int control_add_topic(struct ask *a);
int control_get_partition(struct ask *a);
int control_get_records(struct ask *a);
int control_get_batches(struct ask *a);
int control_add_records(struct ask *a);
int control_get_groups(struct ask *a);
int control_get_group(struct ask *a);
int control_get_offsets(struct ask *a);
int control_get_transactions(struct ask *a);
int control_get_transaction(struct ask *a);
int control_list_events(struct ask *a);
int control_happen(struct ask *a);
int control_call_api(struct ask *a);

/* One request of our own, whose answer is looked into (a new reference; takes the request's); NULL
 * with the answer's status. */
json_t *control_call(struct ask *a, int32_t broker, int api, int version, json_t *request,
		     int *ret_status);

#endif
