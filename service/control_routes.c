/* What the control interface can do, as one table of routes; the handlers of rules, holds,
 * exchanges and the service itself. Cluster state and records are control_cluster.c's. */
#include "service/control_routes.h"

#include "base/shared.h"
#include "service/inside.h"

#include <event2/buffer.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXCHANGES_DEFAULT 1000
#define HAPPENED_DEFAULT  1000

static int list_routes(struct ask *a)
{
	json_open(&a->json, '{');
	json_key(&a->json, "routes");
	json_open(&a->json, '[');
	for (const struct route *r = control_routes; r->method; r++) {
		json_open(&a->json, '{');
		json_key_text(&a->json, "method", r->method);
		json_key_text(&a->json, "path", r->path);
		json_key_text(&a->json, "what", r->what);
		json_close(&a->json, '}');
	}
	json_close(&a->json, ']');
	json_close(&a->json, '}');
	return 200;
}

static int get_ready(struct ask *a)
{
	const struct service *s = a->c->service;

	json_open(&a->json, '{');
	json_key_bool(&a->json, "ready", true);
	json_key_text(&a->json, "bootstrap", service_bootstrap(s));
	json_key_int(&a->json, "connections", service_connections(s));
	json_key_int(&a->json, "connectionsTotal", service_connections_total(s));
	json_key_int(&a->json, "buffers", (int64_t)shared_count());
	json_key_int(&a->json, "bufferBytes", (int64_t)shared_bytes());
	json_close(&a->json, '}');
	return 200;
}

/* ---- rules ---- */

static void put_rule(struct json *j, struct rule *r)
{
	json_open(j, '{');
	json_key_str(j, "name", rule_name(r));
	json_key_str(j, "rule", rule_text(r));
	json_key_int(j, "hits", (int64_t)rule_hits(r));
	json_key_int(j, "matched", (int64_t)rule_matched(r));
	json_key_str(j, "nearestMiss", rule_nearest_miss(r));
	json_close(j, '}');
}

static int get_rules(struct ask *a)
{
	struct rules *rs = service_rules(a->c->service);

	json_open(&a->json, '{');
	json_key(&a->json, "rules");
	json_open(&a->json, '[');
	for (struct rule *r = NULL; (r = rules_next(rs, r));)
		put_rule(&a->json, r);
	json_close(&a->json, ']');
	json_close(&a->json, '}');
	return 200;
}

static struct rule *named_rule(struct ask *a)
{
	struct rule *r = rules_find(service_rules(a->c->service), a->parts[1]);

	if (!r)
		ask_fail(a, 404, "there is no rule '" STR_FMT "'", STR_ARG(a->parts[1]));
	return r;
}

static int get_rule(struct ask *a)
{
	struct rule *r = named_rule(a);

	if (r)
		put_rule(&a->json, r);
	return r ? 200 : 404;
}

static int add_rule(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct str text = ask_text(a, "rule");
	struct rule *r;

	if (!text.data)
		return ask_fail(a, 400, "the body lacks \"rule\"");
	r = service_add_rule(a->c->service, ask_text(a, "name"), text, &e);
	if (!r)
		return ask_error(a, 400, &e);
	put_rule(&a->json, r);
	return 201;
}

static int remove_rule(struct ask *a)
{
	struct rule *r = named_rule(a);

	if (!r)
		return 404;
	put_rule(&a->json, r);
	rules_remove(service_rules(a->c->service), a->parts[1]);
	return 200;
}

static int remove_rules(struct ask *a)
{
	struct rules *rs = service_rules(a->c->service);
	struct rule *r;
	int64_t removed = 0;

	for (; (r = rules_next(rs, NULL)); removed++)
		rules_remove(rs, rule_name(r));
	json_open(&a->json, '{');
	json_key_int(&a->json, "removed", removed);
	json_close(&a->json, '}');
	return 200;
}

static int reset_rule(struct ask *a)
{
	struct rule *r = named_rule(a);

	if (!r)
		return 404;
	rule_reset(r);
	put_rule(&a->json, r);
	return 200;
}

static int reset_rules(struct ask *a)
{
	rules_reset_counters(service_rules(a->c->service));
	return get_rules(a);
}

static int wait_rule(struct ask *a)
{
	if (!named_rule(a))
		return 404;
	return control_wait(a, WAIT_RULE, a->parts[1]);
}

/* ---- holds ---- */

static int get_hold(struct ask *a)
{
	json_open(&a->json, '{');
	json_key_str(&a->json, "name", a->parts[1]);
	json_key_int(&a->json, "held", service_held(a->c->service, a->parts[1]));
	json_close(&a->json, '}');
	return 200;
}

static int wait_hold(struct ask *a)
{
	return control_wait(a, WAIT_HOLD, a->parts[1]);
}

static int release_hold(struct ask *a)
{
	int32_t released = service_release(a->c->service, a->parts[1]);

	json_open(&a->json, '{');
	json_key_str(&a->json, "name", a->parts[1]);
	json_key_int(&a->json, "released", released);
	json_close(&a->json, '}');
	return 200;
}

