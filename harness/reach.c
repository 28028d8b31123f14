/* Reachability of rules, by the words of their match. Conservative: only what certainly can't act
 * is refused. */
#include "harness/reach.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 40

/* The match of a rule: the words before "->". */
struct match {
	struct str words[WORDS_MAX];
	int count;
};

static struct match match_of(struct str text)
{
	struct match m = {0};
	int32_t at = 0;

	while (at < text.len && m.count < WORDS_MAX) {
		int32_t start;

		while (at < text.len && text.data[at] == ' ')
			at++;
		start = at;
		while (at < text.len && text.data[at] != ' ')
			at++;
		if (at == start || str_is((struct str){text.data + start, at - start}, "->"))
			break;
		m.words[m.count++] = (struct str){text.data + start, at - start};
	}
	return m;
}

static bool is_limit(struct str word)
{
	static const char *const keys[] = {"nth=", "every=", "count=", "prob="};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (word.len > (int32_t)strlen(keys[i]) &&
		    !memcmp(word.data, keys[i], strlen(keys[i])))
			return true;
	return false;
}

static bool has_word(const struct match *m, struct str word)
{
	for (int i = 0; i < m->count; i++)
		if (str_eq(m->words[i], word))
			return true;
	return false;
}

/* Whether every request that b matches is taken by a, which stands before it. */
static bool shadows(const struct match *a, const struct match *b)
{
	for (int i = 0; i < a->count; i++)
		if (is_limit(a->words[i]) || !has_word(b, a->words[i]))
			return false;
	return true;
}

/* The value of "key=" among the words; null if it is not there or a list. */
static struct str value_of(const struct match *m, const char *key)
{
	size_t len = strlen(key);

	for (int i = 1; i < m->count; i++) {
		struct str w = m->words[i];

		if (w.len > (int32_t)len && !memcmp(w.data, key, len) &&
		    !memchr(w.data, ',', (size_t)w.len))
			return (struct str){w.data + len, w.len - (int32_t)len};
	}
	return (struct str){0};
}

static const struct plan_topic *topic_of(const struct case_plan *p, struct str name)
{
	for (int32_t i = 0; i < p->topics_count; i++)
		if (str_eq(p->topics[i].name, name))
			return &p->topics[i];
	return NULL;
}

static bool has_client(const struct case_plan *p, struct str client_id)
{
	for (int32_t i = 0; i < p->clients_count; i++) {
		if (p->clients[i].speaks == SPEAKS_NONE || str_eq(p->clients[i].name, client_id))
			return true;
		for (int32_t k = 0; k < p->clients[i].config_count; k++)
			if (str_is(p->clients[i].config[k].key, "client.id") &&
			    str_eq(p->clients[i].config[k].value, client_id))
				return true;
	}
	return false;
}

static bool has_group(const struct case_plan *p, struct str group)
{
	for (int32_t i = 0; i < p->clients_count; i++)
		if (p->clients[i].speaks == SPEAKS_NONE || str_eq(p->clients[i].group, group))
			return true;
	return false;
}

/* What a rule names that the plan does not have, as text; false if all is there. */
static bool names_nothing(const struct case_plan *p, const struct match *m, char *text, size_t size)
{
	struct str topic = value_of(m, "topic="), partition = value_of(m, "partition=");
	struct str client = value_of(m, "client="), group = value_of(m, "group="),
		   broker = value_of(m, "broker=");
	const struct plan_topic *t = topic.data ? topic_of(p, topic) : NULL;

	*text = '\0';
	if (topic.data && !t && !p->auto_create)
		snprintf(text, size, "there is no topic '" STR_FMT "'", STR_ARG(topic));
	else if (t && t->partitions > 0 && partition.data &&
		 strtol(partition.data, NULL, 10) >= t->partitions)
		snprintf(text, size, "topic '" STR_FMT "' has %d partitions", STR_ARG(topic),
			 t->partitions);
	else if (client.data && !has_client(p, client))
		snprintf(text, size, "there is no client '" STR_FMT "'", STR_ARG(client));
	else if (group.data && !has_group(p, group))
		snprintf(text, size, "no client is in a group '" STR_FMT "'", STR_ARG(group));
	else if (broker.data && strtol(broker.data, NULL, 10) > p->brokers)
		snprintf(text, size, "there are %d brokers", p->brokers);
	return *text;
}

bool reach_judge(const struct case_plan *plan, struct buf *out)
{
	struct match *all = calloc((size_t)plan->rules_count + 1, sizeof(*all));
	char what[300], text[600];
	bool ok = true;

	if (!all)
		abort();
	for (int32_t i = 0; i < plan->rules_count; i++) {
		const struct plan_rule *r = &plan->rules[i];
		int32_t k = 0;

		all[i] = match_of(r->text);
		while (k < i && !shadows(&all[k], &all[i]))
			k++;
		text[0] = '\0';
		if (k < i)
			snprintf(text, sizeof(text),
				 "this rule can't be reached: rule '" STR_FMT
				 "' acts first on all that it matches",
				 STR_ARG(plan->rules[k].name));
		else if (names_nothing(plan, &all[i], what, sizeof(what)))
			snprintf(text, sizeof(text), "this rule can't act: %s", what);
		if (text[0])
			source_complain(&plan->scenario->source, r->at, text, out);
		ok &= !text[0];
	}
	free(all);
	return ok;
}
