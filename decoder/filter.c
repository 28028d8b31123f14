/* The language: a parser by recursive descent into a tree of nodes, and its evaluation.
 *
 *	or    = and { "||" and }          "or" means the same
 *	and   = not { "&&" not }          "and"
 *	not   = "!" not | "(" or ")" | test          "not"
 *	test  = FIELD [ ("==" | "!=" | "<" | "<=" | ">" | ">=") VALUE | ("~" | "!~") REGEX
 *	              | "in" "(" VALUE { "," VALUE } ")" ]
 *
 * Invariants: nodes lie in the filter's arena; a test compares any value that the pair has, and !=
 * and !~ are the opposites of == and ~; values were checked against their field when read. */
#include "decoder/filter.h"

#include "decoder/filter_field.h"
#include "protocol/kafka_error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILTER_ARENA	  ((size_t)8 << 20)
#define FILTER_VALUES_MAX 256 /* of one "in" */
#define DAY_US		  ((int64_t)86400 * 1000000)

enum op {
	OP_IS,
	OP_IS_NOT,
	OP_LESS,
	OP_LESS_EQ,
	OP_MORE,
	OP_MORE_EQ,
	OP_LIKE,
	OP_UNLIKE,
	OP_THERE
};

struct operand {
	struct str text;
	int64_t number;
	double real;
	bool is_number, is_real, of_day; /* of_day: a time of any day */
};

enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_TEST };

struct node {
	enum node_kind kind;
	struct node *a, *b;
	struct filter_field field;
	enum op op;
	struct operand *operands;
	int32_t operands_count;
	pcre2_code *regex;
	struct node *next_test; /* of all tests, to be freed */
};

struct filter {
	struct arena arena;
	struct node *root, *tests;
	pcre2_match_data *match;
	struct str text;
};

struct parser {
	struct filter *f;
	const char *at, *end;
	int depth, tests;
	struct error *e;
};

/* ---- words ---- */

static void *fail(struct parser *p, const char *at, const char *text)
{
	error_at(p->e, ERR_USAGE, (size_t)(at - p->f->text.data), NULL, "%s", text);
	return NULL;
}

static void blanks(struct parser *p)
{
	while (p->at < p->end && strchr(" \t\r\n", *p->at))
		p->at++;
}

static bool word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("_.-:+/[]*%@#$", c) || (unsigned char)c >= 0x80;
}

/* The next word without taking it; its length may be 0. */
static struct str peek_word(struct parser *p)
{
	struct str w;

	blanks(p);
	w = (struct str){p->at, 0};
	while (p->at + w.len < p->end && p->at[w.len] && word_byte(p->at[w.len]))
		w.len++;
	return w;
}

static bool take_text(struct parser *p, const char *text)
{
	size_t n = strlen(text);

	blanks(p);
	if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n))
		return false;
	p->at += n;
	return true;
}

static bool take_word(struct parser *p, const char *text)
{
	struct str w = peek_word(p);

	if (!str_is(w, text))
		return false;
	p->at += w.len;
	return true;
}

/* A quoted text: \" and \\ stand for themselves, any other backslash stays (regular expressions
 * are full of them). */
static bool take_quoted(struct parser *p, struct str *ret)
{
	const char *start = p->at++;
	char *copy = arena_alloc(&p->f->arena, (size_t)(p->end - p->at) + 1);
	int32_t n = 0;

	if (!copy)
		return fail(p, start, "the expression is too large");
	while (p->at < p->end && *p->at != *start) {
		if (*p->at == '\\' && p->at + 1 < p->end &&
		    (p->at[1] == *start || p->at[1] == '\\'))
			p->at++;
		copy[n++] = *p->at++;
	}
	if (p->at == p->end)
		return fail(p, start, "this text lacks its closing quote");
	p->at++;
	*ret = (struct str){copy, n};
	return true;
}

static bool take_value(struct parser *p, struct str *ret)
{
	blanks(p);
	if (p->at < p->end && (*p->at == '"' || *p->at == '\''))
		return take_quoted(p, ret);
	*ret = peek_word(p);
	if (!ret->len)
		return fail(p, p->at, "a value is wanted here");
	p->at += ret->len;
	return true;
}

