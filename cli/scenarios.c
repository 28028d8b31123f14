/* Walking over scenarios for the commands that only read them. */
#include "cli/scenarios.h"

#include "harness/clients.h"

#include <limits.h>
#include <stdio.h>

#define OUTPUT_MAX ((size_t)64 << 20)

static const struct cmd_option no_options[] = {{NULL, 0, false}};

static int add_words(const struct command *command, int argc, char **argv, struct suite *suite,
		     struct buf *out, bool *ret_wrong)
{
	struct cmd_args args = {command, no_options, argv, argc, 1, false};
	char root[PATH_MAX], path[PATH_MAX + 20];
	struct error e = ERROR_INIT;
	const char *word = NULL;
	int id, words = 0;

	while ((id = cmd_next(&args, &word)) == CMD_WORD) {
		words++;
		*ret_wrong |= suite_add(suite, word, out, &e) < 0;
		if (e.code)
			return cmd_usage(command, "%s", e.text);
	}
	if (id != CMD_END)
		return id == CMD_HELP ? -1 : EXIT_USAGE;
	if (words)
		return 0;
	if (!clients_root(root, sizeof(root)))
		return cmd_usage(
			command,
			"name a scenario: there is no project with scenarios/ around here");
	snprintf(path, sizeof(path), "%s/scenarios", root);
	*ret_wrong |= suite_add(suite, path, out, &e) < 0;
	return e.code ? cmd_usage(command, "%s", e.text) : 0;
}

int scenarios_each(const struct command *command, int argc, char **argv,
		   bool (*each)(const struct scenario *s, struct buf *out, void *ctx), void *ctx)
{
	struct suite suite = {0};
	struct buf out;
	bool wrong = false;
	int status;

	buf_init(&out, OUTPUT_MAX);
	status = add_words(command, argc, argv, &suite, &out, &wrong);
	fputs(buf_cstr(&out), stderr);
	for (int32_t i = 0; i < suite.count && !status; i++) {
		bool ok;

		buf_reset(&out);
		ok = each(suite.list[i], &out, ctx);
		fputs(buf_cstr(&out), ok ? stdout : stderr);
		wrong |= !ok;
	}
	buf_release(&out);
	suite_release(&suite);
	if (status)
		return status < 0 ? EXIT_FINE : status;
	return wrong ? EXIT_SCENARIO : EXIT_FINE;
}

static bool axis_wanted(const struct scenario *s, int32_t case_index, int32_t axis,
			const char *const *wanted, int32_t wanted_count)
{
	struct str value = scenario_case_value(s, case_index, axis)->text, key = s->axes[axis].key;
	bool named = false;

	for (int32_t i = 0; i < wanted_count; i++) {
		const char *equals = strchr(wanted[i], '=');

		if (!str_eq(key, (struct str){wanted[i], (int32_t)(equals - wanted[i])}))
			continue;
		if (str_is(value, equals + 1))
			return true;
		named = true;
	}
	return !named;
}

bool scenario_case_wanted(const struct scenario *s, int32_t case_index, const char *const *wanted,
			  int32_t wanted_count)
{
	for (int32_t i = 0; i < s->axes_count; i++)
		if (!axis_wanted(s, case_index, i, wanted, wanted_count))
			return false;
	return true;
}

bool scenario_has_key(const struct scenario *s, struct str key)
{
	for (int32_t i = 0; i < s->axes_count; i++)
		if (str_eq(s->axes[i].key, key))
			return true;
	return false;
}
