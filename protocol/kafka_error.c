/* Kafka's error codes as one constant table, indexed by code. The facts are those of Kafka 4.4.0;
 * the list itself is in the header. */
#include "protocol/kafka_error.h"

#include <stdlib.h>

#define NEAR_MAX 6 /* edits beyond which a name is no longer "near" */

struct info {
	const char *name;
	bool retriable, stale;
};

static const struct info infos[] = {
#define INFO(code, name, retriable, stale) [(code)-KAFKA_ERROR_MIN] = {#name, retriable, stale},
	KAFKA_ERRORS(INFO)
#undef INFO
};

#define INFO_COUNT ((int)(sizeof(infos) / sizeof(*infos)))

static const struct info *find(int code)
{
	static const struct info none;

	return code < KAFKA_ERROR_MIN || code - KAFKA_ERROR_MIN >= INFO_COUNT
		       ? &none
		       : &infos[code - KAFKA_ERROR_MIN];
}

const char *kafka_error_name(int code)
{
	return find(code)->name;
}

bool kafka_error_retriable(int code)
{
	return find(code)->retriable;
}

bool kafka_error_invalidates_metadata(int code)
{
	return find(code)->stale;
}

bool kafka_error_find(struct str name_or_code, int16_t *ret_code)
{
	char text[8], *end;
	long code;

	if (!name_or_code.data)
		return false;
	for (int i = 0; i < INFO_COUNT; i++) {
		if (!str_is(name_or_code, infos[i].name))
			continue;
		*ret_code = (int16_t)(i + KAFKA_ERROR_MIN);
		return true;
	}
	if (name_or_code.len < 1 || name_or_code.len >= (int32_t)sizeof(text))
		return false;
	memcpy(text, name_or_code.data, (size_t)name_or_code.len);
	text[name_or_code.len] = '\0';
	if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
		return false;
	code = strtol(text, &end, 10);
	if (*end || !find((int)code)->name)
		return false;
	*ret_code = (int16_t)code;
	return true;
}

const char *kafka_error_nearest(struct str name)
{
	const char *nearest = NULL;
	int least = NEAR_MAX + 1;

	for (int i = 0; i < INFO_COUNT; i++) {
		int distance = str_distance(name, str_of(infos[i].name));

		if (distance >= least)
			continue;
		least = distance;
		nearest = infos[i].name;
	}
	return nearest;
}
