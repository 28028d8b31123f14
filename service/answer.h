/* What a rule can ask of an answer before it is written. */
#ifndef SERVICE_ANSWER_H
#define SERVICE_ANSWER_H

#include "base/arena.h"

/* All error codes in a response struct other than 0, in order, each once for every place; in the
 * arena. At most ANSWER_CODES_MAX. */
#define ANSWER_CODES_MAX 1024
const int16_t *answer_codes(int api_key, int version, const void *response, struct arena *arena,
			    int32_t *ret_count);

#endif
