/* AlterConfigs and IncrementalAlterConfigs: rule 11 of the acceptance text. A resource is changed
 * as a whole or not at all; each stands and falls by itself. What a request asks for becomes one
 * list of changes first, for the two APIs and all kinds of resources alike. */
#include "mock/broker_keys.h"
#include "mock/config_resource.h"
#include "mock/mem.h"
#include "mock/state.h"

#define VALUES_MAX 1000 /* of one broker; our own limit */

enum operation { OP_SET, OP_DELETE, OP_APPEND, OP_SUBTRACT };

struct change {
	struct str name, value;
	int8_t operation;
	struct str becomes; /* as it is to stand; null: removed */
};

/* One resource at work. */
struct alteration {
	struct cluster *c;
	struct call *call;
	int8_t type;
	struct str name;
	struct change *changes;
	int32_t count;
	bool replace; /* what is not named goes back to its default (AlterConfigs) */
	bool validate_only;
	struct str text; /* the error's */
};

/* Names of a request, by kind, and how often each is there. */
struct named {
	int32_t times;
	UT_hash_handle hh;
};

static struct named *note(struct call *call, struct named **all, int8_t type, struct str name)
{
	char *key = call_alloc(call, (size_t)name.len + 1);
	struct named *n;

	key[0] = (char)type;
	memcpy(key + 1, name.data, (size_t)name.len);
	HASH_FIND(hh, *all, key, (unsigned)name.len + 1, n);
	if (!n) {
		n = call_alloc(call, sizeof(*n));
		HASH_ADD_KEYPTR(hh, *all, key, (unsigned)name.len + 1, n);
	}
	n->times++;
	return n;
}

static int16_t refuse(struct alteration *w, int16_t code, const char *text, struct str about)
{
	w->text = call_printf(w->call, "%s: '" STR_FMT "'", text, STR_ARG(about));
	return code;
}

/* ---- keys and values ---- */

/* A broker's key with the bounds of the topics' key that it is the default of. */
static struct config_key broker_rule(const struct broker_key *key)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	struct config_key rule = {.name = key->name, .value = key->value, .type = key->type};

	rule.min = key->type == CONFIG_DOUBLE ? INT64_MIN : key->min;
	rule.max = key->type == CONFIG_INT ? INT32_MAX : INT64_MAX;
	for (size_t i = 0; i < count; i++)
		if (keys[i].synonym && !strcmp(keys[i].synonym, key->name)) {
			rule = keys[i];
			rule.name = key->name;
		}
	return rule;
}

static bool find_in(const struct config_key *keys, size_t count, struct str name,
		    struct config_key *ret)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(name, keys[i].name)) {
			*ret = keys[i];
			return true;
		}
	return false;
}

/* The key's rule; false if this kind of resource has no such key. */
static bool find_key(const struct alteration *w, struct str name, struct config_key *ret)
{
	const struct broker_key *broker_key;
	const struct config_key *keys;
	size_t count;

	switch (w->type) {
	case RESOURCE_TOPIC:
		keys = config_keys(&count);
		break;
	case RESOURCE_METRICS:
		keys = config_metrics_keys(&count);
		break;
	case RESOURCE_GROUP:
		keys = config_group_keys(&count);
		break;
	default:
		broker_key = broker_key_find(name);
		if (broker_key)
			*ret = broker_rule(broker_key);
		return broker_key != NULL;
	}
	return find_in(keys, count, name, ret);
}

/* Where values of this resource are kept; NULL for topics and for what has none yet. */
static struct config_set *set_of(const struct alteration *w, bool make)
{
	struct configs *cf = &w->c->configs;

	switch (w->type) {
	case RESOURCE_BROKER:
		return w->name.len
			       ? &cf->brokers[cluster_broker(w->c, w->call->broker) - w->c->brokers]
			       : &cf->cluster;
	case RESOURCE_METRICS:
		return configs_of(&cf->metrics, w->name, make);
	case RESOURCE_GROUP:
		return configs_of(&cf->groups, w->name, make);
	default:
		return NULL;
	}
}

