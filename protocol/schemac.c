/* schemac: the compiler of the .msg files in protocol/messages, built and run before everything
 * else. It reads the notation that docs/protocol.md describes and writes messages.h (C structs) and
 * messages.c (descriptor tables, see protocol/schema.h). It stands alone: libc only, memory lives
 * until exit, and the first mistake ends it with FILE:LINE. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 80
#define DEPTH_MAX    12
#define VERSION_END  32767
#define VERSIONS_MAX 64

struct fields;

struct field {
	char name[NAME_MAX_LEN], type[NAME_MAX_LEN],
		value[NAME_MAX_LEN]; /* type: base type, "" for an inline struct */
	bool array, nullable, ignorable, inflexible, has_value;
	int since, until, null_since, null_until, tag, line;
	struct fields *children; /* of an inline struct; of a named one after resolve */
	struct field *next;
};

struct fields {
	char name[NAME_MAX_LEN]; /* of a named struct, else "" */
	char cname[4 * NAME_MAX_LEN];
	int since, until; /* versions in which it can occur */
	bool emitted;
	struct field *first, **last;
	struct fields *next;
};

struct message {
	char kind[12], name[NAME_MAX_LEN];
	const char *file;
	int key, since, until, flexible_since, unstable_since, line;
	struct fields *root, *named;
	struct message *next;
};

static const char *file;
static int line_number;
static struct message *messages, **messages_last = &messages;
static size_t messages_count;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line_number);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *zalloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

static void copy(char *to, const char *from)
{
	if (strlen(from) >= NAME_MAX_LEN)
		die("'%s' is longer than %d characters", from, NAME_MAX_LEN - 1);
	snprintf(to, NAME_MAX_LEN, "%s", from);
}

/* ---- reading ---- */

static int number(const char **p)
{
	char *end;
	long v = strtol(*p, &end, 10);

	if (end == *p || v < 0 || v >= VERSION_END)
		die("a number is wanted at '%s'", *p);
	*p = end;
	return (int)v;
}

/* "v3", "v3+" or "v0-12". */
static void parse_versions(const char *word, int *since, int *until)
{
	const char *p = word + 1;

	if (*word != 'v' || !isdigit((unsigned char)*p))
		die("versions are wanted (v3, v3+ or v0-12), not '%s'", word);
	*since = *until = number(&p);
	if (*p == '+') {
		*until = VERSION_END;
		p++;
	} else if (*p == '-') {
		p++;
		*until = number(&p);
	}
	if (*p || *until < *since)
		die("'%s' is no range of versions", word);
}

static bool known_type(const char *type)
{
	static const char *const types[] = {"bool",  "int8",   "int16", "uint16",
					    "int32", "uint32", "int64", "float64",
					    "uuid",  "string", "bytes", "records"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i], type))
			return true;
	return false;
}

static void parse_type(struct field *f, const char *word)
{
	if (*word == '?') {
		f->nullable = true;
		word++;
	}
	if (!strncmp(word, "[]", 2)) {
		f->array = true;
		word += 2;
	} else if (!strcmp(word, "{}")) {
		word += 2;
	} else if (!*word) {
		die("field %s has no type", f->name);
	}
	copy(f->type, word);
	if (*word && !isupper((unsigned char)*word) && !known_type(word))
		die("unknown type '%s'", word);
}

static void parse_attributes(struct field *f, char *rest)
{
	char *save, *word = strtok_r(rest, " ", &save);
	const char *p;

	for (; word; word = strtok_r(NULL, " ", &save)) {
		if (!strcmp(word, "ignorable")) {
			f->ignorable = true;
		} else if (!strcmp(word, "inflexible")) {
			f->inflexible = true;
		} else if (!strcmp(word, "tag") || !strcmp(word, "null") || !strcmp(word, "=")) {
			char *operand = strtok_r(NULL, " ", &save);

			if (!operand)
				die("'%s' wants a word after it", word);
			if (*word == 't') {
				p = operand;
				f->tag = number(&p);
			} else if (*word == 'n') {
				parse_versions(operand, &f->null_since, &f->null_until);
			} else {
				f->has_value = true;
				copy(f->value, operand);
			}
		} else {
			parse_versions(word, &f->since, &f->until);
		}
	}
}

