/* Reads rules. The match and the options are read here, an action's arguments in actions.c; the
 * tables say what there is, and what they lack is refused by name with the nearest one that exists.
 * Pure; everything lies in the caller's arena. */
#include "rules/grammar.h"

#include "protocol/kafka_error.h"

#include <stdio.h>

#define LIST_MAX       64 /* alternatives of one key */
#define CONDITIONS_MAX 32

const struct key_info rule_key_infos[RULE_KEYS] = {
	[KEY_VERSION] = {"version", VALUE_INT, "the request's API version", 0, INT16_MAX},
	[KEY_BROKER] = {"broker", VALUE_INT, "node id of the broker that got it", 0, INT32_MAX},
	[KEY_TOPIC] =
		{"topic", VALUE_TEXT,
		 "a topic that the request is about, by name also where the request has an id "
		 "or leaves it to its fetch session",
		 0, 0},
	[KEY_PARTITION] = {"partition", VALUE_INT, "a partition that the request is about", 0,
			   INT32_MAX},
	[KEY_GROUP] = {"group", VALUE_TEXT, "the group id", 0, 0},
	[KEY_TXN] = {"txn", VALUE_TEXT, "the transactional id", 0, 0},
	[KEY_CLIENT] = {"client", VALUE_TEXT, "the client id in the request's header", 0, 0},
	[KEY_CONN] = {"conn", VALUE_INT, "number of the connection, from 1", 1, INT64_MAX / 16},
	[KEY_ERROR] = {"error", VALUE_ERROR, "an error code in the answer", 0, 0},
	[KEY_ACKS] = {"acks", VALUE_INT, "acks of a Produce: -1, 0, 1 (or all)", -1, INT16_MAX},
	[KEY_NTH] = {"nth", VALUE_INT, "acts on these of the matching requests, counted from 1", 1,
		     INT64_MAX / 16},
	[KEY_EVERY] = {"every", VALUE_POSITIVE, "acts on every Nth of the matching requests", 0, 0},
	[KEY_COUNT] = {"count", VALUE_POSITIVE, "acts at most so many times", 0, 0},
	[KEY_PROB] = {"prob", VALUE_SHARE, "acts with this probability, decided by the seed", 0, 0},
	[KEY_PER] = {"per", VALUE_PER,
		     "nth, every and count count apart for each client, conn or "
		     "partition",
		     0, 0},
	[KEY_FIELD] = {"PATH", VALUE_TEXT,
		       "a field of the request, such as topicData[*].name; one value, exactly", 0,
		       0},
};

/* A candidate for "did you mean": the nearest to text so far. */
struct nearest {
	struct str text;
	const char *name;
	int distance;
};

static void nearest_try(struct nearest *n, const char *name)
{
	int distance = str_distance(n->text, str_of(name));

	if (distance < n->distance) {
		n->distance = distance;
		n->name = name;
	}
}

static struct nearest nearest_init(struct str text)
{
	return (struct nearest){text, NULL, text.len > 4 ? 4 : 3};
}

static int unknown(struct error *e, struct word w, const char *what, const struct nearest *n)
{
	if (n->name)
		return error_at(e, ERR_USAGE, (size_t)w.column, NULL,
				"there is no %s '" STR_FMT "'; did you mean '%s'?", what,
				STR_ARG(n->text), n->name);
	return error_at(e, ERR_USAGE, (size_t)w.column, NULL, "there is no %s '" STR_FMT "'", what,
			STR_ARG(n->text));
}

static int api_unknown(struct error *e, struct word w, struct str name)
{
	struct nearest n = nearest_init(name);

	for (int key = 0; key <= API_KEY_MAX; key++)
		if (api_name(key))
			nearest_try(&n, api_name(key));
	nearest_try(&n, "any");
	return unknown(e, w, "API", &n);
}

static int parse_apis(struct parser *p)
{
	struct word w = words_take(&p->words);
	struct str rest = w.text, name;

	if (!w.text.data || str_is(w.text, "->"))
		return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL,
				"a rule begins with the APIs it is for, such as Produce,Fetch or "
				"any");
	if (str_is(w.text, "any")) {
		memset(p->rule->apis, 0xff, sizeof(p->rule->apis));
		return 0;
	}
	for (; list_next(&rest, &name); w.column += name.len + 1) {
		int key = api_find(name);

		if (key < 0)
			return api_unknown(p->e, w, name);
		p->rule->apis[key / 64] |= (uint64_t)1 << (key % 64);
	}
	return 0;
}

const char *rule_key_end(struct str word)
{
	int brackets = 0;

	for (int32_t i = 0; i < word.len; i++) {
		brackets += (word.data[i] == '[') - (word.data[i] == ']');
		if (word.data[i] == '=' && brackets <= 0)
			return word.data + i;
	}
	return NULL;
}

