/* DescribeLogDirs and AlterReplicaLogDirs: each broker has the one log directory that Kafka has by
 * default, as large as the memory that all logs share. */
#include "mock/asked.h"
#include "mock/fault.h"
#include "mock/state.h"

#include <limits.h>
#include <stdio.h>

#define LOG_DIR "/tmp/kafka-logs"

typedef struct describe_log_dirs_response_results_topics topic_answer;
typedef struct describe_log_dirs_response_results_topics_partitions partition_answer;
typedef struct describe_log_dirs_response_results dir_answer;

static bool is_here(const struct call *call, const struct partition *p)
{
	for (int32_t i = 0; p && i < p->replicas_count; i++)
		if (p->replicas[i] == call->broker)
			return true;
	return false;
}

static void put(const struct call *call, const struct partition *p, topic_answer *out)
{
	partition_answer *r;

	if (!is_here(call, p))
		return;
	r = &out->partitions[out->partitions_count++];
	r->partition_index = p->index;
	r->partition_size = p->log.size;
}

static void put_all(struct cluster *c, struct call *call, dir_answer *dir)
{
	struct topic *t, *next;

	dir->topics = CALL_ARRAY(call, topic_answer, HASH_CNT(by_name, c->topics.by_name));
	HASH_ITER (by_name, c->topics.by_name, t, next) {
		topic_answer *out = &dir->topics[dir->topics_count];

		out->name = call_str(call, t->name);
		out->partitions = CALL_ARRAY(call, partition_answer, t->partitions_count);
		for (int32_t i = 0; i < t->partitions_count; i++)
			put(call, t->partitions[i], out);
		dir->topics_count += out->partitions_count > 0;
	}
}

static void ask(const struct describe_log_dirs_request *q, struct call *call,
		struct asked_list *list)
{
	int32_t count = 0;

	for (int32_t i = 0; i < q->topics_count; i++)
		count += q->topics[i].partitions_count;
	asked_init(list, call, count);
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			asked_add(list, q->topics[i].topic, (struct uuid){0},
				  q->topics[i].partitions[k], i, k);
}

static void put_asked(struct cluster *c, struct call *call, dir_answer *dir)
{
	struct asked_list list;
	struct asked_topic *topics;
	int32_t kept = 0;

	ask(call->request, call, &list);
	topics = asked_by_topic(&list, call, &dir->topics_count);
	dir->topics = CALL_ARRAY(call, topic_answer, dir->topics_count);
	for (int32_t i = 0; i < dir->topics_count; i++) {
		dir->topics[i].name = topics[i].name;
		dir->topics[i].partitions = CALL_ARRAY(call, partition_answer, topics[i].count);
	}
	for (int32_t i = 0; i < list.count; i++) {
		const struct asked *a = &list.items[i];

		put(call, partition_find(topic_find(c, a->topic), a->partition),
		    &dir->topics[a->group]);
	}
	for (int32_t i = 0; i < dir->topics_count; i++)
		if (dir->topics[i].partitions_count)
			dir->topics[kept++] = dir->topics[i];
	dir->topics_count = kept;
}

enum call_result describe_log_dirs_work(struct cluster *c, struct call *call)
{
	const struct describe_log_dirs_request *q = call->request;
	struct describe_log_dirs_response *r =
		call_response(call, &describe_log_dirs_response_schema);
	dir_answer *dir = CALL_ARRAY(call, dir_answer, 1);

	codec_init(&describe_log_dirs_response_results_schema, dir);
	r->results = dir;
	r->results_count = 1;
	dir->log_dir = str_of(LOG_DIR);
	dir->total_bytes = (int64_t)c->memory.max;
	dir->usable_bytes = (int64_t)c->memory.max - (int64_t)c->memory.used;
	if (dir->usable_bytes < 0)
		dir->usable_bytes = 0;
	if (q->topics_count < 0)
		put_all(c, call, dir);
	else
		put_asked(c, call, dir);
	return CALL_ANSWER;
}

/* ---- AlterReplicaLogDirs ---- */

/* A partition on its way between directories is TOPIC-PARTITION.UUID-future. */
static int future_dir_length(const struct asked *a)
{
	return snprintf(NULL, 0, STR_FMT "-%d.%32s-future", STR_ARG(a->topic), a->partition, "");
}

static int16_t move(struct cluster *c, struct call *call, const struct asked *a, struct str path)
{
	const struct partition *p = partition_find(topic_find(c, a->topic), a->partition);
	int16_t code = call_fault(call, a->topic, a->partition);

	if (code)
		return code;
	if (future_dir_length(a) > NAME_MAX)
		return ERROR_INVALID_TOPIC_EXCEPTION;
	if (!str_is(path, LOG_DIR))
		return ERROR_LOG_DIR_NOT_FOUND;
	if (!p)
		return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	return is_here(call, p) ? ERROR_NONE : ERROR_REPLICA_NOT_AVAILABLE;
}

static void ask_dir(const struct alter_replica_log_dirs_request_dirs *d, int32_t at,
		    struct asked_list *list)
{
	for (int32_t i = 0; i < d->topics_count; i++)
		for (int32_t k = 0; k < d->topics[i].partitions_count; k++)
			asked_add(list, d->topics[i].name, (struct uuid){0},
				  d->topics[i].partitions[k], at, i);
}

static void ask_moves(const struct alter_replica_log_dirs_request *q, struct call *call,
		      struct asked_list *list)
{
	int32_t count = 0;

	for (int32_t d = 0; d < q->dirs_count; d++)
		for (int32_t i = 0; i < q->dirs[d].topics_count; i++)
			count += q->dirs[d].topics[i].partitions_count;
	asked_init(list, call, count);
	for (int32_t d = 0; d < q->dirs_count; d++)
		ask_dir(&q->dirs[d], d, list);
}

enum call_result alter_replica_log_dirs_work(struct cluster *c, struct call *call)
{
	const struct alter_replica_log_dirs_request *q = call->request;
	struct alter_replica_log_dirs_response *r =
		call_response(call, &alter_replica_log_dirs_response_schema);
	struct asked_list list;
	struct asked_topic *topics;

	ask_moves(q, call, &list);
	topics = asked_by_topic(&list, call, &r->results_count);
	r->results =
		CALL_ARRAY(call, struct alter_replica_log_dirs_response_results, r->results_count);
	for (int32_t i = 0; i < r->results_count; i++) {
		r->results[i].topic_name = topics[i].name;
		r->results[i].partitions =
			CALL_ARRAY(call, struct alter_replica_log_dirs_response_results_partitions,
				   topics[i].count);
	}
	for (int32_t i = 0; i < list.count; i++) {
		const struct asked *a = &list.items[i];
		struct alter_replica_log_dirs_response_results *t = &r->results[a->group];
		struct alter_replica_log_dirs_response_results_partitions *p =
			&t->partitions[t->partitions_count++];

		p->partition_index = a->partition;
		p->error_code = move(c, call, a, q->dirs[a->topic_at].path);
	}
	return CALL_ANSWER;
}