static struct fields *fields_new(const char *name)
{
	struct fields *fs = zalloc(sizeof(*fs));

	copy(fs->name, name);
	fs->last = &fs->first;
	fs->since = VERSION_END;
	fs->until = -1;
	return fs;
}

static struct field *parse_field(struct message *m, struct fields *in, char *text)
{
	struct field *f = zalloc(sizeof(*f));
	char *colon = strchr(text, ':');
	char *type, *end;

	if (!colon)
		die("'%s' is no field; 'name: type' is wanted", text);
	*colon = '\0';
	copy(f->name, text);
	for (const struct field *other = in->first; other; other = other->next)
		if (!strcmp(other->name, f->name))
			die("field %s stands twice", f->name);
	type = colon + 1 + strspn(colon + 1, " ");
	end = type + strcspn(type, " ");
	f->line = line_number;
	f->until = VERSION_END;
	f->tag = -1;
	f->null_since = -1;
	if (*end)
		*end++ = '\0';
	parse_type(f, type);
	parse_attributes(f, end);
	if (f->null_since >= 0 && !f->nullable)
		die("'null' versions need a type that can be null: ?%s", f->type);
	if (f->nullable && f->null_since < 0)
		f->null_until = VERSION_END;
	f->null_since = !f->nullable ? 1 : f->null_since < 0 ? 0 : f->null_since;
	if (f->tag >= 0 && m->flexible_since > m->until)
		die("a tag in a message without flexible versions");
	if (!f->type[0])
		f->children = fields_new("");
	*in->last = f;
	in->last = &f->next;
	return f;
}

static struct message *parse_head(char *text)
{
	struct message *m = zalloc(sizeof(*m));
	char *save, *word = strtok_r(text, " ", &save), *name = strtok_r(NULL, " ", &save);
	int end;

