/* What brokers' configuration consists of, for those who describe and change it. */
#ifndef MOCK_BROKER_KEYS_H
#define MOCK_BROKER_KEYS_H

#include "mock/config_value.h"

struct broker_key {
	const char *name;
	const char *value; /* the default; NULL: none */
	enum config_type type;
	bool read_only; /* can't be changed while the broker runs */
	int64_t min;	/* of a number that can */
};

/* All of them, by name. */
const struct broker_key *broker_keys(size_t *ret_count);
const struct broker_key *broker_key_find(struct str name);

#endif
