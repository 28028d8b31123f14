/* What versions say in other ways, by tables: a single thing and a list of one, a topic's name and
 * its id. All else that a version lacks keeps its value, and the codec says whether it may be
 * dropped. */
#include "replay/convert.h"

#include "protocol/codec.h"
#include "protocol/messages.h"

/* What stands in the message itself in old versions and in the elements of a list in new ones. */
struct form {
	const struct schema *schema;
	const char *list;
	struct {
		const char *single, *element; /* NULL element: the list is of such values */
	} fields[6];
};

static const struct form forms[] = {
	{&find_coordinator_request_schema, "coordinatorKeys", {{"key", NULL}}},
	{&find_coordinator_response_schema,
	 "coordinators",
	 {{"errorCode", "errorCode"},
	  {"errorMessage", "errorMessage"},
	  {"nodeId", "nodeId"},
	  {"host", "host"},
	  {"port", "port"}}},
	{&offset_fetch_request_schema, "groups", {{"groupId", "groupId"}, {"topics", "topics"}}},
	{&offset_fetch_response_schema,
	 "groups",
	 {{"topics", "topics"}, {"errorCode", "errorCode"}}},
	{&leave_group_request_schema, "members", {{"memberId", "memberId"}}},
};

struct converting {
	const struct variables *v;
	enum side side;
	int from, to;
	const struct holder *request; /* of an answer */
	struct arena *arena;
	bool last; /* the message has its new form */
	bool full;
};

static const struct schema_field *find(const struct schema *s, const char *name)
{
	return schema_find(s, str_of(name));
}

/* ---- one struct's values as another's ---- */

static void copy_struct(struct converting *c, const struct schema *to, uint8_t *into,
			const struct schema *from, const uint8_t *of);

static void copy_array(struct converting *c, const struct schema_field *to, uint8_t *into,
		       const struct schema_field *from, const uint8_t *of)
{
	uint8_t *elements, *old;
	int32_t count;

	memcpy(&count, of + from->count_offset, sizeof(count));
	memcpy(&old, of + from->offset, sizeof(old));
	memcpy(into + to->count_offset, &count, sizeof(count));
	if (to->type != FIELD_STRUCT) {
		memcpy(into + to->offset, &old, sizeof(old));
		return;
	}
	elements = arena_alloc(c->arena, count > 0 ? (size_t)count * to->size : 1);
	if (!elements) {
		c->full = true;
		count = 0;
		memcpy(into + to->count_offset, &count, sizeof(count));
		return;
	}
	for (int32_t i = 0; i < count; i++)
		copy_struct(c, to->child, elements + (size_t)i * to->size, from->child,
			    old + (size_t)i * from->size);
	memcpy(into + to->offset, &elements, sizeof(elements));
}

static void copy_field(struct converting *c, const struct schema_field *to, uint8_t *into,
		       const struct schema_field *from, const uint8_t *of)
{
	if (to->array != from->array || to->type != from->type)
		return;
	if (to->array)
		copy_array(c, to, into, from, of);
	else if (to->type == FIELD_STRUCT && !to->pointer && !from->pointer)
		copy_struct(c, to->child, into + to->offset, from->child, of + from->offset);
	else if (to->type != FIELD_STRUCT)
		memcpy(into + to->offset, of + from->offset, to->size);
}

/* Fields of one name. */
static void copy_struct(struct converting *c, const struct schema *to, uint8_t *into,
			const struct schema *from, const uint8_t *of)
{
	const struct schema_field *f;

	codec_init(to, into);
	for (uint16_t i = 0; i < to->field_count; i++) {
		f = find(from, to->fields[i].name);
		if (f)
			copy_field(c, &to->fields[i], into, f, of);
	}
}

/* ---- forms ---- */

