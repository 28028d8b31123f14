/* The command line of a subject: program, flags, configuration file and environment, by the
 * contract of section 6. */
#ifndef HARNESS_COMMAND_H
#define HARNESS_COMMAND_H

#include "harness/clients.h"
#include "harness/subject.h"

#define COMMAND_WORDS_MAX 600

struct command {
	char *program, *out_path, *err_path; /* NULL until built */
	char *argv[COMMAND_WORDS_MAX];
	char *environment[COMMAND_WORDS_MAX];
	int words, variables;
};

/*
 * Builds the command for one client of a plan; texts lie in the plan's arena. Writes
 * directory/NAME.properties. 0; ERR_USAGE if nothing plays that client; ERR_OS if the program is
 * not there or the file can't be written.
 */
int command_build(struct command *c, struct case_plan *plan, const struct plan_client *client,
		  const struct clients *clients, const char *bootstrap, const char *directory,
		  struct error *e);

/* What subject_start wants to know of it. */
void command_fill(const struct command *c, struct subject_config *config);

#endif
