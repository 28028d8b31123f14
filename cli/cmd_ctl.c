/* `ktrial ctl`: a thin client of the control interface. Turns words into one HTTP request and
 * prints the JSON that comes back; what it means is the interface's. */
#include "cli/cmd.h"

#include "base/json.h"
#include "rules/words.h"
#include "service/control_client.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_OF_CTL_MAX 1000
#define ANSWER_MAX	 ((size_t)512 << 20)
#define TIMEOUT_S	 60
#define WAIT_DEFAULT_US	 30000000

static const char help[] =
	"usage: ktrial ctl [--to HOST:PORT] WHAT...\n"
	"\n"
	"Steers a running `ktrial serve` and prints the JSON that it answers. --to is what serve\n"
	"printed as control=; else the environment's KTRIAL_CONTROL, and KTRIAL_CONTROL_TOKEN "
	"where\n"
	"serve wants one.\n"
	"\n"
	"  ready                                    that it serves, and how many are connected\n"
	"  rule add 'RULE' [--name NAME]            rule list | show NAME | remove NAME | clear\n"
	"  rule wait NAME [--count N] [--timeout T] rule reset [NAME]\n"
	"  event broker-down broker=2               event list: what can happen\n"
	"  hold NAME                                how many exchanges are held; release NAME\n"
	"  wait hold NAME [--count N] [--timeout T] until so many are held\n"
	"  wait exchanges 'MATCH' [--since ID] [--count N] [--timeout T]\n"
	"  happened ['MATCH'] [--since ID] [--limit N]      what became of the cluster\n"
	"  wait happened 'leader-moved topic=t' [--since ID] [--count N] [--timeout T]\n"
	"  topic add NAME[:PARTITIONS[:RF]]         topic show NAME\n"
	"  partition TOPIC PARTITION                its leader and offsets\n"
	"  log TOPIC PARTITION [--offset N] [--limit N]     batches: the same in hex\n"
	"  append TOPIC PARTITION VALUE...\n"
	"  append TOPIC PARTITION --batch HEX [--as-is [--offset N]]\n"
	"  cluster, groups, group NAME, offsets GROUP, transactions, transaction ID\n"
	"  exchanges ['MATCH'] [--since ID] [--limit N]     count ['MATCH']\n"
	"  call API [JSON] [--version N] [--broker N]\n"
	"  mark NAME, evidence FILE, reset\n"
	"\n"
	"Exit status: 0; 1 it was refused, or not met in time; 2 wrong use; 4 nobody answers.\n";

enum {
	OPT_TO = 1,
	OPT_NAME,
	OPT_COUNT,
	OPT_TIMEOUT,
	OPT_OFFSET,
	OPT_LIMIT,
	OPT_SINCE,
	OPT_VERSION,
	OPT_BROKER,
	OPT_BATCH,
	OPT_AS_IS,
	OPTS
};

static const struct cmd_option options[] = {
	{"--to", OPT_TO, true},		{"--name", OPT_NAME, true},
	{"--count", OPT_COUNT, true},	{"--timeout", OPT_TIMEOUT, true},
	{"--offset", OPT_OFFSET, true}, {"--limit", OPT_LIMIT, true},
	{"--since", OPT_SINCE, true},	{"--version", OPT_VERSION, true},
	{"--broker", OPT_BROKER, true}, {"--batch", OPT_BATCH, true},
	{"--as-is", OPT_AS_IS, false},	{NULL, 0, false},
};

struct ctl {
	const char *words[WORDS_OF_CTL_MAX];
	int count;
	const char *values[OPTS];
	struct control_question question;
	struct buf path, body;
	struct json json;
	const char *file; /* the answer goes there */
};

/* One command: its words, how many more it takes, and the request that it becomes. */
struct form {
	const char *word, *second; /* second may be NULL */
	int least, most;	   /* further words */
	int (*build)(struct ctl *c, const char **words, int count);
};

static void part(struct ctl *c, const char *text)
{
	buf_byte(&c->path, '/');
	control_encode(&c->path, str_of(text));
}

static void query(struct ctl *c, int option, const char *key)
{
	if (!c->values[option])
		return;
	buf_byte(&c->path, memchr(c->path.data, '?', c->path.len) ? '&' : '?');
	buf_printf(&c->path, "%s=", key);
	control_encode(&c->path, str_of(c->values[option]));
}

static int get(struct ctl *c, const char *path)
{
	c->question.method = "GET";
	buf_text(&c->path, path);
	return 0;
}

static int post(struct ctl *c, const char *path)
{
	c->question.method = "POST";
	buf_text(&c->path, path);
	return 0;
}

