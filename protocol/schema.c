/* Finding messages by key and by name. The tables themselves are schemac's (messages.c). */
#include "protocol/schema.h"

#include "protocol/messages.h"

#include <stdlib.h>

const struct message *message_all(size_t *ret_count)
{
	*ret_count = schema_messages_count;
	return schema_messages;
}

const struct message *message_of_api(int api_key, enum message_kind kind)
{
	static const struct message *index[API_KEY_MAX + 1][2];
	static bool filled;

	if (!filled) {
		for (size_t i = 0; i < schema_messages_count; i++) {
			const struct message *m = &schema_messages[i];

			if (m->kind <= MESSAGE_RESPONSE)
				index[m->key][m->kind] = m;
		}
		filled = true;
	}
	if (api_key < 0 || api_key > API_KEY_MAX || kind > MESSAGE_RESPONSE)
		return NULL;
	return index[api_key][kind];
}

const struct message *message_find(struct str name, enum message_kind kind)
{
	for (size_t i = 0; i < schema_messages_count; i++)
		if (schema_messages[i].kind == kind && str_is(name, schema_messages[i].name))
			return &schema_messages[i];
	return NULL;
}

const char *api_name(int api_key)
{
	const struct message *m = message_of_api(api_key, MESSAGE_REQUEST);

	return m ? m->name : NULL;
}

int api_find(struct str name_or_key)
{
	const struct message *m = message_find(name_or_key, MESSAGE_REQUEST);
	int key = 0;

	if (m)
		return m->key;
	if (!name_or_key.data || name_or_key.len < 1 || name_or_key.len > 3)
		return -1;
	for (int32_t i = 0; i < name_or_key.len; i++) {
		if (name_or_key.data[i] < '0' || name_or_key.data[i] > '9')
			return -1;
		key = key * 10 + name_or_key.data[i] - '0';
	}
	return api_name(key) ? key : -1;
}

const struct schema_field *schema_find(const struct schema *s, struct str name)
{
	for (uint16_t i = 0; i < s->field_count; i++)
		if (str_is(name, s->fields[i].name))
			return &s->fields[i];
	return NULL;
}

const struct schema_field *schema_nearest(const struct schema *s, int version, struct str name)
{
	const struct schema_field *nearest = NULL;
	int least = 1 + name.len / 2; /* at most half of what was typed may be wrong */

	for (uint16_t i = 0; i < s->field_count; i++) {
		int distance = str_distance(name, str_of(s->fields[i].name));

		if (!field_in(&s->fields[i], version) || distance >= least)
			continue;
		least = distance;
		nearest = &s->fields[i];
	}
	return nearest;
}
