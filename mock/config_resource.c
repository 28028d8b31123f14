/* Names of resources, judged as a broker does before it looks for them. Owns nothing. */
#include "mock/config_resource.h"

#include "mock/state.h"

bool config_resource_known(int8_t type)
{
	return type == RESOURCE_TOPIC || type == RESOURCE_BROKER || type == RESOURCE_LOGGER ||
	       type == RESOURCE_METRICS || type == RESOURCE_GROUP;
}

static int16_t check_broker(const struct call *call, struct str name, const char **ret_text)
{
	int64_t id;

	*ret_text = "a broker is named by its number";
	if (!config_number(name, &id))
		return ERROR_INVALID_REQUEST;
	*ret_text = "this is not the broker that it asks about";
	return id == call->broker ? ERROR_NONE : ERROR_INVALID_REQUEST;
}

static int16_t check(const struct call *call, int8_t type, struct str name, const char **ret_text)
{
	switch (type) {
	case RESOURCE_TOPIC:
		*ret_text = "a topic's name has 1 to 249 letters, digits, '.', '_', '-'";
		return topic_name_ok(name) ? ERROR_NONE : ERROR_INVALID_TOPIC_EXCEPTION;
	case RESOURCE_BROKER:
		return name.len ? check_broker(call, name, ret_text) : ERROR_NONE;
	case RESOURCE_LOGGER:
		return check_broker(call, name, ret_text);
	case RESOURCE_METRICS:
	case RESOURCE_GROUP:
		*ret_text = "the name must not be empty";
		return name.len ? ERROR_NONE : ERROR_INVALID_REQUEST;
	default:
		*ret_text = "there is no such type of resource";
		return ERROR_INVALID_REQUEST;
	}
}

int16_t config_resource_check(const struct call *call, int8_t type, struct str name,
			      const char **ret_text)
{
	int16_t code = check(call, type, name, ret_text);

	if (!code)
		*ret_text = "";
	return code;
}