/* The value that holds now, set or default: what a list is appended to. */
static struct str current(const struct alteration *w, const struct config_key *key)
{
	const struct topic *t = w->type == RESOURCE_TOPIC ? topic_find(w->c, w->name) : NULL;
	const struct config_set *set = set_of(w, false);
	const struct str *value = set ? config_set_get(set, str_of(key->name)) : NULL;
	bool is_set;

	if (t)
		return topic_config_get(&t->config, config_key_find(str_of(key->name)), &is_set);
	if (value)
		return *value;
	return key->value ? str_of(key->value) : str_of("");
}

/* The list with the items added, or without them. */
static struct str edited(struct alteration *w, struct str list, struct str items, bool append)
{
	char *out = call_alloc(w->call, (size_t)list.len + (size_t)items.len + 2);
	struct str item;
	int32_t len = 0;

	if (append) {
		len = list.len;
		memcpy(out, list.data, (size_t)len);
		if (len)
			out[len++] = ',';
		memcpy(out + len, items.data, (size_t)items.len);
		return (struct str){out, len + items.len};
	}
	while ((item = config_list_next(&list)).data) {
		if (config_list_has(items, item))
			continue;
		if (len)
			out[len++] = ',';
		memcpy(out + len, item.data, (size_t)item.len);
		len += item.len;
	}
	return (struct str){out, len};
}

static bool all_items(struct str list)
{
	struct str item;

	while ((item = config_list_next(&list)).data)
		if (!item.len)
			return false;
	return true;
}

/* ---- one change ---- */

/* How a kind of resource says that its request is wrong in form, or that a value can't be. */
static int16_t bad_value_code(const struct alteration *w)
{
	return w->type == RESOURCE_BROKER ? ERROR_INVALID_REQUEST : ERROR_INVALID_CONFIG;
}

static int16_t unknown_key(struct alteration *w, struct change *ch)
{
	if (ch->operation == OP_APPEND || ch->operation == OP_SUBTRACT)
		return refuse(w, ERROR_INVALID_CONFIG, "only lists are appended to", ch->name);
	if (w->type == RESOURCE_BROKER) { /* a plugin's key, for all we know */
		ch->becomes = ch->value;
		return ERROR_NONE;
	}
	return refuse(w, w->type == RESOURCE_METRICS ? ERROR_INVALID_REQUEST : ERROR_INVALID_CONFIG,
		      "there is no such key", ch->name);
}

/* What has a grammar of its own. */
static bool has_form(const struct config_key *key, struct str value)
{
	static const char filters[] = "client_instance_id,client_id,client_software_name,"
				      "client_software_version,client_source_address,"
				      "client_source_port";
	struct str item;

	if (!strcmp(key->name, "share.auto.offset.reset"))
		return str_is(value, "latest") || str_is(value, "earliest") ||
		       (value.len > 13 && !memcmp(value.data, "by_duration:P", 13));
	if (strcmp(key->name, "match") || !value.len)
		return true;
	while ((item = config_list_next(&value)).data) {
		const char *equals = memchr(item.data, '=', (size_t)item.len);

		if (!equals ||
		    !config_list_has(str_of(filters),
				     (struct str){item.data, (int32_t)(equals - item.data)}))
			return false;
	}
	return true;
}

static int16_t check_value(struct alteration *w, const struct config_key *key,
			   const struct change *ch)
{
	bool metrics_interval = w->type == RESOURCE_METRICS && key->type == CONFIG_INT;
	int64_t n;

	if (key->type == CONFIG_LIST && ch->becomes.len && !all_items(ch->becomes))
		return refuse(w, bad_value_code(w), "a list has no empty items", ch->name);
	if (config_value_ok(key, ch->becomes) && has_form(key, ch->becomes))
		return ERROR_NONE;
	return refuse(w,
		      metrics_interval && config_number(ch->becomes, &n) ? ERROR_INVALID_REQUEST
									 : bad_value_code(w),
		      "the value can't be", ch->becomes);
}

