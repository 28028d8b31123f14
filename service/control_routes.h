/* The handlers of the control interface that concern the cluster (control_cluster.c). */
#ifndef SERVICE_CONTROL_ROUTES_H
#define SERVICE_CONTROL_ROUTES_H

#include "rules/words.h"
#include "service/control_ask.h"

int control_get_cluster(struct ask *a);
int control_get_topic(struct ask *a);
int control_add_topic(struct ask *a);
int control_get_records(struct ask *a);
int control_add_records(struct ask *a);
int control_get_groups(struct ask *a);
int control_get_group(struct ask *a);
int control_get_transactions(struct ask *a);
int control_list_events(struct ask *a);
int control_happen(struct ask *a);
int control_call_api(struct ask *a);

#endif
