/* When an event is due in another run: not after so much time, but when as much is written, or
 * read, as was when it came. */
#include "harness/incident.h"

#include "protocol/messages.h"

/* When a batch got into its log; a moment before the capture for what was there. */
static int64_t written_at(const struct seen_partition *p, const struct seen_batch *b)
{
	if (seen_before(p, b))
		return INT64_MIN;
	if (b->produced)
		return b->produced->response_us ? b->produced->response_us
						: b->produced->request_us;
	return b->fetched ? b->fetched->request_us : INT64_MAX;
}

/* Somebody still tries to, with success or not. */
static bool is_written_on(const struct incident *in, const struct seen_topic *t, int64_t time_us)
{
	for (size_t i = in->count; i > 0 && in->list[i - 1].work_us > time_us; i--) {
		const struct about *a = &in->list[i - 1];

		for (int32_t k = 0; a->x->header.api_key == API_PRODUCE && k < a->partitions_count;
		     k++)
			if (str_eq(a->partitions[k].topic, t->name))
				return true;
	}
	return false;
}

/* Offsets of all partitions together; false where logs do not begin at 0, or nobody writes both
 * before and after. */
static bool count_written(const struct incident *in, const struct seen_topic *t,
			  struct incident_event *e)
{
	bool earlier = false, later = is_written_on(in, t, e->time_us);
	int64_t n = 0, since_us = 0;

	for (int32_t i = 0; i < t->partitions_count; i++) {
		const struct seen_partition *p = &t->partitions[i];
		int64_t end = 0;

		if (p->start_first > 0 || p->start_last > 0)
			return false;
		for (size_t k = 0; k < p->batches_count; k++) {
			int64_t at = written_at(p, &p->batches[k]);

			if (at > e->time_us)
				continue;
			earlier |= p->batches[k].produced != NULL;
			since_us = at > since_us ? at : since_us;
			end = p->batches[k].last_offset + 1;
		}
		n += end;
	}
	if (!earlier || !later)
		return false;
	e->has = n;
	e->since_us = since_us;
	return true;
}

/* Something that came after a cut. */
static bool is_read_anew(const struct seen_partition *p, int64_t time_us)
{
	for (size_t i = 0; i < p->anew_count; i++)
		if (p->anew[i].fetched && p->anew[i].fetched->response_us > time_us)
			return true;
	return false;
}

static bool count_read(struct incident *in, const struct seen_topic *t, struct incident_event *e)
{
	const struct session_exchange *last = NULL;
	bool later = false;
	int64_t n = 0;

	for (int32_t i = 0; i < t->partitions_count; i++) {
		later |= is_read_anew(&t->partitions[i], e->time_us);
		for (size_t k = 0; k < t->partitions[i].batches_count; k++) {
			const struct seen_batch *b = &t->partitions[i].batches[k];

			if (!b->fetched || b->control)
				continue;
			later |= b->fetched->response_us > e->time_us;
			if (b->fetched->response_us > e->time_us)
				continue;
			n += b->records;
			if (!last || b->fetched->response_us > last->response_us)
				last = b->fetched;
		}
	}
	if (!n || !later || !last)
		return false;
	e->read = n;
	e->before = in->by_index[last->index];
	e->since_us = last->response_us;
	return e->before != NULL;
}

/* The topic that it is about, or else any. */
void incident_find_anchors(struct incident *in)
{
	for (size_t i = 0; i < in->events_count; i++) {
		struct incident_event *e = &in->events[i];

		if (e->kind == HAPPENED_HELD)
			continue; /* it shows by itself */
		for (size_t k = 0; k < in->seen->topics_count && !e->has; k++)
			if (count_written(in, &in->seen->topics[k], e))
				e->topic = in->seen->topics[k].name;
		for (size_t k = 0; k < in->seen->topics_count && !e->has && !e->read; k++)
			if (count_read(in, &in->seen->topics[k], e))
				e->topic = in->seen->topics[k].name;
	}
}