static int value_wrong(struct parser *p, struct word value, const char *key, const char *what)
{
	return error_at(p->e, ERR_USAGE, (size_t)value.column, NULL,
			"%s takes %s, not '" STR_FMT "'", key, what, STR_ARG(value.text));
}

static int error_unknown(struct parser *p, struct word value)
{
	const char *near = kafka_error_nearest(value.text);

	return error_at(p->e, ERR_USAGE, (size_t)value.column, NULL,
			"Kafka has no error '" STR_FMT "'%s%s%s", STR_ARG(value.text),
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int range_of(struct parser *p, const struct key_info *k, struct word value,
		    struct range *ret_range)
{
	char what[80];
	int16_t code;

	if (k->kind == VALUE_ERROR) {
		if (!kafka_error_find(value.text, &code))
			return error_unknown(p, value);
		*ret_range = (struct range){code, code};
		return 0;
	}
	if (k == &rule_key_infos[KEY_ACKS] && str_is(value.text, "all")) {
		*ret_range = (struct range){-1, -1};
		return 0;
	}
	if (parse_range(value.text, k->min, k->max, ret_range))
		return 0;
	snprintf(what, sizeof(what), "a whole number from %d or a range such as 3..5", (int)k->min);
	return value_wrong(p, value, k->name, what);
}

static int parse_list(struct parser *p, enum rule_key key, struct word value,
		      struct condition *ret_condition)
{
	const struct key_info *k = &rule_key_infos[key];
	struct range *ranges = arena_alloc(p->arena, LIST_MAX * sizeof(*ranges));
	struct str *texts = arena_alloc(p->arena, LIST_MAX * sizeof(*texts));
	struct str rest = value.text, element;
	struct condition c = {key, ranges, texts, 0, NULL};

	if (!ranges || !texts)
		return error_set(p->e, ERR_LIMIT, "the rule takes too much memory");
	for (; list_next(&rest, &element); value.column += element.len + 1) {
		if (c.count == LIST_MAX)
			return error_at(p->e, ERR_USAGE, (size_t)value.column, NULL,
					"%s takes at most %d alternatives", k->name, LIST_MAX);
		texts[c.count] = element;
		if (k->kind != VALUE_TEXT &&
		    range_of(p, k, (struct word){element, value.column}, &ranges[c.count]))
			return p->e->code;
		c.count++;
	}
	*ret_condition = c;
	return 0;
}

static int parse_per(struct parser *p, struct word value)
{
	static const char *const names[] = {"cluster", "client", "conn", "partition"};

	for (int i = PER_CLIENT; i <= PER_PARTITION; i++)
		if (str_is(value.text, names[i])) {
			p->rule->per = (enum per)i;
			return 0;
		}
	return value_wrong(p, value, "per", "client, conn or partition");
}

/* The keys that say when: they are no conditions. */
static int parse_trigger(struct parser *p, enum rule_key key, struct word value)
{
	const char *name = rule_key_infos[key].name;
	struct condition c;

	switch (key) {
	case KEY_NTH:
		if (parse_list(p, key, value, &c))
			return p->e->code;
		p->rule->nth = c.ranges;
		p->rule->nth_count = c.count;
		return 0;
	case KEY_EVERY:
	case KEY_COUNT:
		if (parse_int(value.text, 1, INT64_MAX,
			      key == KEY_EVERY ? &p->rule->every : &p->rule->count))
			return 0;
		return value_wrong(p, value, name, "a whole number from 1");
	case KEY_PROB:
		if (parse_share(value.text, &p->rule->prob))
			return 0;
		return value_wrong(p, value, name, "a share such as 0.25 or 25%");
	default:
		return parse_per(p, value);
	}
}

static int key_unknown(struct parser *p, struct word w, struct str name)
{
	struct nearest n = nearest_init(name);

	for (int key = 0; key < KEY_FIELD; key++)
		nearest_try(&n, rule_key_infos[key].name);
	return unknown(p->e, w, "key", &n);
}

/* path=value: one value, exactly, since it may hold any character. */
static int parse_field(struct parser *p, struct word name, struct word value)
{
	struct condition *c = &p->rule->conditions[p->rule->conditions_count];
	struct field_paths *paths = arena_zalloc(p->arena, sizeof(*paths));
	struct str *text = arena_alloc(p->arena, sizeof(*text));

	if (!paths || !text)
		return error_set(p->e, ERR_LIMIT, "the rule takes too much memory");
	if (field_paths_find(p, MESSAGE_REQUEST, name, paths))
		return p->e->code;
	*text = value.text;
	*c = (struct condition){.key = KEY_FIELD, .texts = text, .count = 1, .paths = paths};
	p->rule->conditions_count++;
	return field_paths_accept(p, paths, value);
}

/* A name that is a field of the request, or looks like a path to one. */
static bool is_field(const struct parser *p, struct str name)
{
	if (memchr(name.data, '[', (size_t)name.len) || memchr(name.data, '.', (size_t)name.len))
		return true;
	for (int key = 0; key <= API_KEY_MAX; key++) {
		const struct message *m = message_of_api(key, MESSAGE_REQUEST);

		if (m && rule_has_api(p->rule, key) && schema_find(m->schema, name))
			return true;
	}
	return false;
}

static int parse_key(struct parser *p, struct word w)
{
	const char *end = rule_key_end(w.text);
	struct str name = w.text;
	struct word value;
	struct parsed_rule *r = p->rule;
	int key = 0;

	if (!end)
		return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL,
				"key=value or -> is expected here, not '" STR_FMT "'",
				STR_ARG(w.text));
	name.len = (int32_t)(end - w.text.data);
	value.text = (struct str){end + 1, w.text.len - name.len - 1};
	value.column = w.column + name.len + 1;
	while (key < KEY_FIELD && !str_is(name, rule_key_infos[key].name))
		key++;
	if (key >= KEY_NTH && key < KEY_FIELD)
		return parse_trigger(p, (enum rule_key)key, value);
	if (r->conditions_count == CONDITIONS_MAX)
		return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL,
				"a rule takes at most %d conditions", CONDITIONS_MAX);
	if (key == KEY_FIELD && is_field(p, name))
		return parse_field(p, (struct word){name, w.column}, value);
	if (key == KEY_FIELD)
		return key_unknown(p, w, name);
	r->names_partitions |= key == KEY_TOPIC || key == KEY_PARTITION;
	r->on_answer |= key == KEY_ERROR;
	return parse_list(p, (enum rule_key)key, value, &r->conditions[r->conditions_count++]);
}

