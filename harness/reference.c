/* Writes the reference of scenarios. What is said once for all of it stands here; words, keys,
 * flags, events and checks are said by the tables that read them. */
#include "harness/reference.h"

#include "harness/bounds.h"
#include "harness/timeline.h"
#include "harness/words.h"
#include "mock/happen.h"

static const char opening[] =
	"# Scenarios\n\n"
	"A scenario is a file: a claim about Kafka clients, a cluster, clients that are put on "
	"trial, faults, what\n"
	"happens in which order, and what is judged. It is Lua 5.4 in a closed world. This page is "
	"made from the checker's\n"
	"own tables; a test loads every example on it.\n\n"
	"```lua\n"
	"scenario {\n"
	"  name  = \"produce/lost-ack\",\n"
	"  claim = \"A lost acknowledgement must not lose, duplicate or reorder records.\",\n"
	"  see   = \"KIP-98\", timeout = \"20s\",\n"
	"  matrix = { idempotent = { true, false }, inflight = { 1, 5 } },\n"
	"}\n"
	"local c = cluster { brokers = 3 }\n"
	"local t = c:topic(\"orders\", { partitions = 1, leader = 1 })\n"
	"local p = client(\"p\", { speaks = \"verifiable-producer\",\n"
	"  args = { topic = t, max_messages = 500 },\n"
	"  config = { acks = \"all\", [\"enable.idempotence\"] = case.idempotent,\n"
	"    [\"max.in.flight.requests.per.connection\"] = case.inflight } })\n"
	"local lost = rule(\"lost-ack\", \"Produce topic=orders nth=3 -> close after\")\n"
	"timeline(function()\n"
	"  p:start()\n"
	"  await(lost:fired(), \"5s\")\n"
	"  await(p:exited(0))\n"
	"end)\n"
	"local once = case.idempotent and must or info\n"
	"must(delivery.no_loss(p, t))\n"
	"once(delivery.no_duplicates(p, t))\n"
	"```\n\n"
	"`ktrial check FILE` reads it as `run` would and starts nothing; `ktrial explain FILE` "
	"says "
	"it in words.\n\n"
	"## How it is read\n\n"
	"- Twice: first up to `scenario {...}`, for the matrix; then once for each case, in a "
	"fresh "
	"state with `case` set to\n"
	"  the case's values. So a case's faults, clients and checks can depend on it.\n"
	"- A load only makes a plan, and the plan is checked as a whole before a port opens: "
	"unknown words and keys,\n"
	"  values of a wrong kind, errors that an API can't return, fields and versions that there "
	"are not, rules that\n"
	"  can't be reached or act on nothing, checks that nobody takes. All that is wrong is told "
	"at once, with file, line\n"
	"  and column.\n"
	"- Then the timeline is rehearsed: played through once, with every wait coming true, "
	"nothing started and events\n"
	"  happening to a cluster that nobody talks to. What it finds is wrong in the scenario; so "
	"is a mistake that shows only\n"
	"  while the timeline runs. Both are exit status 3 and never held against the client.\n"
	"- While a program starts (it has neither printed a line nor opened a connection) the "
	"clock of the timeline and of\n"
	"  the case stands still, for 15 s in all: a slow start is no failure.\n"
	"- The world is closed: no files, no system, no clock; names must be declared `local`; a "
	"name or key that is not there\n"
	"  is no nil but a complaint. A load, and a timeline between two waits, has";

static const char modules[] =
	"- `use(\"NAME\")` gives what the module `NAME.lua` beside the file returns, "
	"`use(\"../NAME\")` one in the folder above.\n"
	"  Names that begin with `_` are modules and no scenarios.\n"
	"- A time is a text: `\"500ms\"`, `\"20s\"`, `\"2m\"`.\n\n"
	"```lua\n"
	"-- What is shared, in ../_subjects.lua: clients configured so that a fault shows within "
	"seconds.\n"
	"scenario { name = \"group/example\", claim = \"Two members read everything.\" }\n"
	"local lib = use(\"../_subjects\")\n"
	"local t = cluster { brokers = 3 }:topic(\"orders\", { partitions = 6, records = 600 })\n"
	"local a, b = lib.consumer(t, { name = \"a\" }), lib.consumer(t, { name = \"b\" })\n"
	"timeline(function()\n"
	"  a:start() b:start()\n"
	"  await(all(a:reported(\"partitions_assigned\"), b:reported(\"partitions_assigned\")), "
	"\"20s\")\n"
	"  await(t:read(600), \"20s\")\n"
	"end)\n"
	"must(group.one_owner(\"readers\"))\n"
	"must(read.everything(t))\n"
	"```\n\n";

