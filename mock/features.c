/* UpdateFeatures, and the levels that it changes. What a real 4.4.0 controller was seen to refuse:
 * everything with INVALID_UPDATE_VERSION for the request as a whole, and then nothing changes. */
#include "mock/features.h"

#include "base/json.h"
#include "mock/fault.h"
#include "mock/state.h"

enum upgrade_type { UPGRADE = 1, SAFE_DOWNGRADE = 2, UNSAFE_DOWNGRADE = 3 };

typedef struct update_features_request_feature_updates update;

void features_init(struct cluster *c)
{
	const struct profile *p = c->config.like ? c->config.like : profile_newest();

	for (size_t i = 0; i < PROFILE_FEATURES_MAX; i++)
		c->features.levels[i] = p->features[i].finalized;
	c->features.epoch = p->features_epoch;
}

const struct profile_feature *features_list(const struct cluster *c)
{
	return (c->config.like ? c->config.like : profile_newest())->features;
}

/* Its place in the list, or -1. */
static int find(const struct cluster *c, struct str name)
{
	const struct profile_feature *list = features_list(c);

	for (int i = 0; i < PROFILE_FEATURES_MAX && list[i].name; i++)
		if (str_is(name, list[i].name))
			return i;
	return -1;
}

int16_t feature_level(const struct cluster *c, const char *name)
{
	int i = find(c, str_of(name));

	return i < 0 ? 0 : c->features.levels[i];
}

/* Records that newer versions wrote can't be taken back, and a quorum's way neither. */
static bool one_way(const char *name)
{
	return !strcmp(name, "metadata.version") || !strcmp(name, "kraft.version");
}

/* Why an update can't be; NULL if it can. type: what the request says, UPGRADE in version 0. */
static const char *refusal(const struct cluster *c, const update *u, int8_t type)
{
	int i = find(c, u->feature);
	const struct profile_feature *f = i < 0 ? NULL : &features_list(c)[i];
	bool lower = f && u->max_version_level < c->features.levels[i];

	if (u->max_version_level < 0)
		return "A feature version cannot be less than 0.";
	if (!f)
		return "The controller does not support this feature.";
	if (u->max_version_level < f->min || u->max_version_level > f->max)
		return "The controller does not support that version.";
	if (type < UPGRADE || type > UNSAFE_DOWNGRADE)
		return "The controller does not support the given upgrade type.";
	if (lower && type == UPGRADE)
		return "A downgrade needs an upgrade type that allows it.";
	if (lower && one_way(f->name))
		return "The version of this feature can't be lowered.";
	return NULL;
}

static void tell(struct cluster *c, const update *u)
{
	struct json j;

	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_str(&j, "feature", u->feature);
	json_key_int(&j, "level", u->max_version_level);
	json_close(&j, '}');
	cluster_event(c, "feature-updated", &c->scratch);
}

static void apply(struct cluster *c, const update *u)
{
	c->features.levels[find(c, u->feature)] = u->max_version_level;
	configs_features_changed(c);
	tell(c, u);
}

static void put_results(struct call *call, int16_t code, struct update_features_response *r)
{
	const struct update_features_request *q = call->request;

	if (call->header.api_version > 1)
		return;
	r->results =
		CALL_ARRAY(call, struct update_features_response_results, q->feature_updates_count);
	r->results_count = q->feature_updates_count;
	for (int32_t i = 0; i < q->feature_updates_count; i++) {
		r->results[i].feature = q->feature_updates[i].feature;
		r->results[i].error_code = code;
		r->results[i].error_message =
			str_of(code ? "The feature is not supported here." : "NONE");
	}
}

enum call_result update_features_work(struct cluster *c, struct call *call)
{
	const struct update_features_request *q = call->request;
	struct update_features_response *r = call_response(call, &update_features_response_schema);

	r->error_message = (struct str){0};
	if (c->config.like && c->config.like->zookeeper) {
		put_results(call, ERROR_INVALID_REQUEST, r); /* it has none */
		return CALL_ANSWER;
	}
	for (int32_t i = 0; i < q->feature_updates_count; i++) {
		const update *u = &q->feature_updates[i];
		const char *why =
			refusal(c, u, call->header.api_version ? u->upgrade_type : UPGRADE);

		if (!why)
			continue;
		r->error_code = ERROR_INVALID_UPDATE_VERSION;
		r->error_message = call_printf(call,
					       "The update failed for all features since "
					       "'" STR_FMT "' can't be set to %d: %s",
					       STR_ARG(u->feature), u->max_version_level, why);
		return CALL_ANSWER;
	}
	for (int32_t i = 0; i < q->feature_updates_count && !q->validate_only; i++)
		apply(c, &q->feature_updates[i]);
	if (q->feature_updates_count && !q->validate_only)
		c->features.epoch++;
	put_results(call, ERROR_NONE, r);
	return CALL_ANSWER;
}
