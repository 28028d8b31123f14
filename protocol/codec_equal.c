/* Equality of decoded structs: all fields, or those of a version with the path of the first that
 * differs. Owns nothing. */
#include "protocol/codec.h"

#include <stdio.h>

struct compare {
	int16_t version;    /* -1: all fields */
	struct error *path; /* NULL: not wanted; else the path goes to its field member */
};

static bool struct_equal(struct compare *cmp, const struct schema *s, const uint8_t *a,
			 const uint8_t *b);

static bool differ(struct compare *cmp, const struct schema_field *f, int32_t index)
{
	return error_within(cmp->path, f->name, index);
}

static bool one_equal(struct compare *cmp, const struct schema_field *f, const uint8_t *a,
		      const uint8_t *b)
{
	if (f->type == FIELD_STRUCT)
		return struct_equal(cmp, f->child, a, b);
	if (f->opcode < OP_SCALARS)
		return memcmp(a, b, f->size) == 0;
	return str_eq(*(const struct str *)(const void *)a, *(const struct str *)(const void *)b);
}

static bool array_equal(struct compare *cmp, const struct schema_field *f, const uint8_t *a,
			const uint8_t *b)
{
	int32_t count = *(const int32_t *)(const void *)(a + f->count_offset);
	const uint8_t *pa = *(uint8_t *const *)(const void *)(a + f->offset);
	const uint8_t *pb = *(uint8_t *const *)(const void *)(b + f->offset);
	size_t step = f->size;

	if (count != *(const int32_t *)(const void *)(b + f->count_offset))
		return differ(cmp, f, -1);
	for (int32_t i = 0; i < count; i++)
		if (!one_equal(cmp, f, pa + (size_t)i * step, pb + (size_t)i * step))
			return differ(cmp, f, i);
	return true;
}

static bool value_equal(struct compare *cmp, const struct schema_field *f, const uint8_t *a,
			const uint8_t *b)
{
	const uint8_t *pa, *pb;

	if (f->array)
		return array_equal(cmp, f, a, b);
	if (!f->pointer)
		return one_equal(cmp, f, a + f->offset, b + f->offset) || differ(cmp, f, -1);
	pa = *(uint8_t *const *)(const void *)(a + f->offset);
	pb = *(uint8_t *const *)(const void *)(b + f->offset);
	if (!pa || !pb)
		return pa == pb || differ(cmp, f, -1);
	return struct_equal(cmp, f->child, pa, pb) || differ(cmp, f, -1);
}

static bool tags_equal(const struct unknown_tags *a, const struct unknown_tags *b)
{
	if (!a || !b)
		return (!a || !a->count) && (!b || !b->count);
	if (a->count != b->count)
		return false;
	for (int32_t i = 0; i < a->count; i++) {
		const struct unknown_tag *x = &a->tags[i], *y = &b->tags[i];

		if (x->tag != y->tag || x->data.len != y->data.len ||
		    memcmp(x->data.data, y->data.data, (size_t)x->data.len))
			return false;
	}
	return true;
}

static bool struct_equal(struct compare *cmp, const struct schema *s, const uint8_t *a,
			 const uint8_t *b)
{
	static const struct schema_field tags = {.name = "_unknownTaggedFields"};

	for (const struct schema_field *f = s->fields, *end = f + s->field_count; f < end; f++) {
		if (cmp->version >= 0 && !field_in(f, cmp->version))
			continue;
		if (!value_equal(cmp, f, a, b))
			return false;
	}
	if (s->flexible_since == VERSION_MAX)
		return true;
	return tags_equal(
		       *(struct unknown_tags *const *)(const void *)(a + s->unknown_tags_offset),
		       *(struct unknown_tags *const *)(const void *)(b + s->unknown_tags_offset)) ||
	       differ(cmp, &tags, -1);
}

bool codec_equal(const struct schema *s, const void *a, const void *b)
{
	return struct_equal(&(struct compare){.version = -1}, s, a, b);
}

bool codec_compare(const struct schema *s, int version, const void *a, const void *b,
		   char *ret_path, size_t path_size)
{
	struct error e = ERROR_INIT;
	bool equal =
		struct_equal(&(struct compare){.version = (int16_t)version, .path = &e}, s, a, b);

	snprintf(ret_path, path_size, "%s", e.field);
	return equal;
}

bool codec_field_is_default(const struct schema *s, const struct schema_field *f, const void *msg)
{
	return value_equal(&(struct compare){.version = -1}, f, msg, s->defaults);
}