/* ---- values ---- */

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {{"us", 1},	   {"µs", 1},	    {"ms", 1000},
					{"s", 1000000},	   {"m", 60000000}, {"min", 60000000},
					{"h", 3600000000}, {NULL, 0}};
static const struct unit sizes[] = {
	{"", 1},	{"B", 1},	  {"k", 1024},	      {"K", 1024},	{"KiB", 1024},
	{"M", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30},     {"GiB", 1 << 30}, {"kB", 1000},
	{"KB", 1000},	{"MB", 1000000},  {"GB", 1000000000}, {NULL, 0}};

/* "2.5ms": a number and a unit. */
static bool read_amount(struct str text, const struct unit *units, int64_t *ret)
{
	char copy[64], *end;
	double n;

	if (text.len >= (int32_t)sizeof(copy) || !text.len || text.data[0] < '0' ||
	    text.data[0] > '9')
		return false;
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	n = strtod(copy, &end);
	for (; units->name; units++)
		if (!strcmp(end, units->name) && n * (double)units->factor < 9e18) {
			*ret = (int64_t)(n * (double)units->factor + 0.5);
			return true;
		}
	return false;
}

static bool read_number(struct str text, int64_t *ret)
{
	char copy[32], *end;

	if (text.len >= (int32_t)sizeof(copy) || !text.len)
		return false;
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	errno = 0;
	*ret = strtoll(copy, &end, 10);
	return !*end && !errno;
}

static bool read_real(struct str text, double *ret)
{
	char copy[64], *end;

	if (text.len >= (int32_t)sizeof(copy) || !text.len)
		return false;
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	*ret = strtod(copy, &end);
	return !*end;
}

/* A moment, or a time of any day: 20:41, 20:41:17.25. */
static bool read_time(struct str text, struct operand *ret)
{
	char copy[64], *end;
	struct tm tm = {0};
	double fraction = 0;

	if (text.len >= (int32_t)sizeof(copy))
		return false;
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
	ret->of_day = false;
	if (!end) {
		ret->of_day = true;
		end = strptime(copy, "%H:%M:%S", &tm);
	}
	if (!end)
		end = strptime(copy, "%H:%M", &tm);
	if (!end)
		return false;
	if (*end == '.')
		fraction = strtod(end, &end);
	if (strcmp(end, "") && strcmp(end, "Z"))
		return false;
	ret->number = ret->of_day ? (int64_t)(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec)
				  : (int64_t)timegm(&tm);
	ret->number = ret->number * 1000000 + (int64_t)(fraction * 1000000 + 0.5);
	return true;
}

static const char *nearest_api(struct str name)
{
	const char *best = NULL;
	int least = 1 + name.len / 2;

	for (int key = 0; key <= API_KEY_MAX; key++) {
		const char *api = api_name(key);
		int distance = api ? str_distance(name, str_of(api)) : 99;

		if (distance < least) {
			least = distance;
			best = api;
		}
	}
	return best;
}