static int build_ready(struct ctl *c, const char **words, int count)
{
	(void)words;
	(void)count;
	return get(c, "/ready");
}

static int build_rule_add(struct ctl *c, const char **words, int count)
{
	(void)count;
	json_open(&c->json, '{');
	json_key_text(&c->json, "rule", words[0]);
	if (c->values[OPT_NAME])
		json_key_text(&c->json, "name", c->values[OPT_NAME]);
	json_close(&c->json, '}');
	return post(c, "/rules");
}

static int build_rule_list(struct ctl *c, const char **words, int count)
{
	(void)words;
	(void)count;
	return get(c, "/rules");
}

static int build_rule_show(struct ctl *c, const char **words, int count)
{
	(void)count;
	get(c, "/rules");
	part(c, words[0]);
	return 0;
}

static int build_rule_remove(struct ctl *c, const char **words, int count)
{
	build_rule_show(c, words, count);
	c->question.method = "DELETE";
	return 0;
}

static int build_rule_clear(struct ctl *c, const char **words, int count)
{
	build_rule_list(c, words, count);
	c->question.method = "DELETE";
	return 0;
}

/* The wait of what the path names; the connection outlasts it. */
static int add_wait(struct ctl *c)
{
	int64_t us = WAIT_DEFAULT_US;

	if (c->values[OPT_TIMEOUT] && !parse_time(str_of(c->values[OPT_TIMEOUT]), &us))
		return cmd_usage(&cmd_ctl, "--timeout takes a time such as 5s, not %s",
				 c->values[OPT_TIMEOUT]);
	c->question.timeout_s = (int)(us / 1000000) + TIMEOUT_S;
	buf_text(&c->path, "/wait");
	query(c, OPT_COUNT, "count");
	query(c, OPT_TIMEOUT, "timeout");
	return 0;
}

static int build_rule_wait(struct ctl *c, const char **words, int count)
{
	build_rule_show(c, words, count);
	return add_wait(c);
}

static int build_rule_reset(struct ctl *c, const char **words, int count)
{
	post(c, "/rules");
	if (count)
		part(c, words[0]);
	buf_text(&c->path, "/reset");
	return 0;
}

static int build_hold(struct ctl *c, const char **words, int count)
{
	(void)count;
	get(c, "/holds");
	part(c, words[0]);
	return 0;
}

static int build_wait_hold(struct ctl *c, const char **words, int count)
{
	build_hold(c, words, count);
	return add_wait(c);
}

static int wait_match(struct ctl *c, const char *path, const char **words, int count)
{
	int status;

	get(c, path);
	status = add_wait(c);
	c->values[0] = count ? words[0] : NULL;
	query(c, 0, "match");
	query(c, OPT_SINCE, "since");
	return status;
}

static int build_wait_exchanges(struct ctl *c, const char **words, int count)
{
	return wait_match(c, "/exchanges", words, count);
}

static int build_wait_happened(struct ctl *c, const char **words, int count)
{
	return wait_match(c, "/happened", words, count);
}

static int build_release(struct ctl *c, const char **words, int count)
{
	build_hold(c, words, count);
	return post(c, "/release");
}

/* NAME[:PARTITIONS[:RF]] */
static int build_topic_add(struct ctl *c, const char **words, int count)
{
	static const char *const keys[] = {"partitions", "replication"};
	const char *colon = strchr(words[0], ':');
	struct str name = str_of(words[0]);
	struct str rest = colon ? str_of(colon + 1) : str_of(NULL);

	(void)count;
	name.len = colon ? (int32_t)(colon - words[0]) : name.len;
	json_open(&c->json, '{');
	json_key_str(&c->json, "name", name);
	for (int i = 0; i < 2 && rest.data; i++) {
		const char *end = memchr(rest.data, ':', (size_t)rest.len);
		struct str digits = {rest.data, end ? (int32_t)(end - rest.data) : rest.len};
		int64_t n;

		if (!parse_int(digits, 1, i ? INT16_MAX : INT32_MAX, &n))
			return cmd_usage(&cmd_ctl, "%s is not NAME[:PARTITIONS[:RF]]", words[0]);
		json_key_int(&c->json, keys[i], n);
		rest = end ? str_of(end + 1) : str_of(NULL);
	}
	json_close(&c->json, '}');
	return post(c, "/topics");
}

static int build_topic_show(struct ctl *c, const char **words, int count)
{
	(void)count;
	get(c, "/topics");
	part(c, words[0]);
	return 0;
}