/* ---- exchanges ---- */

static int read_query(struct ask *a, struct keep_query *ret_query)
{
	const char *since = ask_query(a, "since"), *limit = ask_query(a, "limit");
	int64_t n = 0;

	*ret_query = (struct keep_query){.match = str_of(ask_query(a, "match")),
					 .limit = EXCHANGES_DEFAULT,
					 .cluster = service_cluster(a->c->service)};
	if (since && !parse_int(str_of(since), 0, INT64_MAX / 16, &n))
		return ask_fail(a, 400, "since takes the id of an exchange, not '%s'", since);
	ret_query->since = (uint64_t)n;
	n = EXCHANGES_DEFAULT;
	if (limit && !parse_int(str_of(limit), 0, INT32_MAX, &n))
		return ask_fail(a, 400, "limit takes a whole number, not '%s'", limit);
	ret_query->limit = (int32_t)n;
	return 0;
}

static int get_exchanges(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct keep_query q;
	struct buf *out = &a->out;
	int64_t count;

	if (read_query(a, &q))
		return 400;
	buf_text(out, "{\"exchanges\":[");
	if (keep_query(a->c->keep, &q, out, &count, &e))
		return ask_error(a, 400, &e);
	buf_printf(out, "],\n\"count\":%lld}", (long long)count);
	return 200;
}

static int count_exchanges(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct keep_query q;
	int64_t count;

	if (read_query(a, &q))
		return 400;
	if (keep_query(a->c->keep, &q, NULL, &count, &e))
		return ask_error(a, 400, &e);
	json_open(&a->json, '{');
	json_key_int(&a->json, "count", count);
	json_key_int(&a->json, "total", (int64_t)keep_total(a->c->keep));
	json_key(&a->json, "totals");
	json_open(&a->json, '{');
	for (int key = 0; key <= API_KEY_MAX; key++)
		if (keep_count(a->c->keep, key))
			json_key_int(&a->json, api_name(key) ? api_name(key) : "unknown",
				     (int64_t)keep_count(a->c->keep, key));
	json_close(&a->json, '}');
	json_close(&a->json, '}');
	return 200;
}

static int wait_exchanges(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct keep_query q = {.match = str_of(ask_query(a, "match")),
			       .since = UINT64_MAX,
			       .cluster = service_cluster(a->c->service)};
	int64_t none;

	if (keep_query(a->c->keep, &q, NULL, &none, &e))
		return ask_error(a, 400, &e);
	return control_wait(a, WAIT_EXCHANGES, q.match);
}

/* ---- what happened ---- */

static int get_happened(struct ask *a)
{
	const char *since = ask_query(a, "since"), *limit = ask_query(a, "limit");
	struct happened_query q = {.match = str_of(ask_query(a, "match")),
				   .limit = HAPPENED_DEFAULT};
	int64_t from = 0, count;

	if (since && !parse_int(str_of(since), 0, INT64_MAX / 16, &from))
		return ask_fail(a, 400, "since takes an id, not '%s'", since);
	if (limit && !parse_int(str_of(limit), 0, INT32_MAX, &q.limit))
		return ask_fail(a, 400, "limit takes a whole number, not '%s'", limit);
	q.since = (uint64_t)from;
	json_open(&a->json, '{');
	json_key(&a->json, "happened");
	json_open(&a->json, '[');
	count = happened_query(a->c->happened, &q, &a->json);
	json_close(&a->json, ']');
	json_key_int(&a->json, "count", count);
	json_key_int(&a->json, "total", (int64_t)happened_total(a->c->happened));
	json_close(&a->json, '}');
	return 200;
}

static int wait_happened(struct ask *a)
{
	return control_wait(a, WAIT_HAPPENED, str_of(ask_query(a, "match")));
}

/* ---- the run ---- */

static int add_mark(struct ask *a)
{
	struct event ev = {.kind = EVENT_MARK, .time_us = clock_now().wall_us};

	ev.mark = ask_text(a, "name");
	if (!ev.mark.data)
		return ask_fail(a, 400, "the body lacks \"name\"");
	event_emit(service_events(a->c->service), &ev);
	json_open(&a->json, '{');
	json_key_str(&a->json, "mark", ev.mark);
	json_close(&a->json, '}');
	return 201;
}

/* The capture as it stands now. */
static int get_evidence(struct ask *a)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(a->req);
	struct evbuffer *body;
	struct stat st;
	int fd;

	if (!a->c->evidence)
		return ask_fail(a, 404, "nothing is captured: serve was started without --capture");
	if (a->c->config.on_flush)
		a->c->config.on_flush(a->c->config.ctx);
	fd = open(a->c->evidence, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return ask_fail(a, 500, "can't read %s", a->c->evidence);
	}
	body = evbuffer_new();
	evhttp_add_header(headers, "Content-Type", "application/vnd.tcpdump.pcap");
	if (evbuffer_add_file(body, fd, 0, st.st_size))
		close(fd);
	evhttp_send_reply(a->req, 200, NULL, body);
	evbuffer_free(body);
	return ASK_LATER;
}