static int parse_match(struct parser *p)
{
	int code = parse_apis(p);

	while (!code && !str_is(words_peek(&p->words).text, "->")) {
		struct word w = words_take(&p->words);

		if (!w.text.data)
			return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL,
					"-> and an action are missing");
		code = parse_key(p, w);
	}
	return code;
}

static int parse_action(struct parser *p)
{
	struct nearest n;
	int action = ACTION_NONE + 1;

	words_take(&p->words); /* -> */
	p->action = words_take(&p->words);
	if (!p->action.text.data)
		return error_at(p->e, ERR_USAGE, (size_t)p->action.column, NULL,
				"an action is missing after ->");
	while (action < ACTIONS && !str_is(p->action.text, rule_action_infos[action].name))
		action++;
	if (action == ACTIONS) {
		n = nearest_init(p->action.text);
		for (int i = ACTION_NONE + 1; i < ACTIONS; i++)
			nearest_try(&n, rule_action_infos[i].name);
		return unknown(p->e, p->action, "action", &n);
	}
	if (!rule_action_infos[action].parse)
		return error_at(p->e, ERR_USAGE, (size_t)p->action.column, NULL,
				"the action '%s' is not built yet", rule_action_infos[action].name);
	p->rule->plan.action = (enum action)action;
	return rule_action_infos[action].parse(p);
}

static int parse_options(struct parser *p)
{
	struct word w;
	struct nearest n;

	while ((w = words_take(&p->words)).text.data) {
		if (str_is(w.text, "force")) {
			p->rule->force = true;
			continue;
		}
		n = nearest_init(w.text);
		nearest_try(&n, "force");
		nearest_try(&n, "before");
		nearest_try(&n, "after");
		return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL,
				"'" STR_FMT "' does not belong to the action '" STR_FMT
				"', and no option is called so%s%s%s",
				STR_ARG(w.text), STR_ARG(p->action.text),
				n.name ? "; did you mean '" : "", n.name ? n.name : "",
				n.name ? "'?" : "");
	}
	return 0;
}

int rule_parse(struct str text, struct arena *arena, struct parsed_rule *ret_rule, struct error *e)
{
	struct parser p = {.arena = arena, .e = e, .rule = ret_rule};
	int code;

	*ret_rule = (struct parsed_rule){.prob = -1};
	ret_rule->conditions = arena_alloc(arena, CONDITIONS_MAX * sizeof(struct condition));
	if (!ret_rule->conditions)
		return error_set(e, ERR_LIMIT, "the rule takes too much memory");
	code = words_split(text, arena, &p.words, e);
	if (!code)
		code = parse_match(&p);
	if (!code)
		code = parse_action(&p);
	if (!code)
		code = parse_options(&p);
	return code ? code : rule_check(&p);
}