static void partition_path(struct ctl *c, const char **words)
{
	buf_text(&c->path, "/topics");
	part(c, words[0]);
	buf_text(&c->path, "/partitions");
	part(c, words[1]);
}

static int build_partition(struct ctl *c, const char **words, int count)
{
	(void)count;
	partition_path(c, words);
	return get(c, "");
}

static int read_log(struct ctl *c, const char **words, const char *as)
{
	partition_path(c, words);
	get(c, as);
	query(c, OPT_OFFSET, "offset");
	query(c, OPT_LIMIT, "limit");
	return 0;
}

static int build_log(struct ctl *c, const char **words, int count)
{
	(void)count;
	return read_log(c, words, "/records");
}

static int build_batches(struct ctl *c, const char **words, int count)
{
	(void)count;
	return read_log(c, words, "/batches");
}

static int put_batch(struct ctl *c)
{
	int64_t offset = -1;

	if (c->values[OPT_OFFSET] &&
	    !parse_int(str_of(c->values[OPT_OFFSET]), 0, INT64_MAX / 16, &offset))
		return cmd_usage(&cmd_ctl, "--offset takes a whole number, not %s",
				 c->values[OPT_OFFSET]);
	json_key_text(&c->json, "batch", c->values[OPT_BATCH]);
	if (c->values[OPT_AS_IS])
		json_key_bool(&c->json, "asIs", true);
	if (offset >= 0)
		json_key_int(&c->json, "offset", offset);
	return 0;
}

static int build_append(struct ctl *c, const char **words, int count)
{
	int status = 0;

	if ((count > 2) == (c->values[OPT_BATCH] != NULL))
		return cmd_usage(&cmd_ctl, "append takes values, or --batch HEX");
	partition_path(c, words);
	json_open(&c->json, '{');
	if (c->values[OPT_BATCH]) {
		status = put_batch(c);
	} else {
		json_key(&c->json, "values");
		json_open(&c->json, '[');
		for (int i = 2; i < count; i++)
			json_text(&c->json, words[i]);
		json_close(&c->json, ']');
	}
	json_close(&c->json, '}');
	post(c, "/records");
	return status;
}

static int build_cluster(struct ctl *c, const char **words, int count)
{
	(void)words;
	(void)count;
	return get(c, "/cluster");
}

static int build_groups(struct ctl *c, const char **words, int count)
{
	(void)words;
	(void)count;
	return get(c, "/groups");
}

static int build_group(struct ctl *c, const char **words, int count)
{
	(void)count;
	get(c, "/groups");
	part(c, words[0]);
	return 0;
}

static int build_offsets(struct ctl *c, const char **words, int count)
{
	build_group(c, words, count);
	return get(c, "/offsets");
}

static int build_transaction(struct ctl *c, const char **words, int count)
{
	(void)count;
	get(c, "/transactions");
	part(c, words[0]);
	return 0;
}

static int build_transactions(struct ctl *c, const char **words, int count)
{
	(void)words;
	(void)count;
	return get(c, "/transactions");
}

static int list_match(struct ctl *c, const char *path, const char **words, int count)
{
	get(c, path);
	c->values[0] = count ? words[0] : NULL;
	query(c, 0, "match");
	query(c, OPT_SINCE, "since");
	query(c, OPT_LIMIT, "limit");
	return 0;
}

static int build_exchanges(struct ctl *c, const char **words, int count)
{
	return list_match(c, "/exchanges", words, count);
}

static int build_happened(struct ctl *c, const char **words, int count)
{
	return list_match(c, "/happened", words, count);
}

static int build_count(struct ctl *c, const char **words, int count)
{
	get(c, "/exchanges/count");
	c->values[0] = count ? words[0] : NULL;
	query(c, 0, "match");
	query(c, OPT_SINCE, "since");
	return 0;
}

static int build_call(struct ctl *c, const char **words, int count)
{
	post(c, "/call");
	part(c, words[0]);
	query(c, OPT_VERSION, "version");
	query(c, OPT_BROKER, "broker");
	buf_text(&c->body, count > 1 ? words[1] : "{}");
	return 0;
}

/* The words joined: one line of the events' grammar. */
static int build_event(struct ctl *c, const char **words, int count)
{
	struct buf line;

	if (!strcmp(words[0], "list"))
		return get(c, "/events");
	buf_init(&line, 1 << 16);
	for (int i = 0; i < count; i++)
		buf_printf(&line, "%s%s", i ? " " : "", words[i]);
	json_open(&c->json, '{');
	json_key_text(&c->json, "event", buf_cstr(&line));
	json_close(&c->json, '}');
	buf_release(&line);
	return post(c, "/events");
}

