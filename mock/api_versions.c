/* ApiVersions: what the cluster speaks, and the features that clients read from it (KIP-584). Owns
 * nothing. */
#include "mock/state.h"

static const struct profile *profile(const struct cluster *c)
{
	return c->config.like ? c->config.like : profile_newest();
}

static void put_key(const struct cluster *c, struct api_versions_response *r, int key)
{
	struct api_versions_response_api_keys *k = &r->api_keys[r->api_keys_count++];

	codec_init(&api_versions_response_api_keys_schema, k);
	k->api_key = (int16_t)key;
	k->min_version = c->versions[key].min;
	k->max_version = c->versions[key].max;
}

static void put_features(const struct cluster *c, struct call *call,
			 struct api_versions_response *r)
{
	const struct profile_feature *list = features_list(c);

	r->supported_features = CALL_ARRAY(call, struct api_versions_response_supported_features,
					   PROFILE_FEATURES_MAX);
	r->finalized_features = CALL_ARRAY(call, struct api_versions_response_finalized_features,
					   PROFILE_FEATURES_MAX);
	for (int i = 0; i < PROFILE_FEATURES_MAX && list[i].name; i++) {
		const struct profile_feature *f = &list[i];
		int16_t level = c->features.levels[i];
		struct api_versions_response_supported_features *s =
			&r->supported_features[r->supported_features_count];
		struct api_versions_response_finalized_features *z =
			&r->finalized_features[r->finalized_features_count];

		/* Clients of version 3 take a minimum of 0 for malformed (KAFKA-17011). */
		if (f->min > 0 || call->header.api_version >= 4) {
			s->name = str_of(f->name);
			s->min_version = f->min;
			s->max_version = f->max;
			r->supported_features_count++;
		}
		if (level) {
			z->name = str_of(f->name);
			z->min_version_level = z->max_version_level = level;
			r->finalized_features_count++;
		}
	}
	r->finalized_features_epoch = c->features.epoch;
}

/* Letters, digits, '-' and '.', none of these two at either end (KIP-511). */
static bool software_ok(struct str s)
{
	if (!s.data || s.len == 0)
		return false;
	for (int32_t i = 0; i < s.len; i++) {
		char ch = s.data[i];
		bool alnum = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
			     (ch >= 'A' && ch <= 'Z');
		bool inner = (ch == '-' || ch == '.') && i > 0 && i < s.len - 1;

		if (!alnum && !inner)
			return false;
	}
	return true;
}

/* Cluster and broker are said together or not at all. */
static bool half_said(const struct api_versions_request *q)
{
	return !q->cluster_id.data != (q->node_id == -1);
}

/* A client that says which broker it expects is told to start over elsewhere (seen on 4.4.0). */
static bool elsewhere(const struct cluster *c, const struct call *call)
{
	const struct api_versions_request *q = call->request;

	return (q->cluster_id.data && !str_is(q->cluster_id, c->id_text)) ||
	       (q->node_id != -1 && q->node_id != call->broker);
}

enum call_result api_versions_work(struct cluster *c, struct call *call)
{
	const struct api_versions_request *q = call->request;
	struct api_versions_response *r = call_response(call, &api_versions_response_schema);

	if (call->header.api_version >= 3 &&
	    (!software_ok(q->client_software_name) || !software_ok(q->client_software_version))) {
		r->error_code = ERROR_INVALID_REQUEST;
		return CALL_ANSWER;
	}
	if (call->header.api_version >= 5 && half_said(q)) {
		r->error_code = ERROR_INVALID_REQUEST;
		return CALL_ANSWER;
	}
	if (call->header.api_version >= 5 && elsewhere(c, call)) {
		r->error_code = ERROR_REBOOTSTRAP_REQUIRED;
		return CALL_ANSWER;
	}
	r->api_keys = CALL_ARRAY(call, struct api_versions_response_api_keys, API_KEY_MAX + 1);
	for (int key = 0; key <= API_KEY_MAX; key++)
		if (c->versions[key].min <= c->versions[key].max)
			put_key(c, r, key);
	put_features(c, call, r);
	return CALL_ANSWER;
}

enum call_result api_versions_fallback(struct cluster *c, struct call *call)
{
	struct api_versions_response *r = call_response(call, &api_versions_response_schema);

	call->response_version = 0;
	r->error_code = ERROR_UNSUPPORTED_VERSION;
	r->api_keys = CALL_ARRAY(call, struct api_versions_response_api_keys, 1);
	if (!profile(c)->bare_fallback)
		put_key(c, r, API_API_VERSIONS);
	return CALL_ANSWER;
}