static int16_t check_change(struct alteration *w, struct change *ch)
{
	struct config_key key;

	ch->becomes = (struct str){0};
	if (ch->operation == OP_DELETE)
		return ERROR_NONE;
	if (!find_key(w, ch->name, &key))
		return unknown_key(w, ch);
	ch->becomes = ch->value;
	if (ch->operation != OP_SET) {
		if (key.type != CONFIG_LIST)
			return refuse(w, ERROR_INVALID_CONFIG, "only lists are appended to",
				      ch->name);
		ch->becomes = edited(w, current(w, &key), ch->value, ch->operation == OP_APPEND);
	}
	return check_value(w, &key, ch);
}

/* ---- what holds for all changes together ---- */

/* min.insync.replicas belongs to the cluster where there are eligible leader replicas. */
static int16_t check_min_insync(struct alteration *w, const struct change *ch)
{
	if (!str_is(ch->name, "min.insync.replicas") ||
	    !config_set_get(&w->c->configs.cluster, ch->name))
		return ERROR_NONE;
	if (w->name.len)
		return refuse(w, ERROR_INVALID_CONFIG, "set it for all brokers", ch->name);
	return ch->operation == OP_DELETE
		       ? refuse(w, ERROR_INVALID_CONFIG, "it can't be removed", ch->name)
		       : ERROR_NONE;
}

static bool is_security(struct str name)
{
	return name.len > 4 && (!memcmp(name.data, "ssl.", 4) || !memcmp(name.data, "sasl", 4));
}

static int16_t check_broker_keys(struct alteration *w)
{
	if (set_of(w, true)->count + (size_t)w->count > VALUES_MAX)
		return refuse(w, ERROR_POLICY_VIOLATION, "too many values are set", w->name);
	for (int32_t i = 0; i < w->count; i++) {
		const struct change *ch = &w->changes[i];
		const struct broker_key *key = broker_key_find(ch->name);
		int16_t code = check_min_insync(w, ch);

		if (code)
			return code;
		if (!key || ch->operation == OP_DELETE)
			continue;
		if (key->read_only)
			return refuse(w, ERROR_INVALID_REQUEST,
				      "this can't change while the broker runs", ch->name);
		if (is_security(ch->name))
			return refuse(w, ERROR_INVALID_REQUEST,
				      "this changes for one listener only", ch->name);
	}
	return ERROR_NONE;
}

static int64_t number_after(const struct alteration *w, const char *name)
{
	const struct config_key *key = config_key_find(str_of(name));
	struct str value = current(w, key);
	int64_t n = 0;

	for (int32_t i = 0; i < w->count; i++)
		if (str_is(w->changes[i].name, name))
			value = w->changes[i].becomes.data ? w->changes[i].becomes
							   : str_of(key->value);
	config_number(value, &n);
	return n;
}

static int16_t check_topic(struct alteration *w)
{
	if (!topic_find(w->c, w->name))
		return refuse(w, ERROR_UNKNOWN_TOPIC_OR_PARTITION, "there is no topic", w->name);
	if (number_after(w, "min.compaction.lag.ms") > number_after(w, "max.compaction.lag.ms"))
		return refuse(w, ERROR_INVALID_CONFIG,
			      "min.compaction.lag.ms is above max.compaction.lag.ms", w->name);
	return ERROR_NONE;
}

/* What a broker refuses before it hands the request to the controller. */
static int16_t check_form(struct alteration *w)
{
	const struct change *twice = NULL;
	struct named *keys = NULL;

	for (int32_t i = 0; i < w->count; i++) {
		const struct change *ch = &w->changes[i];

		if (!ch->value.data && ch->operation != OP_DELETE)
			return refuse(w, ERROR_INVALID_REQUEST, "a value is needed", ch->name);
	}
	for (int32_t i = 0; i < w->count && !twice; i++)
		if (note(w->call, &keys, 0, w->changes[i].name)->times > 1)
			twice = &w->changes[i];
	HASH_CLEAR(hh, keys);
	return twice ? refuse(w, ERROR_INVALID_REQUEST, "the key is there twice", twice->name)
		     : ERROR_NONE;
}

