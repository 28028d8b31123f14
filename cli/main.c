/* The program: a table of subcommands and nothing else. Each cmd_*.c has its own help; exit
 * statuses are in cmd.h. */
#include "cli/cmd.h"

#include "base/str.h"

#include <stdio.h>

static const struct command *const commands[] = {
	&cmd_serve,   &cmd_ctl,	     &cmd_run,	    &cmd_list,	  &cmd_check,
	&cmd_explain, &cmd_compare,  &cmd_page,	    &cmd_decode,  &cmd_verify,
	&cmd_replay,  &cmd_sanitize, &cmd_scenario, &cmd_message, /* the comma keeps one a line */
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static void print_help(FILE *out)
{
	fprintf(out, "usage: ktrial COMMAND [OPTION...]\n\nktrial " KTRIAL_VERSION
		     " puts Kafka clients on trial.\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\n`ktrial help COMMAND` says more about one; `ktrial --version` prints the "
		     "version.\n");
}

static const struct command *find(const char *name)
{
	const char *names[COMMAND_COUNT], *nearest;

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		names[i] = commands[i]->name;
		if (!strcmp(name, names[i]))
			return commands[i];
	}
	nearest = cmd_nearest(name, names, COMMAND_COUNT, sizeof(*names));
	fprintf(stderr, "ktrial: there is no command '%s'%s%s%s\n`ktrial help` lists them\n", name,
		nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	return NULL;
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_help(stdout);
		return EXIT_FINE;
	}
	command = find(argv[1]);
	if (!command)
		return EXIT_USAGE;
	fputs(command->help, stdout);
	return EXIT_FINE;
}

static int run(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("ktrial " KTRIAL_VERSION "\n");
		return EXIT_FINE;
	}
	if (argv[1][0] == '-') {
		fprintf(stderr,
			"ktrial: there is no option %s before the command\n`ktrial help` says "
			"more\n",
			argv[1]);
		return EXIT_USAGE;
	}
	command = find(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);

	bool before = ferror(stdout); /* then errno is of something else by now */

	if (fflush(stdout) && !before)
		perror("ktrial: can't write to standard output");
	else if (before && !status)
		fputs("ktrial: not all of the output could be written\n", stderr);
	return ferror(stdout) && !status ? EXIT_ENVIRONMENT : status;
}
