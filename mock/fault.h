/* ACTION_ERROR of a rule, carried out for any API by its schema: which field of an answer takes
 * which code is found from the descriptors, not written down forty times. */
#ifndef MOCK_FAULT_H
#define MOCK_FAULT_H

#include "mock/call.h"

/* The code that a rule puts on this topic (partition -1) or partition before the work, or 0. Asked
 * by the APIs that are about topics. */
int16_t call_fault(const struct call *call, struct str topic, int32_t partition);

/* True if a rule will put its code on this partition after the work: it must then be in the answer.
 */
bool call_fault_later(const struct call *call, struct str topic, int32_t partition);

/* True if the whole request is refused before the work; call->response is then there. */
bool fault_before(struct cluster *c, struct call *call);

/* Answers a request as one that fails as a whole, with this code wherever the API has room for it.
 */
void fault_refuse(struct cluster *c, struct call *call, int16_t code);

/* After the work: puts the code into the answer. result is the handler's; returned is what holds
 * now (an error of an acks=0 Produce closes the connection). */
enum call_result fault_after(struct cluster *c, struct call *call, enum call_result result);

#endif