static int16_t check_operations(struct alteration *w)
{
	for (int32_t i = 0; i < w->count; i++) {
		const struct change *ch = &w->changes[i];

		if (ch->operation >= OP_SET && ch->operation <= OP_SUBTRACT)
			continue;
		if (w->type == RESOURCE_BROKER)
			return refuse(w, ERROR_INVALID_REQUEST, "there is no such operation",
				      ch->name);
		return ERROR_UNKNOWN_SERVER_ERROR; /* a real broker stumbles here */
	}
	return ERROR_NONE;
}

/* ---- doing it ---- */

static void apply_to_topic(const struct alteration *w)
{
	struct topic *t = topic_find(w->c, w->name);

	while (w->replace && t->config.overrides_count)
		topic_config_set(&t->config, t->config.overrides[0].key, (struct str){0});
	for (int32_t i = 0; i < w->count; i++) {
		const struct config_key *key = config_key_find(w->changes[i].name);

		if (key)
			topic_config_set(&t->config, key, w->changes[i].becomes);
	}
}

static void put(const struct alteration *w, struct config_set *set, const struct change *ch)
{
	struct config_key key;
	struct str value = {0};

	if (ch->becomes.data && find_key(w, ch->name, &key))
		value = config_value_normal(&key, ch->becomes);
	config_set_put(set, ch->name, value.data ? value : ch->becomes);
	mem_str_free(value);
}

static void apply(const struct alteration *w)
{
	struct config_set *set;

	if (w->type == RESOURCE_TOPIC) {
		apply_to_topic(w);
		return;
	}
	set = set_of(w, true);
	while (w->replace && set->count)
		config_set_put(set, set->list[0].name, (struct str){0});
	for (int32_t i = 0; i < w->count; i++)
		put(w, set, &w->changes[i]);
	if (w->type == RESOURCE_BROKER)
		configs_apply(w->c);
	configs_tidy(&w->c->configs.groups);
	configs_tidy(&w->c->configs.metrics);
}

static int16_t alter_level(struct alteration *w, const struct change *ch)
{
	const char *level = config_log_level(ch->value);

	if (ch->operation != OP_SET && ch->operation != OP_DELETE)
		return refuse(w, ERROR_INVALID_REQUEST, "a level is set or removed", ch->name);
	if (!str_is(ch->name, "root"))
		return refuse(w, ERROR_INVALID_CONFIG, "there is no logger", ch->name);
	if (ch->operation == OP_DELETE)
		return refuse(w, ERROR_INVALID_REQUEST, "its level can't be removed", ch->name);
	if (!level)
		return refuse(w, ERROR_INVALID_CONFIG, "there is no level", ch->value);
	if (!w->validate_only)
		w->c->configs.levels[cluster_broker(w->c, w->call->broker) - w->c->brokers] = level;
	return ERROR_NONE;
}

static int16_t alter_levels(struct alteration *w)
{
	int16_t code = ERROR_NONE;

	for (int32_t i = 0; i < w->count && !code; i++)
		code = alter_level(w, &w->changes[i]);
	return code;
}

static int16_t check_name(struct alteration *w)
{
	const char *text = "";
	int16_t code = config_resource_check(w->call, w->type, w->name, &text);

	if (w->type == RESOURCE_TOPIC && !w->name.len)
		code = ERROR_INVALID_REQUEST;
	if (w->type == RESOURCE_LOGGER && w->replace)
		code = ERROR_INVALID_REQUEST;
	return code ? refuse(w, code, text, w->name) : code;
}