static bool meant(struct parser *p, const char *at, const char *what, struct str text,
		  const char *nearest)
{
	char line[300];

	snprintf(line, sizeof(line), "there is no %s '" STR_FMT "'%s%s%s", what, STR_ARG(text),
		 nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	return fail(p, at, line);
}

/* A path's value by what stands in the messages: an error's name where the field is a code. */
static bool read_path_value(struct parser *p, const char *at, const struct node *n,
			    struct operand *o)
{
	struct error e = ERROR_INIT;
	int16_t code;
	bool ordered = n->op >= OP_LESS && n->op <= OP_MORE_EQ;

	o->is_number = read_number(o->text, &o->number);
	o->is_real = read_real(o->text, &o->real);
	if (o->is_number || o->is_real)
		return true;
	if (str_is(o->text, "true") || str_is(o->text, "false")) {
		o->is_number = true;
		o->number = str_is(o->text, "true");
	} else if (kafka_error_find(o->text, &code)) {
		o->is_number = true;
		o->number = code;
	}
	if (ordered)
		return fail(p, at, "a number is wanted here");
	return filter_field_accepts(&n->field, o->text, &e) || fail(p, at, e.text);
}

static bool read_code(struct parser *p, const char *at, struct operand *o)
{
	int16_t code;

	if (!kafka_error_find(o->text, &code))
		return meant(p, at, "error", o->text, kafka_error_nearest(o->text));
	o->number = code;
	return true;
}

static bool read_operand(struct parser *p, const char *at, const struct node *n, struct operand *o)
{
	switch (n->field.kind) {
	case FILTER_NUMBER:
		return read_number(o->text, &o->number) || fail(p, at, "a number is wanted here");
	case FILTER_API:
		o->number = api_find(o->text);
		return o->number >= 0 || meant(p, at, "API", o->text, nearest_api(o->text));
	case FILTER_ERROR:
		return read_code(p, at, o);
	case FILTER_DURATION:
		return read_amount(o->text, durations, &o->number) ||
		       fail(p, at, "a time with its unit is wanted here: 50ms, 2s, 300us");
	case FILTER_SIZE:
		return read_amount(o->text, sizes, &o->number) ||
		       fail(p, at, "a size is wanted here: 1000, 64KiB, 5MB");
	case FILTER_TIME:
		return read_time(o->text, o) ||
		       fail(p, at, "a time is wanted here: 2026-11-22T20:41:17Z, or 20:41:17");
	case FILTER_PATH:
		return read_path_value(p, at, n, o);
	default:
		return true;
	}
}

static bool read_regex(struct parser *p, struct node *n, const char *at, struct str text)
{
	PCRE2_UCHAR said[200];
	char line[300];
	PCRE2_SIZE offset;
	int code;

	n->regex = pcre2_compile((PCRE2_SPTR)text.data, (PCRE2_SIZE)text.len,
				 PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &offset, NULL);
	if (n->regex)
		return true;
	pcre2_get_error_message(code, said, sizeof(said));
	snprintf(line, sizeof(line), "the regular expression: %s", (const char *)said);
	at += *at == '"' || *at == '\'';
	return fail(p, at + (offset < (PCRE2_SIZE)(p->end - at) ? offset : 0), line);
}

/* ---- expressions ---- */

static struct node *new_node(struct parser *p, enum node_kind kind, struct node *a, struct node *b)
{
	struct node *n = arena_zalloc(&p->f->arena, sizeof(*n));

	if (!n)
		return fail(p, p->at, "the expression is too large");
	n->kind = kind;
	n->a = a;
	n->b = b;
	return n;
}

/* OP_THERE when no operator follows. */
static enum op take_op(struct parser *p)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {{"==", OP_IS},     {"!=", OP_IS_NOT}, {"<=", OP_LESS_EQ}, {">=", OP_MORE_EQ},
		   {"!~", OP_UNLIKE}, {"<", OP_LESS},	 {">", OP_MORE},     {"~", OP_LIKE}};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (take_text(p, ops[i].text))
			return ops[i].op;
	return OP_THERE;
}

static bool add_operand(struct parser *p, struct node *n)
{
	struct operand *o = &n->operands[n->operands_count];
	const char *at;

	blanks(p);
	at = p->at;
	*o = (struct operand){0};
	if (n->operands_count == FILTER_VALUES_MAX)
		return fail(p, at, "more values than fit");
	if (!take_value(p, &o->text))
		return false;
	n->operands_count++;
	if (n->op == OP_LIKE || n->op == OP_UNLIKE)
		return read_regex(p, n, at, o->text);
	return read_operand(p, at, n, o);
}

static bool operands(struct parser *p, struct node *n, int count)
{
	n->operands = arena_alloc(&p->f->arena, (size_t)count * sizeof(*n->operands));
	return n->operands || fail(p, p->at, "the expression is too large");
}

static bool take_list(struct parser *p, struct node *n)
{
	n->op = OP_IS;
	if (!take_text(p, "("))
		return fail(p, p->at, "'in' is followed by values in parentheses: (A, B)");
	if (!operands(p, n, FILTER_VALUES_MAX + 1))
		return false;
	do {
		if (!add_operand(p, n))
			return false;
	} while (take_text(p, ","));
	return take_text(p, ")") || fail(p, p->at, "')' is wanted here");
}

/* Whether the operator fits the field: texts have no order, numbers no pattern. */
static bool op_fits(struct parser *p, const char *at, const struct node *n)
{
	bool textual = n->field.kind == FILTER_TEXT || n->field.kind == FILTER_ADDRESS;
	bool named = n->field.kind == FILTER_API || n->field.kind == FILTER_ERROR;

	if (n->op >= OP_LESS && n->op <= OP_MORE_EQ && (textual || named))
		return fail(p, at, "this field has no order; == != ~ !~ can be asked of it");
	if ((n->op == OP_LIKE || n->op == OP_UNLIKE) && !textual && !named &&
	    n->field.kind != FILTER_PATH)
		return fail(p, at, "this field is no text; == != < <= > >= can be asked of it");
	return true;
}

