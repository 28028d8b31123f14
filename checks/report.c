/* Reading a subject's lines. Owns nothing but the parsed JSON behind one report; what is not there
 * stays null or -1, and judging it is left to the checks. */
#include "checks/report.h"

#include <jansson.h>
#include <stdlib.h>

static const struct {
	const char *name;
	enum report_kind kind;
} kinds[] = {
	{"record_data", REPORT_RECORD},		  {"producer_send_success", REPORT_SEND_SUCCESS},
	{"send_attempt", REPORT_SEND_ATTEMPT},	  {"records_consumed", REPORT_CONSUMED},
	{"offsets_committed", REPORT_COMMITTED},  {"producer_send_error", REPORT_SEND_ERROR},
	{"partitions_assigned", REPORT_ASSIGNED}, {"partitions_revoked", REPORT_REVOKED},
	{"partitions_lost", REPORT_LOST},	  {"startup_complete", REPORT_STARTUP},
	{"shutdown_complete", REPORT_SHUTDOWN},	  {"tool_data", REPORT_TOOL_DATA},
	{"transaction", REPORT_TRANSACTION},	  {"unsupported", REPORT_UNSUPPORTED},
};

static enum report_kind kind_of(struct str name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_is(name, kinds[i].name))
			return kinds[i].kind;
	return REPORT_OTHER;
}

static struct str text_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_string(v))
		return (struct str){0};
	return (struct str){json_string_value(v), (int32_t)json_string_length(v)};
}

static int64_t number_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : -1;
}

static void read_part(const json_t *object, struct report_part *ret_part)
{
	int64_t min_offset = number_of(object, "minOffset");

	ret_part->topic = text_of(object, "topic");
	ret_part->partition = (int32_t)number_of(object, "partition");
	ret_part->offset = min_offset >= 0 ? min_offset : number_of(object, "offset");
	ret_part->max_offset = number_of(object, "maxOffset");
	ret_part->count = number_of(object, "count");
	ret_part->error = text_of(object, "error");
}

static void read_parts(struct report *r, const json_t *root)
{
	const json_t *list = json_object_get(root, "partitions");
	size_t n;

	if (!json_is_array(list))
		list = json_object_get(root, "offsets");
	n = json_array_size(list);
	if (!n)
		return;
	r->parts = calloc(n, sizeof(*r->parts));
	if (!r->parts)
		abort();
	for (size_t i = 0; i < n; i++)
		read_part(json_array_get(list, i), &r->parts[i]);
	r->parts_count = (int32_t)n;
}

bool report_read(struct str line, struct report *ret_report)
{
	json_t *root =
		json_loadb(line.data ? line.data : "", (size_t)line.len, JSON_ALLOW_NUL, NULL);
	struct report r = {.json = root};

	r.name = text_of(root, "name");
	if (!r.name.data) {
		json_decref(root);
		return false;
	}
	r.kind = kind_of(r.name);
	r.key = text_of(root, "key");
	r.value = text_of(root, "value");
	r.topic = text_of(root, "topic");
	r.message = text_of(root, r.kind == REPORT_UNSUPPORTED ? "reason" : "message");
	r.exception = text_of(root, "exception");
	r.state = text_of(root, "state");
	r.partition = (int32_t)number_of(root, "partition");
	r.offset = number_of(root, "offset");
	r.sent = number_of(root, "sent");
	r.acked = number_of(root, "acked");
	r.success = !json_is_false(json_object_get(root, "success"));
	read_parts(&r, root);
	*ret_report = r;
	return true;
}

void report_release(struct report *r)
{
	free(r->parts);
	json_decref(r->json);
	*r = (struct report){0};
}