	if (!name || (strcmp(word, "request") && strcmp(word, "response") && strcmp(word, "data") &&
		      strcmp(word, "key") && strcmp(word, "value")))
		die("a message begins with request, response, data, key or value and its name");
	snprintf(m->kind, sizeof(m->kind), "%s", word);
	copy(m->name, name);
	m->file = file;
	m->line = line_number;
	m->key = m->since = -1;
	m->flexible_since = m->unstable_since = VERSION_END;
	for (word = strtok_r(NULL, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char *operand = *word == 'v' ? word : strtok_r(NULL, " ", &save);
		const char *p = operand;

		if (*word == 'v')
			parse_versions(word, &m->since, &m->until);
		else if (operand && !strcmp(word, "key"))
			m->key = number(&p);
		else if (operand && !strcmp(word, "flexible"))
			parse_versions(operand, &m->flexible_since, &end);
		else if (operand && !strcmp(word, "unstable"))
			parse_versions(operand, &m->unstable_since, &end);
		else
			die("'%s' is not understood; key N, vA-B, flexible vN+ or unstable vN",
			    word);
	}
	if (m->since < 0 || m->until == VERSION_END)
		die("message %s needs a closed range of versions, such as v0-3", m->name);
	if ((m->key < 0) != !strcmp(m->kind, "data"))
		die("message %s: requests, responses, keys and values have a key, data has none",
		    m->name);
	m->root = fields_new("");
	*messages_last = m;
	messages_last = &m->next;
	messages_count++;
	return m;
}

static void parse_file(const char *path)
{
	struct fields *stack[DEPTH_MAX] = {NULL}, **named_last = NULL;
	struct message *m = NULL;
	FILE *in = fopen(path, "r");
	char text[512];
	size_t depth = 0, indent;

	file = path;
	line_number = 0;
	if (!in)
		die("can't open: %s", strerror(errno));
	while (fgets(text, sizeof(text), in)) {
		line_number++;
		text[strcspn(text, "#\n")] = '\0';
		for (size_t n = strlen(text); n && text[n - 1] == ' ';)
			text[--n] = '\0';
		indent = strspn(text, " ");
		if (!text[indent])
			continue;
		if (indent == 0) {
			m = parse_head(text);
			named_last = &m->named;
			stack[depth = 1] = m->root;
			continue;
		}
		if (!m || indent % 2 || indent / 2 > depth || indent / 2 + 1 >= DEPTH_MAX)
			die("indentation: two spaces a level below the line above");
		depth = indent / 2;
		if (depth == 1 && !strncmp(text + 2, "struct ", 7)) {
			*named_last = stack[++depth] = fields_new(text + 9);
			named_last = &(*named_last)->next;
			continue;
		}
		struct field *f = parse_field(m, stack[depth], text + indent);

		if (f->children)
			stack[++depth] = f->children;
	}
	fclose(in);
}

/* ---- names and checks ---- */

/* topicId -> topic_id, ISRNodes -> isr_nodes */
static void snake(char *to, const char *from)
{
	for (size_t i = 0; from[i]; i++) {
		unsigned char c = (unsigned char)from[i];

		if (i && isupper(c) &&
		    (!isupper((unsigned char)from[i - 1]) || islower((unsigned char)from[i + 1])))
			*to++ = '_';
		*to++ = (char)tolower(c);
	}
	*to = '\0';
}

static void at(const struct message *m, int line)
{
	file = m->file;
	line_number = line;
}

static bool is_struct(const struct field *f)
{
	return f->children != NULL;
}

static void resolve(struct message *m, struct fields *fs, const char *cname, int since, int until)
{
	char name[2 * NAME_MAX_LEN];

	if (!fs->cname[0])
		snprintf(fs->cname, sizeof(fs->cname), "%s", cname);
	if (since < fs->since)
		fs->since = since;
	if (until > fs->until)
		fs->until = until;
	for (struct field *f = fs->first; f; f = f->next) {
		char child[6 * NAME_MAX_LEN];
		int from = f->since > since ? f->since : since,
		    to = f->until < until ? f->until : until;

		at(m, f->line);
		snake(name, isupper((unsigned char)f->type[0]) ? f->type : f->name);
		if (isupper((unsigned char)f->type[0])) {
			for (f->children = m->named;
			     f->children && strcmp(f->children->name, f->type);)
				f->children = f->children->next;
			if (!f->children)
				die("struct %s is not in this message", f->type);
		}
		if (!f->children)
			continue;
		if (!f->children->first)
			die("field %s: its struct has no fields", f->name);
		snprintf(child, sizeof(child), "%s_%s",
			 isupper((unsigned char)f->type[0]) ? m->root->cname : fs->cname, name);
		resolve(m, f->children, child, from, to);
	}
}

static void name_root(struct message *m)
{
	char name[2 * NAME_MAX_LEN];

	snake(name, m->name);
	if (!strcmp(m->kind, "request") || !strcmp(m->kind, "response"))
		snprintf(m->root->cname, sizeof(m->root->cname), "%s_%s", name, m->kind);
	else
		snprintf(m->root->cname, sizeof(m->root->cname), "%s", name);
	resolve(m, m->root, m->root->cname, m->since, m->until);
}

/* ---- least size on the wire ---- */

static int wire_min(const struct message *m, const struct fields *fs);

static int field_wire_size(const struct message *m, const struct field *f, bool flexible)
{
	static const struct {
		const char *type;
		int size;
	} fixed[] = {{"bool", 1},   {"int8", 1},  {"int16", 2},	  {"uint16", 2}, {"int32", 4},
		     {"uint32", 4}, {"int64", 8}, {"float64", 8}, {"uuid", 16}};

	if (f->array)
		return flexible ? 1 : 4;
	if (is_struct(f))
		return f->nullable ? 1 : wire_min(m, f->children);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (!strcmp(f->type, fixed[i].type))
			return fixed[i].size;
	if (flexible && !f->inflexible)
		return 1;
	return strcmp(f->type, "string") ? 4 : 2;
}

static int wire_min(const struct message *m, const struct fields *fs)
{
	int least = 1 << 30;

	for (int v = fs->since; v <= fs->until; v++) {
		bool flexible = v >= m->flexible_since;
		int size = flexible;

		for (const struct field *f = fs->first; f; f = f->next)
			if (v >= f->since && v <= f->until && f->tag < 0)
				size += field_wire_size(m, f, flexible);
		if (size < least)
			least = size;
	}
	return least < 1 ? 1 : least;
}

/* ---- writing ---- */

static const char *ctype(const struct field *f)
{
	static const char *const map[][2] = {
		{"bool", "bool"},	  {"int8", "int8_t"},	     {"int16", "int16_t"},
		{"uint16", "uint16_t"},	  {"int32", "int32_t"},	     {"uint32", "uint32_t"},
		{"int64", "int64_t"},	  {"float64", "double"},     {"uuid", "struct uuid"},
		{"string", "struct str"}, {"bytes", "struct bytes"}, {"records", "struct records"},
	};
	static char text[5 * NAME_MAX_LEN];

	if (is_struct(f)) {
		snprintf(text, sizeof(text), "struct %s", f->children->cname);
		return text;
	}
	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++)
		if (!strcmp(map[i][0], f->type))
			return map[i][1];
	return "?";
}