static struct node *parse_test(struct parser *p)
{
	struct str name = peek_word(p);
	struct error e = ERROR_INIT;
	struct node *n;
	const char *at = p->at;

	if (!name.len)
		return fail(p, p->at,
			    p->at == p->end ? "the expression ends too early"
					    : "a field is wanted here");
	if (++p->tests > FILTER_TESTS_MAX)
		return fail(p, p->at, "too many comparisons");
	n = new_node(p, NODE_TEST, NULL, NULL);
	if (!n)
		return NULL;
	if (filter_field_find(name, &n->field, &e) < 0)
		return fail(p, at + (e.offset <= (size_t)name.len ? e.offset : 0), e.text);
	n->next_test = p->f->tests;
	p->f->tests = n;
	p->at += name.len;
	if (take_word(p, "in"))
		return take_list(p, n) ? n : NULL;
	blanks(p);
	at = p->at;
	if (take_text(p, "=") && (p->at == p->end || *p->at != '='))
		return fail(p, at, "to compare is ==");
	p->at = at;
	n->op = take_op(p);
	if (n->op == OP_THERE)
		return n;
	return op_fits(p, at, n) && operands(p, n, 1) && add_operand(p, n) ? n : NULL;
}

static struct node *parse_or(struct parser *p);

static struct node *parse_not(struct parser *p)
{
	struct node *n;
	bool is_not;

	if (p->depth >= FILTER_DEPTH_MAX)
		return fail(p, p->at, "too many parentheses");
	is_not = take_word(p, "not") || take_text(p, "!");
	if (is_not) {
		p->depth++;
		n = parse_not(p);
		p->depth--;
		return n ? new_node(p, NODE_NOT, n, NULL) : NULL;
	}
	if (!take_text(p, "("))
		return parse_test(p);
	p->depth++;
	n = parse_or(p);
	p->depth--;
	if (n && !take_text(p, ")"))
		return fail(p, p->at, "')' is wanted here, or && or ||");
	return n;
}

static struct node *parse_and(struct parser *p)
{
	struct node *n = parse_not(p), *b;

	while (n && (take_text(p, "&&") || take_word(p, "and"))) {
		b = parse_not(p);
		n = b ? new_node(p, NODE_AND, n, b) : NULL;
	}
	return n;
}

static struct node *parse_or(struct parser *p)
{
	struct node *n = parse_and(p), *b;

	while (n && (take_text(p, "||") || take_word(p, "or"))) {
		b = parse_and(p);
		n = b ? new_node(p, NODE_OR, n, b) : NULL;
	}
	return n;
}

struct filter *filter_new(struct str text, struct error *e)
{
	struct filter *f = calloc(1, sizeof(*f));
	struct error local = ERROR_INIT;
	struct parser p = {.f = f, .e = e ? e : &local};

	if (!f)
		abort();
	arena_init(&f->arena, FILTER_ARENA);
	f->match = pcre2_match_data_create(1, NULL);
	f->text = (struct str){"", 0};
	if (text.len > FILTER_TEXT_MAX) {
		fail(&p, f->text.data, "the expression is too long");
	} else {
		f->text = arena_str(&f->arena, text);
		p.at = f->text.data;
		p.end = p.at + f->text.len;
		f->root = parse_or(&p);
		blanks(&p);
		if (f->root && p.at < p.end)
			f->root = fail(&p, p.at, "&& or || is wanted here");
	}
	if (f->root)
		return f;
	filter_free(f);
	return NULL;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	for (struct node *n = f->tests; n; n = n->next_test) {
		filter_field_release(&n->field);
		pcre2_code_free(n->regex);
	}
	pcre2_match_data_free(f->match);
	arena_release(&f->arena);
	free(f);
}

/* ---- asking ---- */

struct asked {
	const struct filter *f;
	const struct node *n;
	bool yes;
};

