/* A hash of names by id. Owns its texts. */
#include "decoder/names.h"

#include <stdlib.h>
#include <uthash.h>

struct name {
	struct uuid id;
	char *text;
	UT_hash_handle hh;
};

struct names {
	struct name *table;
};

struct names *names_new(void)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	return n;
}

void names_free(struct names *n)
{
	struct name *one, *next;

	if (!n)
		return;
	HASH_ITER (hh, n->table, one, next) {
		HASH_DELETE(hh, n->table, one);
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
	struct name *one = find_name(n, id);

	return str_of(one ? one->text : NULL);
}

void names_learn(struct names *n, struct uuid id, struct str text)
{
	struct name *one = find_name(n, id);

	if (!n || (one && str_is(text, one->text)))
		return;
	if (!one && HASH_COUNT(n->table) >= NAMES_MAX)
		return;
	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one)
			abort();
		one->id = id;
		HASH_ADD(hh, n->table, id, sizeof(one->id), one);
	}
	free(one->text);
	one->text = strndup(text.data, (size_t)text.len);
	if (!one->text)
		abort();
}