static bool by_pointer(const struct field *f)
{
	return is_struct(f) && f->nullable && !f->array;
}

static bool default_null(const struct field *f)
{
	return f->has_value && !strcmp(f->value, "null");
}

static void write_default(FILE *out, const struct field *f)
{
	char name[2 * NAME_MAX_LEN];

	snake(name, f->name);
	if (f->array) {
		if (default_null(f))
			fprintf(out, " .%s_count = -1,", name);
	} else if (default_null(f)) {
		return;
	} else if (by_pointer(f)) {
		fprintf(out, " .%s = (struct %s *)&%s_defaults,", name, f->children->cname,
			f->children->cname);
	} else if (is_struct(f)) {
		fprintf(out, " .%s = DEFAULTS_%s,", name, f->children->cname);
	} else if (!strcmp(f->type, "string")) {
		fprintf(out, " .%s = {%s, %zu},", name, f->has_value ? f->value : "\"\"",
			f->has_value ? strlen(f->value) - 2 : 0);
	} else if (!strcmp(f->type, "bytes")) {
		fprintf(out, " .%s = {(const uint8_t *)\"\", 0},", name);
	} else if (f->has_value) {
		fprintf(out, " .%s = %s%s,", name,
			strcmp(f->value, "-2147483648") ? f->value : "INT32_MIN",
			!strcmp(f->type, "int64") && strcmp(f->value, "-1") ? "LL" : "");
	}
}

static void write_struct(FILE *out, const struct message *m, struct fields *fs)
{
	char name[2 * NAME_MAX_LEN];

	if (fs->emitted)
		return;
	fs->emitted = true;
	for (const struct field *f = fs->first; f; f = f->next)
		if (is_struct(f))
			write_struct(out, m, f->children);
	fprintf(out, "\nstruct %s {\n", fs->cname);
	for (const struct field *f = fs->first; f; f = f->next) {
		snake(name, f->name);
		fprintf(out, "\t%s %s%s;\n", ctype(f), f->array || by_pointer(f) ? "*" : "", name);
		if (f->array)
			fprintf(out, "\tint32_t %s_count;\n", name);
	}
	if (m->flexible_since <= m->until)
		fprintf(out, "\tstruct unknown_tags *unknown_tags;\n");
	fprintf(out, "};\n\nextern const struct schema %s_schema;\n", fs->cname);
	fprintf(out, "extern const struct %s %s_defaults;\n", fs->cname, fs->cname);
	fprintf(out, "#define DEFAULTS_%s {", fs->cname);
	for (const struct field *f = fs->first; f; f = f->next)
		write_default(out, f);
	fprintf(out, "}\n");
}

/* The scalar's opcode and width on the wire, or NULL. */
static const char *scalar_opcode(const struct field *f, int *ret_size)
{
	static const struct {
		const char *type, *code;
		int size;
	} scalars[] = {{"bool", "OP_BOOL", 1}, {"int8", "OP_8", 1},	{"int16", "OP_16", 2},
		       {"uint16", "OP_16", 2}, {"int32", "OP_32", 4},	{"uint32", "OP_32", 4},
		       {"int64", "OP_64", 8},  {"float64", "OP_64", 8}, {"uuid", "OP_UUID", 16}};

	*ret_size = 0;
	for (size_t i = 0; i < sizeof(scalars) / sizeof(*scalars); i++) {
		if (strcmp(scalars[i].type, f->type))
			continue;
		*ret_size = scalars[i].size;
		return scalars[i].code;
	}
	return NULL;
}

