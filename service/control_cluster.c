/* The cluster seen and changed over the control interface, in Kafka's own requests where there is
 * one. Partitions' logs are control_log.c's. */
#include "service/control_routes.h"

#include "mock/happen.h"
#include "mock/inspect.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "service/inside.h"

#include <stdio.h>
#include <stdlib.h>

/* The newest that carry what is shown; our own questions may use them whatever the release. */
#define METADATA_VERSION		12
#define FIND_COORDINATOR_VERSION	3
#define LIST_GROUPS_VERSION		5
#define DESCRIBE_GROUPS_VERSION		6
#define CONSUMER_GROUP_DESCRIBE_VERSION 1
#define OFFSET_FETCH_VERSION		9
#define LIST_TRANSACTIONS_VERSION	2
#define DESCRIBE_TRANSACTIONS_VERSION	0

/* The broker that is asked where any will do. */
static int32_t first(const struct ask *a)
{
	return service_first_broker(a->c->service);
}

static int status_of(int code)
{
	return code == ERR_UNSUPPORTED ? 501 : code == ERR_LIMIT ? 409 : 400;
}

/* One request whose answer is the answer. */
static int forward(struct ask *a, enum inside_as as, int32_t broker, int api, int version,
		   json_t *request)
{
	struct error e = ERROR_INIT;
	int code = ERR_UNSUPPORTED;

	if (version >= 0)
		code = inside_call(a->c->service, as, broker, api, version, request, &a->out, &e);
	else
		error_set(&e, code, "%s is not simulated", api_name(api));
	json_decref(request);
	return code ? ask_error(a, status_of(code), &e) : 200;
}

json_t *control_call(struct ask *a, int32_t broker, int api, int version, json_t *request,
		     int *ret_status)
{
	json_t *answer = NULL;

	*ret_status = forward(a, INSIDE_AS_OWN, broker, api, version, request);
	if (*ret_status != 200)
		return NULL;
	answer = json_loadb((const char *)a->out.data, a->out.len, JSON_ALLOW_NUL, NULL);
	buf_reset(&a->out);
	json_init(&a->json, &a->out);
	if (!answer)
		*ret_status = ask_fail(a, 500, "the answer of %s is no JSON", api_name(api));
	return answer;
}

static json_t *metadata_request(const char *topic)
{
	json_t *topics = topic ? json_pack("[{s:n,s:s}]", "topicId", "name", topic) : json_null();

	if (topic)
		json_object_set_new(json_array_get(topics, 0), "topicId",
				    json_string("AAAAAAAAAAAAAAAAAAAAAA"));
	return json_pack("{s:o,s:b,s:b}", "topics", topics, "allowAutoTopicCreation", 0,
			 "includeTopicAuthorizedOperations", 0);
}

static void put_json(struct ask *a, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	if (text)
		buf_text(&a->out, text);
	free(text);
}

/* Metadata has only brokers that are up. */
int control_get_cluster(struct ask *a)
{
	const struct service *s = a->c->service;
	json_t *answer, *down = json_array();
	int status;

	answer = control_call(a, first(a), API_METADATA, METADATA_VERSION, metadata_request(NULL),
			      &status);
	for (int32_t i = 0; answer && i < service_brokers(s); i++)
		if (!cluster_broker_up(service_cluster(a->c->service), first(a) + i))
			json_array_append_new(down, json_integer(first(a) + i));
	if (answer) {
		json_object_set(answer, "brokersDown", down);
		put_json(a, answer);
	}
	json_decref(down);
	json_decref(answer);
	return status;
}

/* The topic's part of a Metadata answer (a new reference); NULL with *ret_status. */
static json_t *find_topic(struct ask *a, int *ret_status)
{
	json_t *answer, *topic;
	int64_t code;

	answer = control_call(a, first(a), API_METADATA, METADATA_VERSION,
			      metadata_request(a->parts[1].data), ret_status);
	if (!answer)
		return NULL;
	topic = json_incref(json_array_get(json_object_get(answer, "topics"), 0));
	json_decref(answer);
	code = json_integer_value(json_object_get(topic, "errorCode"));
	if (!code)
		return topic;
	*ret_status = ask_fail(a, 404, "topic '" STR_FMT "': %s", STR_ARG(a->parts[1]),
			       kafka_error_name((int)code));
	json_decref(topic);
	return NULL;
}

int control_get_topic(struct ask *a)
{
	int status;
	json_t *topic = find_topic(a, &status);

	if (!topic)
		return status;
	put_json(a, topic);
	json_decref(topic);
	return 200;
}

int control_add_topic(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct str name = ask_text(a, "name");
	int code;

	if (!name.data)
		return ask_fail(a, 400, "the body lacks \"name\"");
	code = service_create_topic(a->c->service, name, (int32_t)ask_int(a, "partitions", -1),
				    (int16_t)ask_int(a, "replication", -1),
				    (int32_t)ask_int(a, "leader", -1), &e);
	if (code)
		return ask_error(a, 400, &e);
	service_poke(a->c->service);
	json_open(&a->json, '{');
	json_key_str(&a->json, "name", name);
	json_close(&a->json, '}');
	return 201;
}

/* ---- groups and transactions ---- */

/* Asks every broker and joins the lists of that name: each coordinator knows its own. */
static int forward_to_all(struct ask *a, int api, int version, const char *list, json_t *request)
{
	int status = 200;
	json_t *all = json_array();

	for (int32_t i = 0; i < service_brokers(a->c->service) && status == 200; i++) {
		json_t *answer =
			control_call(a, first(a) + i, api, version, json_incref(request), &status);

		if (answer)
			json_array_extend(all, json_object_get(answer, list));
		json_decref(answer);
	}
	json_decref(request);
	if (status == 200) {
		json_t *whole = json_pack("{s:O}", list, all);

		put_json(a, whole);
		json_decref(whole);
	}
	json_decref(all);
	return status;
}