static int build_mark(struct ctl *c, const char **words, int count)
{
	(void)count;
	json_open(&c->json, '{');
	json_key_text(&c->json, "name", words[0]);
	json_close(&c->json, '}');
	return post(c, "/marks");
}

static int build_evidence(struct ctl *c, const char **words, int count)
{
	(void)count;
	c->file = words[0];
	return get(c, "/evidence");
}

static int build_reset(struct ctl *c, const char **words, int count)
{
	(void)words;
	(void)count;
	return post(c, "/reset");
}

static const struct form forms[] = {
	{"ready", NULL, 0, 0, build_ready},
	{"rule", "add", 1, 1, build_rule_add},
	{"rule", "list", 0, 0, build_rule_list},
	{"rule", "show", 1, 1, build_rule_show},
	{"rule", "remove", 1, 1, build_rule_remove},
	{"rule", "clear", 0, 0, build_rule_clear},
	{"rule", "wait", 1, 1, build_rule_wait},
	{"rule", "reset", 0, 1, build_rule_reset},
	{"event", NULL, 1, WORDS_OF_CTL_MAX, build_event},
	{"hold", NULL, 1, 1, build_hold},
	{"release", NULL, 1, 1, build_release},
	{"topic", "add", 1, 1, build_topic_add},
	{"topic", "show", 1, 1, build_topic_show},
	{"wait", "hold", 1, 1, build_wait_hold},
	{"wait", "exchanges", 0, 1, build_wait_exchanges},
	{"wait", "happened", 0, 1, build_wait_happened},
	{"partition", NULL, 2, 2, build_partition},
	{"log", NULL, 2, 2, build_log},
	{"batches", NULL, 2, 2, build_batches},
	{"append", NULL, 2, WORDS_OF_CTL_MAX, build_append},
	{"cluster", NULL, 0, 0, build_cluster},
	{"groups", NULL, 0, 0, build_groups},
	{"group", NULL, 1, 1, build_group},
	{"offsets", NULL, 1, 1, build_offsets},
	{"transaction", NULL, 1, 1, build_transaction},
	{"transactions", NULL, 0, 0, build_transactions},
	{"exchanges", NULL, 0, 1, build_exchanges},
	{"count", NULL, 0, 1, build_count},
	{"happened", NULL, 0, 1, build_happened},
	{"call", NULL, 1, 2, build_call},
	{"mark", NULL, 1, 1, build_mark},
	{"evidence", NULL, 1, 1, build_evidence},
	{"reset", NULL, 0, 0, build_reset},
};

#define FORM_COUNT (sizeof(forms) / sizeof(*forms))

static bool is_first_word(const char *word)
{
	for (size_t i = 0; i < FORM_COUNT; i++)
		if (!strcmp(forms[i].word, word))
			return true;
	return false;
}

static int missing_second(const struct ctl *c)
{
	char all[200] = "";
	size_t n = 0;

	for (size_t i = 0; i < FORM_COUNT; i++)
		if (!strcmp(forms[i].word, c->words[0]) && forms[i].second && n < sizeof(all))
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "",
					      forms[i].second);
	return cmd_usage(&cmd_ctl, "%s takes one of: %s%s%s%s", c->words[0], all,
			 c->count > 1 ? "; not '" : "", c->count > 1 ? c->words[1] : "",
			 c->count > 1 ? "'" : "");
}

static int build(struct ctl *c)
{
	const char *nearest;

	if (!c->count)
		return cmd_usage(&cmd_ctl, "what shall it do?");
	for (size_t i = 0; i < FORM_COUNT; i++) {
		const struct form *f = &forms[i];
		int own = f->second ? 2 : 1, more = c->count - own;

		if (strcmp(f->word, c->words[0]) != 0 || more < 0 ||
		    (f->second && strcmp(f->second, c->words[1]) != 0))
			continue;
		if (more < f->least || more > f->most)
			return cmd_usage(&cmd_ctl, "%s%s%s takes %s%d more word%s", f->word,
					 f->second ? " " : "", f->second ? f->second : "",
					 f->least == f->most ? "" : "at least ", f->least,
					 f->least == 1 ? "" : "s");
		return f->build(c, c->words + own, more);
	}
	if (is_first_word(c->words[0]))
		return missing_second(c);
	nearest = cmd_nearest(c->words[0], &forms[0].word, FORM_COUNT, sizeof(forms[0]));
	return cmd_usage(&cmd_ctl, "there is no '%s%s%s'%s%s%s", c->words[0],
			 c->count > 1 ? " " : "", c->count > 1 ? c->words[1] : "",
			 nearest && strcmp(nearest, c->words[0]) ? "; did you mean '" : "",
			 nearest && strcmp(nearest, c->words[0]) ? nearest : "",
			 nearest && strcmp(nearest, c->words[0]) ? "'?" : "");
}