static void set_default(const struct schema *s, const struct schema_field *f, uint8_t *msg)
{
	const uint8_t *defaults = s->defaults;

	if (f->array) {
		memcpy(msg + f->offset, defaults + f->offset, sizeof(void *));
		memcpy(msg + f->count_offset, defaults + f->count_offset, sizeof(int32_t));
	} else {
		memcpy(msg + f->offset, defaults + f->offset,
		       f->pointer ? sizeof(void *) : f->size);
	}
}

static void set_list(const struct schema_field *list, uint8_t *msg, void *elements, int32_t count)
{
	memcpy(msg + list->offset, &elements, sizeof(elements));
	memcpy(msg + list->count_offset, &count, sizeof(count));
}

struct subject {
	struct str name;
};

static void find_subject(void *user, const struct leaf *l)
{
	struct subject *s = user;

	if (l->field && l->field->type == FIELD_STRING && !s->name.data &&
	    (l->role == ROLE_GROUP || l->role == ROLE_COORDINATOR_KEY))
		s->name = *(const struct str *)l->value;
}

/* What the request asked about: an element says it, a single answer does not. */
static void name_subject(const struct converting *c, const struct schema *s, uint8_t *element)
{
	struct subject subject = {{NULL, 0}};

	if (!c->request)
		return;
	leaves_each(c->request->schema, c->request->version, c->request->msg, find_subject,
		    &subject);
	for (uint16_t i = 0; i < s->field_count && subject.name.data; i++)
		if (role_of(s, &s->fields[i]) == ROLE_GROUP ||
		    role_of(s, &s->fields[i]) == ROLE_COORDINATOR_KEY)
			*(struct str *)(void *)(element + s->fields[i].offset) = subject.name;
}

static void to_list(struct converting *c, const struct form *form, const struct schema_field *list,
		    uint8_t *msg)
{
	uint8_t *element = arena_alloc(c->arena, list->size);

	if (!element) {
		c->full = true;
		return;
	}
	if (list->type == FIELD_STRUCT)
		codec_init(list->child, element);
	for (size_t i = 0; i < 6 && form->fields[i].single; i++) {
		const struct schema_field *single = find(form->schema, form->fields[i].single);

		if (!form->fields[i].element)
			memcpy(element, msg + single->offset, list->size);
		else
			copy_field(c, find(list->child, form->fields[i].element), element, single,
				   msg);
		if (!field_in(single, c->to))
			set_default(form->schema, single, msg);
	}
	if (list->type == FIELD_STRUCT)
		name_subject(c, list->child, element);
	set_list(list, msg, element, 1);
}

static int to_single(struct converting *c, const struct form *form, const struct schema_field *list,
		     uint8_t *msg, struct error *e)
{
	uint8_t *elements;
	int32_t count;

	memcpy(&elements, msg + list->offset, sizeof(elements));
	memcpy(&count, msg + list->count_offset, sizeof(count));
	if (count > 1)
		return error_at(e, ERR_UNSUPPORTED, ERROR_NO_OFFSET, list->name,
				"version %d has room for one of %d", c->to, count);
	for (size_t i = 0; i < 6 && form->fields[i].single && count == 1; i++) {
		const struct schema_field *single = find(form->schema, form->fields[i].single);

		if (!form->fields[i].element)
			memcpy(msg + single->offset, elements, list->size);
		else
			copy_field(c, single, msg, find(list->child, form->fields[i].element),
				   elements);
	}
	set_default(form->schema, list, msg);
	return 0;
}

/* Names of topics and structs with a name. */
static void convert_delete_topics(struct converting *c, struct delete_topics_request *r)
{
	if (c->from < 6 && c->to >= 6) {
		r->topics = arena_alloc(c->arena,
					sizeof(*r->topics) * (size_t)(r->topic_names_count + 1));
		c->full |= !r->topics;
		r->topics_count = r->topics ? r->topic_names_count : 0;
		for (int32_t i = 0; i < r->topics_count; i++) {
			codec_init(&delete_topics_request_topics_schema, &r->topics[i]);
			r->topics[i].name = r->topic_names[i];
		}
		r->topic_names_count = 0;
	} else if (c->from >= 6 && c->to < 6) {
		r->topic_names = arena_alloc(c->arena, sizeof(*r->topic_names) *
							       (size_t)(r->topics_count + 1));
		c->full |= !r->topic_names;
		r->topic_names_count = r->topic_names ? r->topics_count : 0;
		for (int32_t i = 0; i < r->topic_names_count; i++)
			r->topic_names[i] = r->topics[i].name;
		r->topics_count = 0;
	}
}