static int reset_all(struct ask *a)
{
	service_reset(a->c->service);
	keep_clear(a->c->keep);
	happened_clear(a->c->happened);
	if (a->c->config.on_reset)
		a->c->config.on_reset(a->c->config.ctx);
	return get_ready(a);
}

const struct route control_routes[] = {
	{"GET", "/", "these routes", list_routes},
	{"GET", "/ready",
	 "that clients are served, where, how many are connected, and the frames and log "
	 "chunks held",
	 get_ready},
	{"GET", "/rules", "all rules in their order, with hits and nearest miss", get_rules},
	{"POST", "/rules", "adds a rule behind the others: {\"rule\", \"name\"?}", add_rule},
	{"DELETE", "/rules", "removes all rules", remove_rules},
	{"POST", "/rules/reset", "sets all counters to zero", reset_rules},
	{"GET", "/rules/{name}", "one rule", get_rule},
	{"DELETE", "/rules/{name}", "removes it", remove_rule},
	{"POST", "/rules/{name}/reset", "sets its counters to zero", reset_rule},
	{"GET", "/rules/{name}/wait",
	 "answers once it has acted ?count= times (1), or 408 after ?timeout= (30s)", wait_rule},
	{"GET", "/holds/{name}", "how many exchanges are held under that name", get_hold},
	{"GET", "/holds/{name}/wait", "answers once ?count= (1) are, or 408 after ?timeout= (30s)",
	 wait_hold},
	{"POST", "/holds/{name}/release", "lets them go on", release_hold},
	{"GET", "/exchanges",
	 "the last exchanges, newest last: ?match= a rule's match, ?since= an id, ?limit= (1000)",
	 get_exchanges},
	{"GET", "/exchanges/count", "how many of the kept ones match, and totals for ever",
	 count_exchanges},
	{"GET", "/exchanges/wait",
	 "answers once ?count= (1) exchanges after ?since= (0) ?match=, or 408 after ?timeout= "
	 "(30s)",
	 wait_exchanges},
	{"GET", "/cluster", "brokers, controller, topics: a Metadata answer, and which are down",
	 control_get_cluster},
	{"GET", "/topics/{topic}", "one topic: its part of a Metadata answer", control_get_topic},
	{"POST", "/topics",
	 "makes a topic: {\"name\", \"partitions\"?, \"replication\"?, \"leader\"?}",
	 control_add_topic},
	{"GET", "/topics/{topic}/partitions/{partition}",
	 "leader, epoch, and where the log starts, is stable, and ends", control_get_partition},
	{"GET", "/topics/{topic}/partitions/{partition}/batches",
	 "the same log as batches in hex: ?offset= (its start), ?limit= batches (1000)",
	 control_get_batches},
	{"GET", "/topics/{topic}/partitions/{partition}/records",
	 "reads the partition's log: ?offset= (its start), ?limit= records (1000)",
	 control_get_records},
	{"POST", "/topics/{topic}/partitions/{partition}/records",
	 "appends {\"values\": [...]}, {\"records\": [{\"key\", \"value\", \"headers\"}]} or "
	 "{\"batch\": HEX}; with \"asIs\": true unjudged, at \"offset\" (the log's end)",
	 control_add_records},
	{"GET", "/groups", "all groups: a ListGroups answer", control_get_groups},
	{"GET", "/groups/{group}",
	 "one group: a ConsumerGroupDescribe answer, or of a classic one DescribeGroups",
	 control_get_group},
	{"GET", "/groups/{group}/offsets", "what it has committed: an OffsetFetch answer",
	 control_get_offsets},
	{"GET", "/transactions", "all transactions: a ListTransactions answer",
	 control_get_transactions},
	{"GET", "/transactions/{id}", "one transaction: a DescribeTransactions answer",
	 control_get_transaction},
	{"POST", "/call/{api}",
	 "any request: the body is its JSON, ?version= (newest), ?broker= (1); the answer's JSON",
	 control_call_api},
	{"GET", "/events", "what can happen to the cluster", control_list_events},
	{"POST", "/events", "lets it happen: {\"event\": \"broker-down broker=2\"}",
	 control_happen},
	{"GET", "/happened",
	 "what happened to the cluster, newest last: ?match= a name and fields of its detail, "
	 "?since= an id, ?limit= (1000)",
	 get_happened},
	{"GET", "/happened/wait",
	 "answers once ?count= (1) of it after ?since= (0) ?match=, or 408 after ?timeout= (30s)",
	 wait_happened},
	{"POST", "/marks", "puts {\"name\"} into the evidence", add_mark},
	{"GET", "/evidence", "the capture so far, as pcapng", get_evidence},
	{"POST", "/reset",
	 "as after the start: connections closed, topics and rules of the command line, new "
	 "cluster id",
	 reset_all},
	{NULL, NULL, NULL, NULL},
};