static int read_words(struct ctl *c, int argc, char **argv)
{
	struct cmd_args args = {&cmd_ctl, options, argv, argc, 1, false};
	const char *value = NULL;

	for (;;) {
		int id = cmd_next(&args, &value);

		if (id == CMD_END)
			return 0;
		if (id == CMD_HELP)
			return -1;
		if (id == CMD_BAD)
			return EXIT_USAGE;
		if (id == CMD_WORD && c->count == WORDS_OF_CTL_MAX)
			return cmd_usage(&cmd_ctl, "at most %d words", WORDS_OF_CTL_MAX);
		if (id == CMD_WORD)
			c->words[c->count++] = value;
		else
			c->values[id] = value;
	}
}

static int find_server(struct ctl *c)
{
	struct error e = ERROR_INIT;
	const char *to = c->values[OPT_TO] ? c->values[OPT_TO] : getenv("KTRIAL_CONTROL");

	if (!to)
		return cmd_usage(&cmd_ctl, "where? --to HOST:PORT, as serve printed it behind "
					   "control=, or KTRIAL_CONTROL");
	if (service_address_parse(str_of(to), 0, &c->question.to, &e))
		return cmd_usage(&cmd_ctl, "%s", e.text);
	if (!c->question.to.port)
		return cmd_usage(&cmd_ctl, "'%s' lacks a port", to);
	c->question.token = getenv("KTRIAL_CONTROL_TOKEN");
	return 0;
}

static int write_file(const char *path, const struct buf *body)
{
	FILE *out = fopen(path, "wb");
	bool fine = out && fwrite(body->data, 1, body->len, out) == body->len;

	if (out && fclose(out))
		fine = false;
	if (fine)
		return EXIT_FINE;
	fprintf(stderr, "ktrial ctl: can't write %s\n", path);
	return EXIT_ENVIRONMENT;
}

/* The refusal as a person reads it, with a caret where the server gave a column of a rule. */
static int refused(const struct ctl *c, const struct buf *body)
{
	json_t *answer = json_loadb((const char *)body->data, body->len, 0, NULL);
	const json_t *column = json_object_get(answer, "column");
	const char *text = json_string_value(json_object_get(answer, "error"));
	bool rule = c->count > 2 && !strcmp(c->words[0], "rule") && !strcmp(c->words[1], "add");

	if (column && rule)
		fprintf(stderr, "  %s\n  %*s^\n", c->words[2], (int)json_integer_value(column), "");
	if (text)
		fprintf(stderr, "ktrial ctl: %s\n", text);
	else
		fprintf(stderr, "%.*s", (int)body->len, (const char *)body->data);
	json_decref(answer);
	return EXIT_FINDINGS;
}

static int ask(struct ctl *c)
{
	struct error e = ERROR_INIT;
	struct buf answer;
	int status;

	c->question.path = buf_cstr(&c->path);
	if (c->body.len)
		c->question.body = (struct str){buf_cstr(&c->body), (int32_t)c->body.len};
	buf_init(&answer, ANSWER_MAX);
	status = control_ask(&c->question, &answer, &e);
	if (status < 0) {
		fprintf(stderr, "ktrial ctl: %s\n", e.text);
		status = EXIT_ENVIRONMENT;
	} else if (status >= 300) {
		status = refused(c, &answer);
	} else if (c->file) {
		status = write_file(c->file, &answer);
	} else {
		fwrite(answer.data, 1, answer.len, stdout);
		status = EXIT_FINE;
	}
	buf_release(&answer);
	return status;
}

static int run(int argc, char **argv)
{
	struct ctl *c = calloc(1, sizeof(*c));
	int status;

	if (!c)
		abort();
	buf_init(&c->path, 1 << 20);
	buf_init(&c->body, 1 << 24);
	json_init(&c->json, &c->body);
	c->question.timeout_s = TIMEOUT_S;
	status = read_words(c, argc, argv);
	if (!status)
		status = build(c);
	if (!status)
		status = find_server(c);
	if (!status)
		status = ask(c);
	buf_release(&c->path);
	buf_release(&c->body);
	free(c);
	return status < 0 ? EXIT_FINE : status;
}

const struct command cmd_ctl = {
	.name = "ctl",
	.summary = "steer a running serve: rules, holds, records, state",
	.help = help,
	.run = run,
};
