/* Writes the reference of the grammar. What is said once for all of it stands here; keys and
 * actions are said by the tables that parse them. */
#include "rules/reference.h"

#include "rules/grammar.h"

static const char opening[] =
	"# Rules\n"
	"\n"
	"A rule is one fault: which requests, when, and what happens to them. The same grammar "
	"stands after\n"
	"`ktrial serve --rule`, in a scenario's `rule(...)`, in the control interface and in "
	"reports. This page is made\n"
	"from the parser's tables; every example on it is run by a test.\n"
	"\n"
	"```\n"
	"rule    = match \"->\" action [force]\n"
	"match   = api-list { key \"=\" value }\n"
	"\n"
	"Produce topic=orders partition=0 nth=3 -> error NOT_ENOUGH_REPLICAS before\n"
	"```\n"
	"\n"
	"The API list is names (or keys) with commas, or `any`. Values with blanks stand in double "
	"quotes.\n"
	"A rule that can't be is refused when it is added, with the place and what was meant: an "
	"unknown word, an error that\n"
	"the API can't return, a field that no asked version has. `force` at the end insists on "
	"the "
	"last two.\n"
	"\n"
	"- Rules stand in order. Each counts every request that meets all its conditions but "
	"`nth`, `every`, `count` and `prob`;\n"
	"  the first whose trigger fits acts, the others only count.\n"
	"- Counting is per rule since it was added or reset, over the whole cluster. Retries "
	"count. "
	"A request counts once, however many\n"
	"  of its partitions match, unless `per=partition` says otherwise.\n"
	"- `topic` and `partition` must be met by one partition of the request; an error then hits "
	"just the partitions that match.\n"
	"- `prob` is decided by the seed, the rule's name, client id, API, partition and how many "
	"came before: the same ones are\n"
	"  hurt in every run of that seed, whatever the timing.\n"
	"- `before` is before the broker's work, `after` is after it: the log, the group, the "
	"transaction have changed, and only\n"
	"  the answer is touched. Where an action takes either, `before` is the default.\n"
	"- Byte positions count from the first of the four length bytes. What is damaged is a "
	"copy, "
	"never the log.\n";

static const char *value_of(enum value_kind kind)
{
	switch (kind) {
	case VALUE_INT:
		return "numbers and ranges: `3`, `3..5`, `1,4..6`";
	case VALUE_TEXT:
		return "texts, `*` for any characters: `a`, `a,b`, `pre*`";
	case VALUE_ERROR:
		return "errors by name or number: `NOT_LEADER_OR_FOLLOWER`, `3,6`";
	case VALUE_POSITIVE:
		return "a number from 1";
	case VALUE_SHARE:
		return "`0.25` or `25%`";
	default:
		return "`client`, `conn` or `partition`";
	}
}

void rules_reference(struct buf *out)
{
	buf_text(out, opening);
	buf_text(out, "\n## Keys\n\n| key | value | what |\n| --- | --- | --- |\n");
	for (int key = 0; key < RULE_KEYS; key++) {
		const struct key_info *k = &rule_key_infos[key];

		buf_printf(out, "| `%s` | %s | %s |\n", k->name,
			   key == KEY_FIELD ? "one value, exactly" : value_of(k->kind), k->what);
	}
	buf_text(out, "\n## Actions\n");
	for (int i = ACTION_NONE + 1; i < ACTIONS; i++) {
		const struct action_info *a = &rule_action_infos[i];

		buf_printf(out, "\n### %s%s%s\n\n%s\n\n```\n%s\n```\n", a->name,
			   a->args[0] ? " " : "", a->args, a->what, a->example);
	}
	buf_text(out, "\nTimes are `250us`, `20ms`, `1.5s`, `2m`, `1h`; sizes `1000`, `64KiB`, "
		      "`1MiB`; bytes are hex.\n");
}