/* Version 0 asks for all topics with an empty list, the others with null. */
static void convert_metadata(const struct converting *c, struct metadata_request *r)
{
	if (c->from == 0 && c->to > 0 && r->topics_count == 0)
		r->topics_count = -1;
	else if (c->to == 0 && r->topics_count < 0)
		r->topics_count = 0;
}

static int convert_form(struct converting *c, const struct schema *s, void *msg, struct error *e)
{
	const struct schema_field *list;

	if (s == &delete_topics_request_schema)
		convert_delete_topics(c, msg);
	if (s == &metadata_request_schema)
		convert_metadata(c, msg);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].schema != s)
			continue;
		list = find(s, forms[i].list);
		if (!field_in(list, c->from) && field_in(list, c->to))
			to_list(c, &forms[i], list, msg);
		else if (field_in(list, c->from) && !field_in(list, c->to))
			return to_single(c, &forms[i], list, msg, e);
	}
	return 0;
}

/* ---- topics ---- */

static const struct schema_field *by_role(const struct schema *s, enum role role)
{
	for (uint16_t i = 0; i < s->field_count; i++)
		if (!s->fields[i].array && s->fields[i].type != FIELD_STRUCT &&
		    role_of(s, &s->fields[i]) == role)
			return &s->fields[i];
	return NULL;
}

/* An id that the other side does not know has stayed as it was. */
static struct str topic_name(const struct converting *c, struct uuid id)
{
	struct str name = variables_topic_name(c->v, c->side, id);

	return name.data ? name : variables_topic_name(c->v, !c->side, id);
}

/* Both ways to name a topic, where one is known; in the end what the version lacks is taken away.
 */
static void name_topic(void *user, const struct leaf *l)
{
	struct converting *c = user;
	const struct schema_field *name_field, *id_field;
	struct str *name;
	struct uuid *id;

	if (l->field)
		return;
	id_field = by_role(l->schema, ROLE_TOPIC_ID);
	name_field = id_field ? by_role(l->schema, ROLE_TOPIC) : NULL;
	if (!name_field)
		return;
	name = (void *)((uint8_t *)l->holder + name_field->offset);
	id = (void *)((uint8_t *)l->holder + id_field->offset);
	if (!name->len && !uuid_is_zero(*id) && (!c->last || field_in(name_field, c->to)))
		*name = topic_name(c, *id);
	else if (name->len && uuid_is_zero(*id) && (!c->last || !field_in(name_field, c->to)))
		*id = variables_id_of_topic(c->v, c->side, *name);
	if (!name->data && !field_nullable(name_field, c->to))
		*name = str_of("");
	if (c->last && !field_in(name_field, c->to))
		set_default(l->schema, name_field, l->holder);
	if (c->last && !field_in(id_field, c->to))
		set_default(l->schema, id_field, l->holder);
}

int convert_message(const struct schema *s, int from, int to, const struct variables *v,
		    enum side side, const struct holder *request, void *msg, struct arena *arena,
		    struct error *e)
{
	struct converting c = {v, side, from, to, request, arena, false, false};
	int rc;

	if (from == to)
		return 0;
	leaves_each(s, from, msg, name_topic, &c);
	rc = convert_form(&c, s, msg, e);
	if (rc == 0 && c.full)
		rc = error_set(e, ERR_LIMIT, "no room to say it in version %d", to);
	if (rc)
		return rc;
	c.last = true;
	leaves_each(s, to, msg, name_topic, &c);
	return 0;
}