static const char cluster_text[] =
	"A log can hold what no producer could have it written:\n\n"
	"```lua\n"
	"scenario { name = \"fetch/example\", claim = \"Offsets without a record are passed "
	"over.\" }\n"
	"local c = cluster { advertise = { Produce = \"0-3\", Fetch = \"4-11\", DescribeConfigs = "
	"\"none\" } }\n"
	"local t = c:topic(\"orders\", { partitions = 2, records = 100, log = {\n"
	"  { records = 3, gap = 10 },              -- ten offsets are missing before it\n"
	"  { records = 2, tail = 8 },              -- compaction took its last eight records\n"
	"  { empty = 4 },                          -- and here all four\n"
	"  { records = 5, txn = \"abort\" },       -- with its marker behind it\n"
	"  { records = 5, partition = 1, codec = \"zstd\" },\n"
	"  { records = 4, partition = 1, magic = 1, codec = \"gzip\" }, -- of before Kafka 0.11\n"
	"  { records = 1, partition = 1, bad_crc = true },\n"
	"} })\n"
	"local r = client(\"r\", { speaks = \"verifiable-consumer\", args = { topic = t, group_id "
	"= "
	"\"g\" } })\n"
	"must(read.consistent(r, t))\n"
	"```\n\n";

static const char clients_text[] =
	"What a program has to take and to say stands in [subject.md](subject.md). "
	"`--client NAME` plays all clients of a\n"
	"scenario; `--client consumer=NAME` those that are consumers, `--client a=NAME` the one "
	"called a. With `speaks = \"none\"`\n"
	"it is the command of `--under` that is run: any program, a whole test suite. `under` is "
	"true in such a run, else false:\n"
	"one file can put both on trial.\n\n"
	"```lua\n"
	"scenario { name = \"any/example\", claim = \"A program goes on when answers are lost.\" "
	"}\n"
	"cluster { brokers = 3, auto_create = true }\n"
	"client(\"it\", { speaks = \"none\", environment = { MODE = \"test\" } })\n"
	"rule(\"lost\", \"any every=20 -> close after\", { optional = true })\n"
	"```\n\n"
	"```lua\n"
	"scenario { name = \"any/both\", claim = \"Who reads on begins where the group has "
	"committed.\" }\n"
	"local t = cluster { brokers = 1 }:topic(\"orders\", { partitions = 2, records = 40 })\n"
	"t:committed(\"readers\", { 10, -1 }) -- partition 1 is read from the beginning\n"
	"if under then\n"
	"  client(\"it\", { speaks = \"none\" })\n"
	"else\n"
	"  local c = client(\"c\", { speaks = \"verifiable-consumer\",\n"
	"    args = { topic = t, group_id = \"readers\", max_messages = 30 } })\n"
	"  must(read.consistent(c, t))\n"
	"end\n"
	"must(group.member_id(\"readers\"))\n"
	"```\n\n";

static const char rules_text[] =
	"The grammar stands in [rules.md](rules.md). A rule that is not optional and never fired "
	"makes the case fail as vacuous:\n"
	"what was to be tested did not happen.\n\n"
	"```lua\n"
	"scenario { name = \"connect/example\", claim = \"One slow answer delays nothing else.\" "
	"}\n"
	"local t = cluster { brokers = 2 }:topic(\"orders\", { partitions = 2 })\n"
	"local p = client(\"p\", { speaks = \"verifiable-producer\", args = { topic = t, "
	"max_messages "
	"= 100 } })\n"
	"local gate = rule(\"gate\", \"Produce topic=orders partition=0 nth=2 -> hold gate "
	"answer\")\n"
	"timeline(function()\n"
	"  p:start()\n"
	"  await(gate:held(), \"5s\")\n"
	"  event \"leader-move topic=orders partition=1 to=1\"\n"
	"  gate:release()\n"
	"  await(p:exited(0), \"20s\")\n"
	"end)\n"
	"must(delivery.no_loss(p, t))\n"
	"```\n\n";

static const char checks_text[] =
	"`must(CHECK)` decides the verdict, `should(CHECK)` is told as a deviation, `info(CHECK)` "
	"is only told. A check that a\n"
	"scenario names and that saw nothing to judge makes the case fail as vacuous, unless it is "
	"optional. Arguments narrow what it judges and\n"
	"may be left out: `read.everything(t)` is about all clients.\n\n"
	"| check | what has to hold | source | needs |\n| --- | --- | --- | --- |\n";

