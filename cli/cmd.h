/* Subcommands: each is one cmd_*.c that exports a struct command; main.c has the table. Only this
 * room prints to the terminal or exits. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses that every subcommand shares. */
enum exit_status { EXIT_FINE = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_ENVIRONMENT = 4 };

struct command {
	const char *name;
	const char *summary; /* one line for `ktrial help` */
	const char
		*help; /* the whole text of `ktrial help NAME`, from "usage:" on, with a line end */
	int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit status */
};

/* The table. A new subcommand: declare it here, list it in main.c. */
extern const struct command cmd_decode;
extern const struct command cmd_message;
extern const struct command cmd_check;
extern const struct command cmd_compare;
extern const struct command cmd_explain;
extern const struct command cmd_list;
extern const struct command cmd_page;
extern const struct command cmd_replay;
extern const struct command cmd_run;
extern const struct command cmd_ctl;
extern const struct command cmd_serve;
extern const struct command cmd_sanitize;
extern const struct command cmd_scenario;
extern const struct command cmd_verify;

/* ---- options ---- */

struct cmd_option {
	const char *name; /* "--version" or "-v"; the same letter under two names is two rows with
			     one id */
	int id;		  /* > 0; what cmd_next returns */
	bool has_value;
};

#define CMD_END	 0    /* no more words */
#define CMD_WORD (-1) /* a word that is no option: *ret_value */
#define CMD_BAD	 (-2) /* wrong use; the message is printed; return EXIT_USAGE */
#define CMD_HELP (-3) /* help was asked for and is printed; return EXIT_FINE */

/* Walks argv in order. */
struct cmd_args {
	const struct command *command;
	const struct cmd_option *options; /* ends with a row whose name is NULL */
	char **argv;
	int argc, at;	 /* at starts at 1 */
	bool words_only; /* set after "--" */
};

/* The next option (its id, value in *ret_value: "--name VALUE", "--name=VALUE" or "-nVALUE"), or
 * one of the CMD_ codes. -h and --help are known everywhere. */
int cmd_next(struct cmd_args *args, const char **ret_value);

/* Prints "ktrial NAME: TEXT" and where help is, on stderr; returns EXIT_USAGE. */
int cmd_usage(const struct command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints the line that says that every listener accepts. False, with a message, if nobody can read
 * it: who waits for it would wait for ever. */
bool cmd_ready(const struct command *command, const char *bootstrap, const char *control);

/* Reads a whole decimal number in [min, max]; false otherwise. */
bool cmd_number(const char *text, int64_t min, int64_t max, int64_t *ret_n);

/* The one of count names nearest to a mistyped one, or NULL if none is near. names are step bytes
 * apart, each a const char *. */
const char *cmd_nearest(const char *text, const void *names, size_t count, size_t step);

/* Whether two paths lead to one file that is there: then one must not be read while the other is
 * written. */
bool cmd_same_file(const char *a, const char *b);

#endif