static const char *opcode(const struct field *f, bool flexible, int *ret_size)
{
	const char *scalar = scalar_opcode(f, ret_size);

	if (f->array || is_struct(f))
		*ret_size = 0;
	if (f->array)
		return "OP_ARRAY";
	if (is_struct(f))
		return f->nullable ? "OP_POINTER" : "OP_STRUCT";
	if (!strcmp(f->type, "string"))
		return flexible && !f->inflexible ? "OP_COMPACT_STRING" : "OP_STRING";
	return scalar ? scalar : "OP_VIEW";
}

static void write_field(FILE *out, const struct fields *fs, const struct field *f)
{
	char name[2 * NAME_MAX_LEN], type[NAME_MAX_LEN] = "STRUCT";
	int size;
	const char *code = scalar_opcode(f, &size);

	snake(name, f->name);
	for (size_t i = 0; !is_struct(f) && i <= strlen(f->type); i++)
		type[i] = (char)toupper((unsigned char)f->type[i]);
	fprintf(out,
		"\t{.name = \"%s\", .type = FIELD_%s, .since = %d, .until = %d, .null_since = %d, "
		".null_until = %d, .tag = %d,\n",
		f->name, type, f->since, f->until, f->null_since, f->null_until, f->tag);
	fprintf(out, "\t .offset = offsetof(struct %s, %s)", fs->cname, name);
	fprintf(out, ", .size = sizeof(%s), .opcode = %s", ctype(f),
		is_struct(f) ? "OP_STRUCT"
		: code	     ? code
			     : "OP_VIEW");
	if (f->array)
		fprintf(out, ", .array = true, .count_offset = offsetof(struct %s, %s_count)",
			fs->cname, name);
	if (is_struct(f))
		fprintf(out, ", .child = &%s_schema", f->children->cname);
	if (by_pointer(f))
		fprintf(out, ", .pointer = true");
	if (f->ignorable)
		fprintf(out, ", .ignorable = true");
	if (f->inflexible)
		fprintf(out, ", .inflexible = true");
	if (f->has_value)
		fprintf(out, ", .has_default = true");
	fprintf(out, "},\n");
}

static int write_tagged(FILE *out, const struct message *m, const struct fields *fs)
{
	int count = 0;

	for (int tag = 0; tag < 64; tag++) {
		int index = 0;

		for (const struct field *f = fs->first; f; f = f->next, index++) {
			if (f->tag != tag)
				continue;
			if (!count++)
				fprintf(out, "static const uint16_t %s_tagged[] = {", fs->cname);
			fprintf(out, "%d, ", index);
		}
	}
	for (const struct field *f = fs->first; f; f = f->next) {
		at(m, f->line);
		if (f->tag >= 64)
			die("tags end at 63 here");
	}
	if (count)
		fprintf(out, "};\n");
	return count;
}

/* The C member behind a field, for the size of what lies between. */
static void write_member(char *to, size_t size, const struct message *m, const struct fields *fs,
			 const struct field *f)
{
	char name[2 * NAME_MAX_LEN];

	if (f) {
		snake(name, f->name);
		snprintf(to, size, "offsetof(struct %s, %s)", fs->cname, name);
	} else if (m->flexible_since <= m->until) {
		snprintf(to, size, "offsetof(struct %s, unknown_tags)", fs->cname);
	} else {
		snprintf(to, size, "sizeof(struct %s)", fs->cname);
	}
}

static bool is_read(const struct field *f, int version)
{
	return f->tag < 0 && version >= f->since && version <= f->until;
}