static void keys(const struct key *k, struct buf *out)
{
	buf_text(out, "| key | value | what |\n| --- | --- | --- |\n");
	for (; k->name; k++) {
		static const char *const kinds[] = {"text", "",	     "true or false",
						    "time", "table", "text, number or flag"};

		buf_printf(out, "| `%s` | ", k->name);
		if (k->kind == KEY_NUMBER || k->max)
			buf_printf(out, "%lld to %lld", (long long)k->min, (long long)k->max);
		else
			buf_text(out, kinds[k->kind]);
		buf_printf(out, " | %s |\n", k->what);
	}
	buf_byte(out, '\n');
}

static void word(const struct word *w, struct buf *out)
{
	buf_printf(out, "### %s\n\n`%s`: %s.\n\n", w->name, w->form, w->what);
	if (w->keys)
		keys(w->keys, out);
	if (!strcmp(w->name, "client")) {
		for (int i = SPEAKS_PRODUCER; i < SPEAKS_NONE; i++) {
			buf_printf(out, "`args` of a client that speaks `%s`:\n\n",
				   speaks_name((enum speaks)i));
			keys(words_args((enum speaks)i), out);
		}
		buf_text(out, clients_text);
	}
	if (!strcmp(w->name, "batch"))
		buf_text(out, cluster_text);
	if (!strcmp(w->name, "rule"))
		buf_text(out, rules_text);
}

static void timeline_words(struct buf *out)
{
	const char *form, *what;

	buf_text(out, "## The timeline\n\n| word | what |\n| --- | --- |\n");
	for (size_t i = 0; timeline_word(i, &form, &what); i++)
		buf_printf(out, "| `%s` | %s |\n", form, what);
	buf_text(out, "\n## Events\n\nOne line of text each; `?` marks what may be left out: "
		      "`event \"broker-down broker=2\"`.\n\n"
		      "| event | arguments | what |\n| --- | --- | --- |\n");
}

static void events(struct buf *out)
{
	const char *name, *args, *what;

	for (size_t i = 0; happening_list(i, &name, &args, &what); i++)
		buf_printf(out, "| `%s` | %s | %s |\n", name, args, what);
	buf_byte(out, '\n');
}

static void check_row(const struct check_type *t, struct buf *out)
{
	static const char *const args[] = {"", "client", "topic", "group", "number"};

	buf_printf(out, "| `%s", t->name);
	for (int i = 0; i < CHECK_ARGS_MAX && t->args[i]; i++)
		buf_printf(out, "%s%s", i ? ", " : "(", args[t->args[i]]);
	buf_printf(out, "%s` | %s%s | %s | %s%s%s |\n", t->args[0] ? ")" : "", t->claim,
		   t->should ? " (SHOULD)" : "", t->see, t->needs & NEEDS_WIRE ? "wire " : "",
		   t->needs & NEEDS_LOG ? "log " : "", t->needs & NEEDS_REPORTS ? "reports" : "");
}

static void checks(struct buf *out)
{
	size_t n;
	const struct check_type *const *types = check_types(&n);

	buf_text(out, "## Checks\n\n");
	buf_text(out, checks_text);
	for (size_t i = 0; i < n; i++)
		if (strchr(types[i]->name, '.'))
			check_row(types[i], out);
	buf_text(out, "\nIn every case, unless there is nothing to judge:\n\n"
		      "| check | what has to hold | source | needs |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < n; i++)
		if (types[i]->universal)
			check_row(types[i], out);
	buf_text(out, "\n*Needs* is what a check must see: the wire (any capture has it), the log "
		      "(what the broker persisted: a\nmock run and its evidence have it), reports "
		      "(what the subject said).\n");
}

void scenarios_reference(struct buf *out)
{
	buf_text(out, opening);
	buf_printf(out, " %d instructions,\n  %d s of processor time and %zu MiB of memory.\n",
		   SCRIPT_STEPS_MAX, BOUNDS_WORK_S, SCRIPT_MEMORY_MAX >> 20);
	buf_text(out, modules);
	buf_text(out, "## Words\n\n");
	for (const struct word *w = words_all(); w->name; w++)
		word(w, out);
	timeline_words(out);
	events(out);
	checks(out);
}