static int16_t alter(struct alteration *w)
{
	int16_t code = check_form(w);

	if (!code)
		code = check_name(w);
	if (!code && w->type == RESOURCE_LOGGER)
		return alter_levels(w);
	if (!code)
		code = check_operations(w);
	if (!code && w->type == RESOURCE_BROKER)
		code = check_broker_keys(w);
	for (int32_t i = 0; i < w->count && !code; i++)
		code = check_change(w, &w->changes[i]);
	if (!code && w->type == RESOURCE_TOPIC)
		code = check_topic(w);
	if (!code && !w->validate_only)
		apply(w);
	return code;
}

/* ---- the two APIs ---- */

static int16_t alter_once(struct alteration *w, const struct named *resource)
{
	return resource->times > 1
		       ? refuse(w, ERROR_INVALID_REQUEST, "the resource is there twice", w->name)
		       : alter(w);
}

enum call_result alter_configs_work(struct cluster *c, struct call *call)
{
	const struct alter_configs_request *q = call->request;
	struct alter_configs_response *r = call_response(call, &alter_configs_response_schema);
	struct named *all = NULL, **named = CALL_ARRAY(call, struct named *, q->resources_count);

	r->responses =
		CALL_ARRAY(call, struct alter_configs_response_responses, q->resources_count);
	r->responses_count = q->resources_count;
	for (int32_t i = 0; i < q->resources_count; i++)
		named[i] = note(call, &all, q->resources[i].resource_type,
				q->resources[i].resource_name);
	for (int32_t i = 0; i < q->resources_count; i++) {
		const struct alter_configs_request_resources *in = &q->resources[i];
		struct alter_configs_response_responses *out = &r->responses[i];
		struct alteration w = {c,
				       call,
				       in->resource_type,
				       in->resource_name,
				       NULL,
				       in->configs_count,
				       true,
				       q->validate_only,
				       {0}};

		w.changes = CALL_ARRAY(call, struct change, in->configs_count);
		for (int32_t k = 0; k < in->configs_count; k++)
			w.changes[k] = (struct change){.name = in->configs[k].name,
						       .value = in->configs[k].value};
		out->resource_type = in->resource_type;
		out->resource_name = in->resource_name;
		out->error_code = alter_once(&w, named[i]);
		out->error_message = w.text;
	}
	HASH_CLEAR(hh, all);
	return CALL_ANSWER;
}

enum call_result incremental_alter_configs_work(struct cluster *c, struct call *call)
{
	const struct incremental_alter_configs_request *q = call->request;
	struct incremental_alter_configs_response *r =
		call_response(call, &incremental_alter_configs_response_schema);
	struct named *all = NULL, **named = CALL_ARRAY(call, struct named *, q->resources_count);

	r->responses = CALL_ARRAY(call, struct incremental_alter_configs_response_responses,
				  q->resources_count);
	r->responses_count = q->resources_count;
	for (int32_t i = 0; i < q->resources_count; i++)
		named[i] = note(call, &all, q->resources[i].resource_type,
				q->resources[i].resource_name);
	for (int32_t i = 0; i < q->resources_count; i++) {
		const struct incremental_alter_configs_request_resources *in = &q->resources[i];
		struct incremental_alter_configs_response_responses *out = &r->responses[i];
		struct alteration w = {c,
				       call,
				       in->resource_type,
				       in->resource_name,
				       NULL,
				       in->configs_count,
				       false,
				       q->validate_only,
				       {0}};

		w.changes = CALL_ARRAY(call, struct change, in->configs_count);
		for (int32_t k = 0; k < in->configs_count; k++)
			w.changes[k] =
				(struct change){.name = in->configs[k].name,
						.value = in->configs[k].value,
						.operation = in->configs[k].config_operation};
		out->resource_type = in->resource_type;
		out->resource_name = in->resource_name;
		out->error_code = alter_once(&w, named[i]);
		out->error_message = w.text;
	}
	HASH_CLEAR(hh, all);
	return CALL_ANSWER;
}
