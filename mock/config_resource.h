/* What can be configured, as requests name it. */
#ifndef MOCK_CONFIG_RESOURCE_H
#define MOCK_CONFIG_RESOURCE_H

#include "mock/call.h"

enum resource_type {
	RESOURCE_TOPIC = 2,
	RESOURCE_BROKER = 4, /* one, or all where the name is "" */
	RESOURCE_LOGGER = 8,
	RESOURCE_METRICS = 16, /* a subscription (KIP-714) */
	RESOURCE_GROUP = 32,
};

bool config_resource_known(int8_t type);

/* Whether the broker that got the call can speak of the resource: INVALID_REQUEST,
 * INVALID_TOPIC_EXCEPTION, or 0; *ret_text is a constant that says why. Not whether it exists. */
int16_t config_resource_check(const struct call *call, int8_t type, struct str name,
			      const char **ret_text);

#endif