int control_get_groups(struct ask *a)
{
	return forward_to_all(a, API_LIST_GROUPS, LIST_GROUPS_VERSION, "groups",
			      json_pack("{s:[],s:[]}", "statesFilter", "typesFilter"));
}

int control_get_transactions(struct ask *a)
{
	return forward_to_all(a, API_LIST_TRANSACTIONS, LIST_TRANSACTIONS_VERSION,
			      "transactionStates",
			      json_pack("{s:[],s:[],s:i,s:n}", "stateFilters", "producerIdFilters",
					"durationFilter", -1, "transactionalIdPattern"));
}

enum coordinator_of { OF_GROUP, OF_TRANSACTION };

/* The broker that coordinates what the path names; -1 with *ret_status. */
static int32_t coordinator(struct ask *a, enum coordinator_of what, int *ret_status)
{
	json_t *answer = control_call(
		a, first(a), API_FIND_COORDINATOR, FIND_COORDINATOR_VERSION,
		json_pack("{s:s,s:i}", "key", a->parts[1].data, "keyType", what), ret_status);
	int64_t code, node;

	if (!answer)
		return -1;
	code = json_integer_value(json_object_get(answer, "errorCode"));
	node = json_integer_value(json_object_get(answer, "nodeId"));
	json_decref(answer);
	if (code)
		*ret_status = ask_fail(a, 409, "no coordinator: %s", kafka_error_name((int)code));
	return code ? -1 : (int32_t)node;
}

/* As a KIP-848 group says it, or a classic one, whichever it is. */
int control_get_group(struct ask *a)
{
	int status;
	int32_t broker = coordinator(a, OF_GROUP, &status);
	json_t *answer, *group, *request;

	if (broker < 0)
		return status;
	request = json_pack("{s:[s],s:b}", "groupIds", a->parts[1].data,
			    "includeAuthorizedOperations", 0);
	answer = control_call(a, broker, API_CONSUMER_GROUP_DESCRIBE,
			      CONSUMER_GROUP_DESCRIBE_VERSION, request, &status);
	if (!answer)
		return status;
	group = json_array_get(json_object_get(answer, "groups"), 0);
	if (!json_integer_value(json_object_get(group, "errorCode")))
		put_json(a, answer);
	else
		status = forward(a, INSIDE_AS_OWN, broker, API_DESCRIBE_GROUPS,
				 DESCRIBE_GROUPS_VERSION,
				 json_pack("{s:[s],s:b}", "groups", a->parts[1].data,
					   "includeAuthorizedOperations", 0));
	json_decref(answer);
	return status;
}

int control_get_offsets(struct ask *a)
{
	int status;
	int32_t broker = coordinator(a, OF_GROUP, &status);

	if (broker < 0)
		return status;
	return forward(a, INSIDE_AS_OWN, broker, API_OFFSET_FETCH, OFFSET_FETCH_VERSION,
		       json_pack("{s:[{s:s,s:n,s:i,s:n}],s:b}", "groups", "groupId",
				 a->parts[1].data, "memberId", "memberEpoch", -1, "topics",
				 "requireStable", 0));
}

int control_get_transaction(struct ask *a)
{
	int status;
	int32_t broker = coordinator(a, OF_TRANSACTION, &status);

	if (broker < 0)
		return status;
	return forward(a, INSIDE_AS_OWN, broker, API_DESCRIBE_TRANSACTIONS,
		       DESCRIBE_TRANSACTIONS_VERSION,
		       json_pack("{s:[s]}", "transactionalIds", a->parts[1].data));
}

int control_list_events(struct ask *a)
{
	const char *name, *args, *what;

	json_open(&a->json, '{');
	json_key(&a->json, "events");
	json_open(&a->json, '[');
	for (size_t i = 0; happening_list(i, &name, &args, &what); i++) {
		json_open(&a->json, '{');
		json_key_text(&a->json, "event", name);
		json_key_text(&a->json, "args", args);
		json_key_text(&a->json, "what", what);
		json_close(&a->json, '}');
	}
	json_close(&a->json, ']');
	json_close(&a->json, '}');
	return 200;
}

int control_happen(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct str text = ask_text(a, "event");

	if (!text.data)
		return ask_fail(a, 400, "the body lacks \"event\"");
	if (service_happen(a->c->service, text, &e))
		return ask_error(a, 400, &e);
	json_open(&a->json, '{');
	json_key_str(&a->json, "event", text);
	json_close(&a->json, '}');
	return 201;
}

int control_call_api(struct ask *a)
{
	const char *version = ask_query(a, "version"), *broker = ask_query(a, "broker");
	int api = api_find(a->parts[1]);
	int64_t v, node = first(a);

	if (api < 0)
		return ask_fail(a, 404, "there is no API '" STR_FMT "'", STR_ARG(a->parts[1]));
	v = inside_version(a->c->service, api);
	if (version && !parse_int(str_of(version), 0, INT16_MAX, &v))
		return ask_fail(a, 400, "version takes a whole number, not '%s'", version);
	if (broker && !parse_int(str_of(broker), first(a),
				 first(a) + service_brokers(a->c->service) - 1, &node))
		return ask_fail(a, 400, "there is no broker '%s'", broker);
	return forward(a, INSIDE_AS_CLIENT, (int32_t)node, api, (int)v,
		       a->body ? json_incref(a->body) : json_object());
}
