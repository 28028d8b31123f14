/* DeleteTopics: rule 10 of the acceptance text. Topics are given by name or, from version 6 on, by
 * id; what a request means twice is refused once. Any broker takes the request. */
#include "mock/asked.h"
#include "mock/fault.h"
#include "mock/state.h"

struct deletion {
	struct cluster *c;
	struct call *call;
	const struct delete_topics_request *request;
	struct delete_topics_response *response;
	uint64_t both; /* the mark of topics that are given by name and by id */
};

static void answer(struct deletion *w, struct str name, struct uuid id, int16_t code,
		   const char *text)
{
	struct delete_topics_response_responses *r =
		&w->response->responses[w->response->responses_count++];

	codec_init(&delete_topics_response_responses_schema, r);
	r->name = name;
	r->topic_id = id;
	r->error_code = code;
	r->error_message = text ? str_of(text) : (struct str){0};
}

static struct topic *find(const struct deletion *w, const struct asked *a)
{
	return a->topic.data ? topic_find(w->c, a->topic) : topic_by_id(w->c, a->topic_id);
}

static void delete_one(struct deletion *w, const struct asked *a)
{
	struct topic *t = find(w, a);
	struct str name = t ? call_str(w->call, t->name) : a->topic;
	struct uuid id = t ? t->id : a->topic_id;
	int16_t code = call_fault(w->call, name, -1);

	if (t && t->mark == w->both)
		return; /* refused already */
	if (code)
		answer(w, a->topic, a->topic_id, code, NULL);
	else if (w->request->timeout_ms < 0)
		answer(w, a->topic, a->topic_id, ERROR_REQUEST_TIMED_OUT, NULL);
	else if (a->twice)
		answer(w, a->topic, a->topic_id, ERROR_INVALID_REQUEST,
		       "the request gives this topic twice");
	else if (!t && a->topic.data)
		answer(w, a->topic, a->topic_id, ERROR_UNKNOWN_TOPIC_OR_PARTITION,
		       "there is no topic of that name");
	else if (!t)
		answer(w, a->topic, a->topic_id, ERROR_UNKNOWN_TOPIC_ID,
		       "there is no topic of that id");
	else {
		topic_delete(w->c, t);
		answer(w, name, id, ERROR_NONE, NULL);
	}
}

/* Refuses the topics that are given by name and by id, once each. */
static void refuse_both(struct deletion *w, const struct asked_list *list)
{
	uint64_t named = ++w->c->topics.mark;

	w->both = ++w->c->topics.mark;
	for (int32_t i = 0; i < list->count; i++) {
		struct topic *t = find(w, &list->items[i]);

		if (t && list->items[i].topic.data)
			t->mark = named;
	}
	for (int32_t i = 0; i < list->count; i++) {
		struct topic *t = find(w, &list->items[i]);

		if (!t || list->items[i].topic.data || t->mark != named)
			continue;
		t->mark = w->both;
		answer(w, call_str(w->call, t->name), t->id, ERROR_INVALID_REQUEST,
		       "the request gives this topic by name and by id");
	}
}

static void ask(struct deletion *w, struct asked_list *list)
{
	const struct delete_topics_request *q = w->request;

	for (int32_t i = 0; i < q->topic_names_count; i++)
		asked_add(list, q->topic_names[i], (struct uuid){0}, -1, i, 0);
	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct delete_topics_request_topics *t = &q->topics[i];
		bool has_id = !uuid_is_zero(t->topic_id);

		if (t->name.data && has_id)
			answer(w, t->name, t->topic_id, ERROR_INVALID_REQUEST,
			       "a topic is given by name or by id, not by both");
		else if (!t->name.data && !has_id)
			answer(w, t->name, t->topic_id, ERROR_INVALID_REQUEST,
			       "a topic needs a name or an id");
		else
			asked_add(list, t->name, t->topic_id, -1, i, 0);
	}
}

enum call_result delete_topics_work(struct cluster *c, struct call *call)
{
	const struct delete_topics_request *q = call->request;
	struct deletion w = {c, call, q, call_response(call, &delete_topics_response_schema), 0};
	int32_t count = q->topic_names_count + q->topics_count;
	struct asked_list list;

	if (c->config.broker.no_topic_deletion) {
		fault_refuse(c, call,
			     call->header.api_version < 3 ? ERROR_INVALID_REQUEST
							  : ERROR_TOPIC_DELETION_DISABLED);
		return CALL_ANSWER;
	}
	w.response->responses = CALL_ARRAY(call, struct delete_topics_response_responses, count);
	asked_init(&list, call, count);
	ask(&w, &list);
	refuse_both(&w, &list);
	for (int32_t i = 0; i < list.count; i++)
		delete_one(&w, &list.items[i]);
	return CALL_ANSWER;
}
