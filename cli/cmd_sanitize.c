/* `ktrial sanitize`: a capture fit to be sent to a colleague. Reads the options and tells what was
 * done; hiding and writing are replay/'s. */
#include "cli/cmd.h"

#include "decoder/decode.h"
#include "replay/hide.h"
#include "replay/sanitize.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMORY_MAX ((size_t)1 << 30) /* a frame of any size is read whole */

static const char help[] =
	"usage: ktrial sanitize IN OUT.pcapng [--keep LIST] [--seed N] [--port PORT]...\n"
	"\n"
	"Writes the Kafka messages of a capture anew without what a stranger must not see: keys, "
	"values, headers and\n"
	"credentials become noise (equal ones equal noise: partitions and duplicates stay "
	"visible), "
	"names of topics, groups and\n"
	"clients and all addresses become pseudonyms. The new packets have right lengths and "
	"checksums and decode, verify and\n"
	"replay as the old ones did. What can't be read is left out or blanked, and said.\n"
	"\n"
	"  --keep LIST   of topics, groups, clients, addresses: names that stay as they are\n"
	"  --seed N      the same noise and pseudonyms each time; whoever guesses N can guess "
	"names "
	"(without: random)\n"
	"  --port PORT   what this port says is Kafka, even where it does not look like it; "
	"several\n"
	"\n"
	"Topic ids, configuration names, offsets, times, sizes and error codes stay. Configuration "
	"values other than numbers and\n"
	"Kafka's own words, commit metadata and error messages do not. IN may be pcap or pcapng, "
	"also "
	".gz and .zst, - is standard\n"
	"input.\n"
	"\n"
	"Exit status: 0 written, 2 wrong use, 4 a file can't be read or written.\n";

enum { OPT_KEEP = 1, OPT_SEED, OPT_PORT };

static const struct cmd_option options[] = {{"--keep", OPT_KEEP, true},
					    {"--seed", OPT_SEED, true},
					    {"--port", OPT_PORT, true},
					    {NULL, 0, false}};

struct sanitize_job {
	const char *in, *out;
	unsigned keep;
	struct key key;
	struct decode_options decode;
};

static int add_keep(struct sanitize_job *j, const char *list)
{
	static const char *const words[] = {"topics", "groups", "clients", "addresses"};
	size_t n = 0, w;

	for (const char *at = list; *at; at += n + (at[n] == ',')) {
		n = strcspn(at, ",");
		for (w = 0; w < 4; w++)
			if (str_is((struct str){at, (int32_t)n}, words[w]))
				break;
		if (w == 4)
			return cmd_usage(&cmd_sanitize,
					 "--keep %s: '%.*s' is none of topics, groups, clients, "
					 "addresses",
					 list, (int)n, at);
		j->keep |= 1u << w;
	}
	return 0;
}

static int add_port(struct sanitize_job *j, const char *value)
{
	int64_t n;

	if (!cmd_number(value, 1, 65535, &n) || j->decode.ports_count == DECODE_PORTS_MAX)
		return cmd_usage(&cmd_sanitize,
				 "--port %s: a number from 1 to 65535, at most %d of them", value,
				 DECODE_PORTS_MAX);
	j->decode.ports[j->decode.ports_count++] = (uint16_t)n;
	return 0;
}

static int add_word(struct sanitize_job *j, const char *word)
{
	if (j->out)
		return cmd_usage(&cmd_sanitize, "one IN and one OUT; '%s' is too much", word);
	*(j->in ? &j->out : &j->in) = word;
	return 0;
}

static int take_option(struct sanitize_job *j, int id, const char *value)
{
	int64_t n;

	switch (id) {
	case OPT_KEEP:
		return add_keep(j, value);
	case OPT_PORT:
		return add_port(j, value);
	case OPT_SEED:
		if (!cmd_number(value, INT64_MIN, INT64_MAX, &n))
			return cmd_usage(&cmd_sanitize, "--seed %s: not a number", value);
		j->key = key_of_seed((uint64_t)n);
		return 0;
	default:
		return add_word(j, value);
	}
}

static int read_options(struct sanitize_job *j, int argc, char **argv)
{
	struct cmd_args args = {&cmd_sanitize, options, argv, argc, 1, false};
	const char *value = NULL;
	int id, status = 0;

	while (!status && (id = cmd_next(&args, &value)) != CMD_END) {
		if (id == CMD_HELP || id == CMD_BAD)
			return id == CMD_HELP ? -1 : EXIT_USAGE;
		status = take_option(j, id, value);
	}
	if (!status && !j->out)
		return cmd_usage(&cmd_sanitize, "name the capture and the file to write");
	if (!status && cmd_same_file(j->in, j->out))
		return cmd_usage(&cmd_sanitize, "%s can't be read and written at once", j->in);
	return status;
}

static void count(const char *what, uint64_t n)
{
	if (n)
		fprintf(stderr, "ktrial sanitize: %llu %s\n", (unsigned long long)n, what);
}

static void tell(const struct sanitize_totals *t, const char *out)
{
	fprintf(stderr, "ktrial sanitize: %llu messages in %s\n", (unsigned long long)t->messages,
		out);
	count("of them blanked behind their header: not known or malformed", t->blanked);
	count("messages left out: not all of their bytes, or not their request, are there",
	      t->left_out);
	count("bytes left out: they belong to no message", t->unmatched_bytes);
	count("batches blanked: their records can't be read", t->batches_unread);
	count("batches left out: cut off at the end of an answer", t->batches_cut);
	count("events left out: what evidence knows beside the packets", t->inside);
}

static int fail(const struct error *e)
{
	char text[600];

	fprintf(stderr, "ktrial sanitize: %s\n", error_text(e, text, sizeof(text)));
	return EXIT_ENVIRONMENT;
}

static int sanitize(struct sanitize_job *j)
{
	struct error e = ERROR_INIT;
	struct event_bus bus = {NULL};
	struct sanitize *s = sanitize_new(&j->key, j->keep, &e);
	struct decode *d;
	int rc;

	if (!s)
		return fail(&e);
	event_bus_add(&bus, sanitize_sink(s));
	d = decode_new(&j->decode, &bus);
	rc = decode_files(d, &j->in, 1, &e);
	if (rc == 0)
		rc = sanitize_write(s, j->out, &e);
	if (rc == 0)
		tell(sanitize_totals(s), j->out);
	decode_free(d);
	sanitize_free(s);
	return rc < 0 ? fail(&e) : EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct sanitize_job j = {
		.key = key_random(),
		.decode = {.memory_max = MEMORY_MAX, .show_secrets = true},
	};
	int status = read_options(&j, argc, argv);

	if (status)
		return status < 0 ? EXIT_FINE : status;
	return sanitize(&j);
}

const struct command cmd_sanitize = {
	.name = "sanitize",
	.summary = "a capture without its secrets, to be sent to others",
	.help = help,
	.run = run,
};
