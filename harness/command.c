/* Command lines by the contract of Kafka's VerifiableProducer and VerifiableConsumer. A subject
 * always gets a configuration file; its client id is the client's name in the scenario, so that
 * rules and checks know it. */
#include "harness/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *word(struct arena *arena, const char *fmt, struct str a, struct str b)
{
	return arena_printf(arena, fmt, STR_ARG(a), STR_ARG(b));
}

static void add_word(struct command *c, char *text)
{
	if (c->words < COMMAND_WORDS_MAX - 1 && text)
		c->argv[c->words++] = text;
}

static void add_variable(struct command *c, char *text)
{
	if (c->variables < COMMAND_WORDS_MAX - 1 && text)
		c->environment[c->variables++] = text;
}

/* "max_messages" as "--max-messages". */
static char *flag_of(struct arena *arena, struct str key)
{
	char *flag = word(arena, "--" STR_FMT STR_FMT, key, (struct str){0});

	for (char *p = flag; p && *p; p++)
		if (*p == '_')
			*p = '-';
	return flag;
}

static void write_escaped(FILE *out, struct str text, bool key)
{
	for (int32_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\\' || (key && (c == ' ' || c == ':' || c == '=')) ||
		    (i == 0 && (c == ' ' || c == '#' || c == '!')))
			fputc('\\', out);
		if (c == '\n')
			fputs("\\n", out);
		else
			fputc(c, out);
	}
}

static bool configured(const struct plan_client *client, const char *key)
{
	for (int32_t i = 0; i < client->config_count; i++)
		if (str_is(client->config[i].key, key))
			return true;
	return false;
}

static int write_properties(const struct plan_client *client, const char *path, struct error *e)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return error_set(e, ERR_OS, "can't write %s: %s", path, strerror(errno));
	for (int32_t i = 0; i < client->config_count; i++) {
		write_escaped(out, client->config[i].key, true);
		fputc('=', out);
		write_escaped(out, client->config[i].value, false);
		fputc('\n', out);
	}
	if (!configured(client, "client.id")) {
		fputs("client.id=", out);
		write_escaped(out, client->name, false);
		fputc('\n', out);
	}
	if (fclose(out))
		return error_set(e, ERR_OS, "can't write %s: %s", path, strerror(errno));
	return 0;
}

static void add_flags(struct command *c, struct arena *arena, const struct plan_client *client)
{
	for (int32_t i = 0; i < client->args_count; i++) {
		add_word(c, flag_of(arena, client->args[i].key));
		if (!client->args[i].flag)
			add_word(c, word(arena, STR_FMT STR_FMT, client->args[i].value,
					 (struct str){0}));
	}
	if (client->speaks == SPEAKS_CONSUMER)
		add_word(c, word(arena, "--verbose" STR_FMT STR_FMT, (struct str){0},
				 (struct str){0}));
}

static int build_program(struct command *c, struct case_plan *plan,
			 const struct plan_client *client, const struct client_choice *choice,
			 const char *bootstrap, const char *directory, struct error *e)
{
	struct arena *arena = &plan->arena;
	char *properties =
		arena_printf(arena, "%s/" STR_FMT ".properties", directory, STR_ARG(client->name));

	c->program = arena_printf(arena, "%s/%s", choice->directory, speaks_role(client->speaks));
	if (access(c->program, F_OK))
		return error_set(e, ERR_OS, "client %s has no program '%s' (looked for %s)",
				 choice->label, speaks_role(client->speaks), c->program);
	if (write_properties(client, properties, e) < 0)
		return e->code;
	add_word(c, c->program);
	add_word(c, arena_printf(arena, "--bootstrap-server"));
	add_word(c, arena_printf(arena, "%s", bootstrap));
	add_flags(c, arena, client);
	add_word(c, arena_printf(arena, "--command-config"));
	add_word(c, properties);
	if (choice->version[0])
		add_variable(c, arena_printf(arena, "KTRIAL_CLIENT_VERSION=%s", choice->version));
	return 0;
}

static int build_under(struct command *c, struct arena *arena, const char *under, struct error *e)
{
	if (!under)
		return error_set(
			e, ERR_USAGE,
			"this scenario runs a command of yours: ktrial run ... --under 'CMD'");
	c->program = arena_printf(arena, "/bin/sh");
	add_word(c, arena_printf(arena, "sh"));
	add_word(c, arena_printf(arena, "-c"));
	add_word(c, arena_printf(arena, "%s", under));
	return 0;
}

int command_build(struct command *c, struct case_plan *plan, const struct plan_client *client,
		  const struct clients *clients, const char *bootstrap, const char *directory,
		  struct error *e)
{
	struct arena *arena = &plan->arena;
	const struct client_choice *choice =
		clients_for(clients, client->name, speaks_role(client->speaks));
	int rc;

	*c = (struct command){0};
	if (client->speaks == SPEAKS_NONE)
		rc = build_under(c, arena, clients->under, e);
	else if (!choice)
		rc = error_set(
			e, ERR_USAGE,
			"nobody plays the %s: name a client with --client NAME or --client %s=NAME",
			speaks_role(client->speaks), speaks_role(client->speaks));
	else
		rc = build_program(c, plan, client, choice, bootstrap, directory, e);
	if (rc)
		return rc;
	c->out_path =
		arena_printf(arena, "%s/subject-" STR_FMT ".out", directory, STR_ARG(client->name));
	c->err_path =
		arena_printf(arena, "%s/subject-" STR_FMT ".err", directory, STR_ARG(client->name));
	add_variable(c, arena_printf(arena, "KTRIAL_BOOTSTRAP=%s", bootstrap));
	add_variable(c, arena_printf(arena, "BOOTSTRAP_SERVERS=%s", bootstrap));
	add_variable(c, arena_printf(arena, "KTRIAL_CASE=" STR_FMT, STR_ARG(plan->case_name)));
	add_variable(c, arena_printf(arena, "KTRIAL_SEED=%llu", (unsigned long long)plan->seed));
	add_variable(c, arena_printf(arena, "KTRIAL_LOG_DIR=%s", directory));
	for (int32_t i = 0; i < client->environment_count; i++)
		add_variable(c, word(arena, STR_FMT "=" STR_FMT, client->environment[i].key,
				     client->environment[i].value));
	return c->err_path ? 0 : error_set(e, ERR_LIMIT, "the command of a client is too long");
}

void command_fill(const struct command *c, struct subject_config *config)
{
	config->program = c->program;
	config->argv = c->argv;
	config->environment = c->environment;
	config->out_path = c->out_path;
	config->err_path = c->err_path;
}
