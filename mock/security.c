/* What a broker without an authorizer and without SASL answers those who ask for either: rules 6
 * and 12 of the acceptance text. Owns nothing; here is the place where ACLs would come in. */
#include "mock/state.h"

#define NO_AUTHORIZER "no authorizer is configured"

/* Enumerations in which 0 says "unknown": a broker can't read such a request and hangs up. */
static bool filter_is_broken(int8_t resource_type, int8_t pattern_type, int8_t operation,
			     int8_t permission)
{
	return !resource_type || !pattern_type || !operation || !permission;
}

enum call_result describe_acls_work(struct cluster *c, struct call *call)
{
	const struct describe_acls_request *q = call->request;
	struct describe_acls_response *r;

	(void)c;
	if (filter_is_broken(q->resource_type_filter, q->pattern_type_filter, q->operation,
			     q->permission_type))
		return CALL_CLOSE;
	r = call_response(call, &describe_acls_response_schema);
	r->error_code = ERROR_SECURITY_DISABLED;
	r->error_message = str_of(NO_AUTHORIZER);
	return CALL_ANSWER;
}

enum call_result create_acls_work(struct cluster *c, struct call *call)
{
	const struct create_acls_request *q = call->request;
	struct create_acls_response *r = call_response(call, &create_acls_response_schema);

	(void)c;
	r->results = CALL_ARRAY(call, struct create_acls_response_results, q->creations_count);
	r->results_count = q->creations_count;
	for (int32_t i = 0; i < q->creations_count; i++) {
		const struct create_acls_request_creations *a = &q->creations[i];

		if (filter_is_broken(a->resource_type, a->resource_pattern_type, a->operation,
				     a->permission_type))
			return CALL_CLOSE;
		codec_init(&create_acls_response_results_schema, &r->results[i]);
		r->results[i].error_code = ERROR_SECURITY_DISABLED;
		r->results[i].error_message = str_of(NO_AUTHORIZER);
	}
	return CALL_ANSWER;
}

enum call_result delete_acls_work(struct cluster *c, struct call *call)
{
	const struct delete_acls_request *q = call->request;
	struct delete_acls_response *r = call_response(call, &delete_acls_response_schema);

	(void)c;
	r->filter_results =
		CALL_ARRAY(call, struct delete_acls_response_filter_results, q->filters_count);
	r->filter_results_count = q->filters_count;
	for (int32_t i = 0; i < q->filters_count; i++) {
		const struct delete_acls_request_filters *f = &q->filters[i];

		if (filter_is_broken(f->resource_type_filter, f->pattern_type_filter, f->operation,
				     f->permission_type))
			return CALL_CLOSE;
		codec_init(&delete_acls_response_filter_results_schema, &r->filter_results[i]);
		r->filter_results[i].error_code = ERROR_SECURITY_DISABLED;
		r->filter_results[i].error_message = str_of(NO_AUTHORIZER);
	}
	return CALL_ANSWER;
}

/* On a listener without SASL there is nothing to agree on. */
enum call_result sasl_handshake_work(struct cluster *c, struct call *call)
{
	struct sasl_handshake_response *r = call_response(call, &sasl_handshake_response_schema);

	(void)c;
	r->error_code = ERROR_ILLEGAL_SASL_STATE;
	return CALL_ANSWER;
}
