/* What the inputs of fuzz_codec and fuzz_walk have in common: three bytes that choose a message and
 * version (so that added messages do not move the others), then its bytes. */
#ifndef TESTS_FUZZ_MESSAGE_INPUT_H
#define TESTS_FUZZ_MESSAGE_INPUT_H

#include "protocol/schema.h"

/* Byte 0: 0 request, 1 response, 2 anything else. Byte 1: API key, or which of the others. Byte 2:
 * version. NULL: there is no such message; else ret_version and ret_data are set. */
static inline const struct message *message_input(const uint8_t *data, size_t size,
						  int *ret_version, struct bytes *ret_data)
{
	const struct message *all, *m;
	size_t count, apis = 0;

	if (size < 3 || data[0] > 2)
		return NULL;
	all = message_all(&count);
	while (apis < count && all[apis].kind <= MESSAGE_RESPONSE)
		apis++;
	if (data[0] < 2)
		m = message_of_api(data[1], data[0] ? MESSAGE_RESPONSE : MESSAGE_REQUEST);
	else
		m = data[1] < count - apis ? &all[apis + data[1]] : NULL;
	if (!m || data[2] < m->since || data[2] > m->until)
		return NULL;
	*ret_version = data[2];
	*ret_data = (struct bytes){data + 3, (int32_t)(size - 3)};
	return m;
}

#endif
