/* A hash of names by id. Owns its texts. */
#include "decoder/names.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct name {
	struct uuid id;
	char *text;
	UT_hash_handle hh;
};

struct names {
	struct name *table;
	struct room *room; /* NULL: NAMES_MAX is the limit */
	uint64_t learned;
};

struct names *names_new(void)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	return n;
}

void names_limit(struct names *n, struct room *room)
{
	n->room = room;
}

static size_t size_of(size_t length)
{
	return sizeof(struct name) + length + ROOM_OVERHEAD;
}

void names_free(struct names *n)
{
	struct name *one, *next;

	if (!n)
		return;
	HASH_ITER (hh, n->table, one, next) {
		HASH_DELETE(hh, n->table, one);
		room_give(n->room, size_of(strlen(one->text)));
		free(one->text);
		free(one);
	}
	free(n);
}

static struct name *find_name(const struct names *n, struct uuid id)
{
	struct name *one = NULL;

	if (n)
		HASH_FIND(hh, n->table, &id, sizeof(id), one);
	return one;
}

struct str names_find(const struct names *n, struct uuid id)
{
	static const struct uuid metadata = {{[15] = 1}};
	struct name *one = find_name(n, id);

	if (uuid_eq(id, metadata))
		return str_of("__cluster_metadata");
	return str_of(one ? one->text : NULL);
}

void names_learn(struct names *n, struct uuid id, struct str text)
{
	struct name *one = find_name(n, id);

	if (!n || (one && str_is(text, one->text)))
		return;
	if ((!one && HASH_COUNT(n->table) >= NAMES_MAX) ||
	    !room_take(n->room, size_of((size_t)text.len)))
		return;
	if (one)
		room_give(n->room, size_of(strlen(one->text)));
	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one)
			abort();
		one->id = id;
		HASH_ADD(hh, n->table, id, sizeof(one->id), one);
	}
	free(one->text);
	one->text = malloc((size_t)text.len + 1);
	if (!one->text)
		abort();
	memcpy(one->text, text.data, (size_t)text.len);
	one->text[text.len] = '\0';
	n->learned++;
}

uint64_t names_count(const struct names *n)
{
	return n ? n->learned : 0;
}

/* The next word of a line; empty at its end. */
static struct str next_word(struct str *line)
{
	struct str w;

	while (line->len && strchr(" \t\r", *line->data)) {
		line->data++;
		line->len--;
	}
	w = (struct str){line->data, 0};
	while (w.len < line->len && !strchr(" \t\r", w.data[w.len]))
		w.len++;
	line->data += w.len;
	line->len -= w.len;
	return w;
}

/* 1: learned; 0: nothing there to learn; -1: neither. */
static int read_line(struct names *n, struct str line)
{
	struct str a = next_word(&line), b = next_word(&line);
	struct uuid id;
	bool described = str_is(a, "Topic:");

	if (!a.len || *a.data == '#')
		return 0;
	if (described) {
		a = b;
		b = next_word(&line);
		if (!str_is(b, "TopicId:"))
			return 0; /* a partition's line */
		b = next_word(&line);
	}
	if (uuid_parse(b, &id))
		names_learn(n, id, a);
	else if (b.len && uuid_parse(a, &id))
		names_learn(n, id, b);
	else
		return -1;
	return 1;
}

int names_read(struct names *n, struct str text, struct error *e)
{
	int count = 0, number = 0, rc;

	while (text.len) {
		const char *stop = memchr(text.data, '\n', (size_t)text.len);
		struct str line = {text.data, stop ? (int32_t)(stop - text.data) : text.len};

		number++;
		rc = read_line(n, line);
		if (rc < 0)
			return error_at(e, ERR_USAGE, (size_t)number, NULL,
					"line %d is no topic's name and id", number);
		count += rc;
		text.data += line.len + (stop != NULL);
		text.len -= line.len + (stop != NULL);
	}
	return count;
}

int names_read_file(struct names *n, const char *path, struct error *e)
{
	FILE *in = strcmp(path, "-") ? fopen(path, "rbe") : stdin;
	uint8_t part[65536];
	struct buf text;
	size_t got;
	int rc;

	if (!in)
		return error_set(e, ERR_OS, "can't open %s: %s", path, strerror(errno));
	buf_init(&text, NAMES_TEXT_MAX);
	while (!text.bad && (got = fread(part, 1, sizeof(part), in)) > 0)
		buf_add(&text, part, got);
	if (text.bad)
		rc = error_set(e, ERR_LIMIT, "%s has more than %zu bytes", path, NAMES_TEXT_MAX);
	else if (ferror(in))
		rc = error_set(e, ERR_OS, "can't read %s: %s", path, strerror(errno));
	else
		rc = names_read(n, (struct str){(const char *)text.data, (int32_t)text.len}, e);
	if (in != stdin)
		fclose(in);
	buf_release(&text);
	return rc;
}
