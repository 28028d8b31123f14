/* InitProducerId for idempotent producers: an id that nobody had, epoch 0. Transactional ids are
 * mock/txn*.c's. */
#include "mock/state.h"

enum call_result init_producer_id_work(struct cluster *c, struct call *call)
{
	const struct init_producer_id_request *q = call->request;
	struct init_producer_id_response *r =
		call_response(call, &init_producer_id_response_schema);

	if (q->transactional_id.data) {
		r->error_code = q->transactional_id.len
					? ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
					: ERROR_INVALID_REQUEST;
		r->producer_epoch = -1;
		return CALL_ANSWER;
	}
	r->producer_id = c->next_producer_id++;
	return CALL_ANSWER;
}
