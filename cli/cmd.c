/* What every subcommand does alike: options with "did you mean", numbers, the shape of a usage
 * message. Owns nothing. */
#include "cli/cmd.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int cmd_usage(const struct command *command, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "ktrial %s: ", command->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n`ktrial help %s` says more\n", command->name);
	return EXIT_USAGE;
}

bool cmd_number(const char *text, int64_t min, int64_t max, int64_t *ret_n)
{
	char *end;
	long long n;

	if (*text != '-' && (*text < '0' || *text > '9'))
		return false;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (*end || errno || n < min || n > max)
		return false;
	*ret_n = n;
	return true;
}

const char *cmd_nearest(const char *text, const void *names, size_t count, size_t step)
{
	const char *nearest = NULL;
	int least = 2 + (int)strlen(text) / 3;

	for (size_t i = 0; i < count; i++) {
		const char *name =
			*(const char *const *)(const void *)((const char *)names + i * step);
		int distance = str_distance(str_of(text), str_of(name));

		if (distance >= least)
			continue;
		least = distance;
		nearest = name;
	}
	return nearest;
}

static int unknown_option(const struct cmd_args *args, const char *word, size_t len)
{
	char name[64];
	const char *nearest;
	size_t count = 0;

	while (args->options[count].name)
		count++;
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	nearest = cmd_nearest(name, &args->options[0].name, count, sizeof(args->options[0]));
	cmd_usage(args->command, "there is no option %s%s%s%s", name,
		  nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
	return CMD_BAD;
}

/* "-j4": a letter that takes a value, with the value behind it; NULL if it is none. */
static const struct cmd_option *glued(const struct cmd_args *args, const char *word)
{
	for (const struct cmd_option *o = args->options; o->name; o++)
		if (o->has_value && strlen(o->name) == 2 && !strncmp(o->name, word, 2))
			return o;
	return NULL;
}

static int option(struct cmd_args *args, const char *word, const char **ret_value)
{
	size_t len = strcspn(word, "=");
	const struct cmd_option *o = args->options;

	for (; o->name; o++)
		if (strlen(o->name) == len && !strncmp(o->name, word, len))
			break;
	if (!o->name && (o = glued(args, word))) {
		*ret_value = word + 2;
		return o->id;
	}
	if (!o || !o->name)
		return unknown_option(args, word, len);
	if (!o->has_value && word[len]) {
		cmd_usage(args->command, "%s takes no value", o->name);
		return CMD_BAD;
	}
	if (!o->has_value)
		return o->id;
	if (word[len]) {
		*ret_value = word + len + 1;
		return o->id;
	}
	if (args->at == args->argc) {
		cmd_usage(args->command, "%s wants a value", o->name);
		return CMD_BAD;
	}
	*ret_value = args->argv[args->at++];
	return o->id;
}

int cmd_next(struct cmd_args *args, const char **ret_value)
{
	char *word;

	if (args->at == args->argc)
		return CMD_END;
	word = args->argv[args->at++];
	if (!args->words_only && !strcmp(word, "--")) {
		args->words_only = true;
		return cmd_next(args, ret_value);
	}
	if (args->words_only || word[0] != '-' || !word[1]) {
		*ret_value = word;
		return CMD_WORD;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		fputs(args->command->help, stdout);
		return CMD_HELP;
	}
	return option(args, word, ret_value);
}

bool cmd_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool cmd_ready(const struct command *command, const char *bootstrap, const char *control)
{
	if (printf("ready bootstrap=%s control=%s\n", bootstrap, control) > 0 && !fflush(stdout))
		return true;
	fprintf(stderr, "ktrial %s: can't say that it is ready: standard output: %s\n",
		command->name, strerror(errno));
	return false;
}