/* Runs of members that this version does not read. */
static void plan_defaults(FILE *out, const struct message *m, const struct fields *fs, int version)
{
	bool flexible = version >= m->flexible_since;
	char from[8 * NAME_MAX_LEN], to[8 * NAME_MAX_LEN];

	for (const struct field *f = fs->first, *end; f; f = end) {
		for (end = f; end && !is_read(end, version);)
			end = end->next;
		if (end == f) {
			end = f->next;
			continue;
		}
		write_member(from, sizeof(from), m, fs, f);
		write_member(to, sizeof(to), m, fs, end);
		fprintf(out, "\t{OP_DEFAULT, 0, %s - %s, %s, 0},\n", to, from, from);
	}
	if (!flexible && m->flexible_since <= m->until)
		fprintf(out,
			"\t{OP_DEFAULT, 0, sizeof(void *), offsetof(struct %s, unknown_tags), "
			"0},\n",
			fs->cname);
}

static void write_plan(FILE *out, const struct message *m, const struct fields *fs, int version)
{
	bool flexible = version >= m->flexible_since;
	char member[8 * NAME_MAX_LEN];
	int index = 0, size;

	plan_defaults(out, m, fs, version);
	for (const struct field *f = fs->first; f; f = f->next, index++) {
		const char *code = opcode(f, flexible, &size);

		write_member(member, sizeof(member), m, fs, f);
		if (is_read(f, version))
			fprintf(out, "\t{%s, 0, %d, %s, %d},\n", code, size, member, index);
	}
	fprintf(out, "\t{%s, 0, 0, 0, 0},\n", flexible ? "OP_TAGS" : "OP_END");
	index = 0;
	for (const struct field *f = fs->first; f; f = f->next, index++)
		if (!f->ignorable && (version < f->since || version > f->until))
			fprintf(out, "\t{OP_ABSENT, 0, 0, 0, %d},\n", index);
	fprintf(out, "\t{OP_STOP, 0, 0, 0, 0},\n");
}

/* One plan for each run of versions that have the same. */
static void write_plans(FILE *out, const struct message *m, const struct fields *fs)
{
	char *text = NULL, *before = NULL;
	int names[VERSIONS_MAX], made = 0;
	size_t size;

	if (fs->until - fs->since >= VERSIONS_MAX)
		die("more than %d versions", VERSIONS_MAX);
	for (int v = fs->since; v <= fs->until; v++) {
		FILE *memory = open_memstream(&text, &size);

		write_plan(memory, m, fs, v);
		fclose(memory);
		if (!before || strcmp(text, before))
			fprintf(out, "static const struct schema_op %s_plan%d[] = {\n%s};\n",
				fs->cname, ++made, text);
		names[v - fs->since] = made;
		before = text;
	}
	fprintf(out, "static const struct schema_op *const %s_plans[] = {", fs->cname);
	for (int v = fs->since; v <= fs->until; v++)
		fprintf(out, "%s_plan%d, ", fs->cname, names[v - fs->since]);
	fprintf(out, "};\n");
}

static void write_table(FILE *out, const struct message *m, struct fields *fs)
{
	int count = 0, tagged;

	if (!fs->emitted)
		return;
	fs->emitted = false;
	for (const struct field *f = fs->first; f; f = f->next)
		if (is_struct(f))
			write_table(out, m, f->children);
	fprintf(out, "\nconst struct %s %s_defaults = DEFAULTS_%s;\n", fs->cname, fs->cname,
		fs->cname);
	fprintf(out, "static const struct schema_field %s_fields[] = {\n", fs->cname);
	for (const struct field *f = fs->first; f; f = f->next, count++)
		write_field(out, fs, f);
	fprintf(out, "};\n");
	tagged = write_tagged(out, m, fs);
	write_plans(out, m, fs);
	fprintf(out,
		"const struct schema %s_schema = {\n\t.name = \"%s\", .fields = %s_fields, "
		".field_count = %d,\n",
		fs->cname, fs->cname, fs->cname, count);
	if (tagged)
		fprintf(out, "\t.tagged = %s_tagged, .tagged_count = %d,\n", fs->cname, tagged);
	if (m->flexible_since <= m->until)
		fprintf(out, "\t.unknown_tags_offset = offsetof(struct %s, unknown_tags),\n",
			fs->cname);
	fprintf(out,
		"\t.defaults = &%s_defaults, .size = sizeof(struct %s), .wire_min = %d, "
		".flexible_since = %d,\n\t.plans = %s_plans, .since = %d, .until = %d,\n};\n",
		fs->cname, fs->cname, wire_min(m, fs), m->flexible_since, fs->cname, fs->since,
		fs->until);
}