/* -1, 0 or 1; 2 where the two can't be compared. */
static int compare(const struct node *n, const struct filter_value *v, const struct operand *o)
{
	int64_t a = v->number, b = o->number;

	if (v->is_text)
		return str_eq(v->text, o->text) ? 0 : 2;
	if (v->is_real)
		return !o->is_real ? 2 : v->real < o->real ? -1 : v->real > o->real;
	if (n->field.kind == FILTER_PATH && !o->is_number && !o->is_real)
		return 2;
	if (n->field.kind == FILTER_PATH && !o->is_number)
		return (double)a < o->real ? -1 : (double)a > o->real;
	if (o->of_day)
		a %= DAY_US;
	return a < b ? -1 : a > b;
}

static bool like(const struct asked *q, const struct filter_value *v)
{
	struct str s = v->text;
	char number[24];

	if (!v->is_text) {
		const char *name = q->n->field.kind == FILTER_API ? api_name((int)v->number)
				   : q->n->field.kind == FILTER_ERROR
					   ? kafka_error_name((int)v->number)
					   : NULL;

		snprintf(number, sizeof(number), "%lld", (long long)v->number);
		s = str_of(name ? name : number);
	}
	return pcre2_match(q->n->regex, (PCRE2_SPTR)s.data, (PCRE2_SIZE)s.len, 0, 0, q->f->match,
			   NULL) >= 0;
}

static bool satisfies(const struct asked *q, const struct filter_value *v)
{
	int order;

	if (q->n->op == OP_THERE)
		return v->is_text || v->number || v->is_real || q->n->field.kind != FILTER_PATH;
	if (q->n->op == OP_LIKE || q->n->op == OP_UNLIKE)
		return like(q, v);
	for (int32_t i = 0; i < q->n->operands_count; i++) {
		order = compare(q->n, v, &q->n->operands[i]);
		if (order == 2)
			continue;
		if ((q->n->op == OP_IS || q->n->op == OP_IS_NOT) && !order)
			return true;
		if ((q->n->op == OP_LESS && order < 0) || (q->n->op == OP_LESS_EQ && order <= 0) ||
		    (q->n->op == OP_MORE && order > 0) || (q->n->op == OP_MORE_EQ && order >= 0))
			return true;
	}
	return false;
}

static bool on_value(void *user, const struct filter_value *v)
{
	struct asked *q = user;

	q->yes = satisfies(q, v);
	return !q->yes;
}

static bool test(const struct filter *f, const struct node *n, struct exchange *x,
		 const struct summary *s)
{
	struct asked q = {f, n, false};

	filter_field_each(&n->field, x, s, on_value, &q);
	/* Without an error it is NONE. */
	if (!q.yes && n->field.kind == FILTER_ERROR && n->op != OP_THERE && !s->errors_count)
		on_value(&q, &(struct filter_value){.number = 0});
	return q.yes != (n->op == OP_IS_NOT || n->op == OP_UNLIKE);
}

static bool ask(const struct filter *f, const struct node *n, struct exchange *x,
		const struct summary *s)
{
	switch (n->kind) {
	case NODE_AND:
		return ask(f, n->a, x, s) && ask(f, n->b, x, s);
	case NODE_OR:
		return ask(f, n->a, x, s) || ask(f, n->b, x, s);
	case NODE_NOT:
		return !ask(f, n->a, x, s);
	default:
		return test(f, n, x, s);
	}
}

bool filter_matches(const struct filter *f, struct exchange *x, const struct summary *s)
{
	return ask(f, f->root, x, s);
}

bool filter_about(const struct filter *f, const char *field)
{
	for (const struct node *n = f->tests; n; n = n->next_test)
		if (!strncmp(n->field.name, field, strlen(field)))
			return true;
	return false;
}

void filter_point(struct buf *out, struct str text, size_t offset)
{
	size_t column = 0;

	if (offset > (size_t)text.len)
		offset = (size_t)text.len;
	/* A caret stands below a character, not below a byte. */
	for (size_t i = 0; i < offset; i++)
		column += (text.data[i] & 0xc0) != 0x80;
	buf_printf(out, "  ");
	for (int32_t i = 0; i < text.len; i++)
		buf_byte(out, (uint8_t)text.data[i] < 0x20 ? ' ' : (uint8_t)text.data[i]);
	buf_printf(out, "\n  %*s^\n", (int)column, "");
}
