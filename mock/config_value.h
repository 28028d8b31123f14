/* Values of configurations: which ones a key takes, and how they are kept. Texts throughout, as on
 * the wire. */
#ifndef MOCK_CONFIG_VALUE_H
#define MOCK_CONFIG_VALUE_H

#include "base/str.h"

#include <stdbool.h>

/* Types by the numbers of DescribeConfigs (KIP-569). */
enum config_type {
	CONFIG_UNKNOWN = 0,
	CONFIG_BOOLEAN = 1,
	CONFIG_STRING = 2,
	CONFIG_INT = 3,
	CONFIG_SHORT = 4,
	CONFIG_LONG = 5,
	CONFIG_DOUBLE = 6,
	CONFIG_LIST = 7,
	CONFIG_CLASS = 8,
	CONFIG_PASSWORD = 9,
};

/* Where a value comes from, as DescribeConfigs numbers it. */
enum config_source {
	CONFIG_SOURCE_TOPIC = 1,
	CONFIG_SOURCE_ONE_BROKER = 2, /* set for one broker at run time */
	CONFIG_SOURCE_CLUSTER = 3,    /* set for all brokers at run time */
	CONFIG_SOURCE_BROKER = 4,     /* the properties file */
	CONFIG_SOURCE_DEFAULT = 5,
	CONFIG_SOURCE_LOGGER = 6,
	CONFIG_SOURCE_METRICS = 7,
	CONFIG_SOURCE_GROUP = 8,
};

struct config_key {
	const char *name;
	const char *value;   /* the default */
	const char *synonym; /* the broker's key that sets the default; NULL: none that is shown */
	enum config_type type;
	int64_t min, max;    /* of INT and LONG */
	const char *choices; /* of STRING, LIST and BOOLEAN: "a,b,c"; NULL: anything */
};

/* The choices of a key whose value is "*" or a list of partition:broker. */
extern const char config_throttled_replicas[];

/* Whether the key takes the value; blanks around it do not matter. */
bool config_value_ok(const struct config_key *key, struct str value);

/* A value that is ok as it is kept and shown: without blanks, a list's items once each, booleans in
 * lower case, numbers without a plus sign. To be freed with mem_str_free. */
struct str config_value_normal(const struct config_key *key, struct str value);

/* The next item of a list without the blanks around it; *list moves behind it. Null at the end. */
struct str config_list_next(struct str *list);
bool config_list_has(struct str list, struct str item);

/* An INT or LONG. */
bool config_number(struct str value, int64_t *ret);

#endif