static int order(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a, *y = *(struct message *const *)b;
	bool xapi = *x->kind == 'r', yapi = *y->kind == 'r';

	if (xapi != yapi)
		return yapi - xapi;
	if (xapi && x->key != y->key)
		return x->key - y->key;
	if (xapi)
		return strcmp(x->kind, y->kind); /* "request" < "response" */
	return strcmp(x->name, y->name);
}

static struct message **sorted(void)
{
	struct message **list = zalloc(messages_count * sizeof(struct message *));
	size_t n = 0;

	for (struct message *m = messages; m; m = m->next)
		list[n++] = m;
	qsort(list, messages_count, sizeof(struct message *), order);
	for (size_t i = 1; i < messages_count; i++) {
		at(list[i], list[i]->line);
		if (!order(&list[i - 1], &list[i]))
			die("%s %s is already defined in %s:%d", list[i]->kind, list[i]->name,
			    list[i - 1]->file, list[i - 1]->line);
	}
	return list;
}

static FILE *create(const char *path)
{
	FILE *out = fopen(path, "w");

	file = path;
	line_number = 0;
	if (!out)
		die("can't write: %s", strerror(errno));
	return out;
}

static void write_header(const char *path, struct message **list)
{
	FILE *out = create(path);
	char name[2 * NAME_MAX_LEN];

	fprintf(out, "/* Made by schemac from protocol/messages; do not edit. */\n#ifndef "
		     "PROTOCOL_MESSAGES_H\n#define PROTOCOL_MESSAGES_H\n\n");
	fprintf(out, "#include \"protocol/schema.h\"\n\nenum api_key {\n");
	for (size_t i = 0; i < messages_count; i++) {
		if (strcmp(list[i]->kind, "request"))
			continue;
		snake(name, list[i]->name);
		for (char *p = name; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		fprintf(out, "\tAPI_%s = %d,\n", name, list[i]->key);
	}
	fprintf(out, "};\n");
	for (size_t i = 0; i < messages_count; i++)
		write_struct(out, list[i], list[i]->root);
	fprintf(out, "\nextern const struct message schema_messages[];\nextern const size_t "
		     "schema_messages_count;\n\n#endif\n");
	if (fclose(out))
		die("can't write: %s", strerror(errno));
}

static void write_tables(const char *path, struct message **list)
{
	FILE *out = create(path);

	fprintf(out, "/* Made by schemac from protocol/messages; do not edit. */\n#include "
		     "\"protocol/messages.h\"\n");
	for (size_t i = 0; i < messages_count; i++)
		write_table(out, list[i], list[i]->root);
	fprintf(out, "\nconst struct message schema_messages[] = {\n");
	for (size_t i = 0; i < messages_count; i++) {
		const struct message *m = list[i];
		char kind[12];

		for (size_t j = 0; j < sizeof(kind); j++)
			kind[j] = (char)toupper((unsigned char)m->kind[j]);
		fprintf(out,
			"\t{.name = \"%s\", .schema = &%s_schema, .kind = MESSAGE_%s, .key = %d, "
			".since = %d, .until = %d, .unstable_since = %d},\n",
			m->name, m->root->cname, kind, m->key, m->since, m->until,
			m->unstable_since);
	}
	fprintf(out, "};\nconst size_t schema_messages_count = %zu;\n", messages_count);
	if (fclose(out))
		die("can't write: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct message **list;

	if (argc < 4) {
		fprintf(stderr, "usage: schemac OUT.h OUT.c FILE.msg...\n");
		return 2;
	}
	for (int i = 3; i < argc; i++)
		parse_file(argv[i]);
	for (struct message *m = messages; m; m = m->next)
		name_root(m);
	list = sorted();
	write_header(argv[1], list);
	write_tables(argv[2], list);
	return 0;
}
