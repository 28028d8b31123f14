/* Which fields of which messages say topic and partition: Kafka spells them in a handful of ways.
 */
#include "mock/fields.h"

static bool one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

bool field_names_topic(const struct schema_field *f)
{
	static const char *const names[] = {"name", "topic", "topicName", NULL};

	return f->type == FIELD_STRING && !f->array && one_of(f->name, names);
}

bool field_names_partition(const struct schema_field *f)
{
	static const char *const names[] = {"index", "partition", "partitionIndex", "partitionId",
					    NULL};

	return f->type == FIELD_INT32 && !f->array && one_of(f->name, names);
}

struct place place_enter(struct place p, const struct schema *s, int version, const void *msg)
{
	for (const struct schema_field *f = field_next(s, NULL); f; f = field_next(s, f)) {
		if (!field_in(f, version) || f->array)
			continue;
		if (field_names_topic(f))
			p.topic = *(struct str *)field_at(f, msg);
		else if (field_names_partition(f))
			p.partition = *(int32_t *)field_at(f, msg);
		else if (f->type == FIELD_UUID && !strcmp(f->name, "topicId"))
			p.topic_id = *(struct uuid *)field_at(f, msg);
	}
	return p;
}
