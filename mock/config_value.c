/* What Kafka's own parser of configurations accepts, type by type. Owns nothing. */
#include "mock/config_value.h"

#include "base/buf.h"
#include "mock/mem.h"

#include <stdlib.h>
#include <strings.h>

const char config_throttled_replicas[] = "";

static struct str trim(struct str s)
{
	while (s.len && (unsigned char)s.data[0] <= ' ') {
		s.data++;
		s.len--;
	}
	while (s.len && (unsigned char)s.data[s.len - 1] <= ' ')
		s.len--;
	return s;
}

struct str config_list_next(struct str *list)
{
	struct str item = *list;
	const char *comma;

	if (!list->data)
		return *list;
	comma = memchr(list->data, ',', (size_t)list->len);
	if (comma) {
		item.len = (int32_t)(comma - list->data);
		*list = (struct str){comma + 1, list->len - item.len - 1};
	} else {
		*list = (struct str){0};
	}
	return trim(item);
}

bool config_list_has(struct str list, struct str item)
{
	struct str next;

	while ((next = config_list_next(&list)).data)
		if (str_eq(next, item))
			return true;
	return false;
}

/* "partition:broker" */
static bool replica_ok(struct str item)
{
	const char *colon = memchr(item.data, ':', (size_t)item.len);
	int64_t n;

	return colon && config_number((struct str){item.data, (int32_t)(colon - item.data)}, &n) &&
	       config_number((struct str){colon + 1, item.len - (int32_t)(colon - item.data) - 1},
			     &n);
}

static bool list_ok(const struct config_key *key, struct str value)
{
	struct str item;

	if (!key->choices || value.len == 0 ||
	    (key->choices == config_throttled_replicas && str_is(value, "*")))
		return true;
	while ((item = config_list_next(&value)).data)
		if (key->choices == config_throttled_replicas
			    ? !replica_ok(item)
			    : !config_list_has(str_of(key->choices), item))
			return false;
	return true;
}

bool config_number(struct str value, int64_t *ret)
{
	char text[32], *end;
	int32_t sign;

	if (value.len < 1 || value.len >= (int32_t)sizeof(text))
		return false;
	memcpy(text, value.data, (size_t)value.len);
	text[value.len] = '\0';
	sign = text[0] == '-' || text[0] == '+';
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && text[sign] >= '0' && text[sign] <= '9';
}

static bool real_ok(const struct config_key *key, struct str value)
{
	char text[32], *end;
	double d;

	if (value.len < 1 || value.len >= (int32_t)sizeof(text))
		return false;
	memcpy(text, value.data, (size_t)value.len);
	text[value.len] = '\0';
	d = strtod(text, &end);
	return *end == '\0' && d >= (double)key->min && d <= (double)key->max;
}

static bool is_word(struct str value, const char *word)
{
	return value.len == (int32_t)strlen(word) &&
	       !strncasecmp(value.data, word, (size_t)value.len);
}

bool config_value_ok(const struct config_key *key, struct str value)
{
	int64_t n;

	if (!value.data)
		return false;
	value = trim(value);
	switch (key->type) {
	case CONFIG_BOOLEAN:
		return is_word(value, "false") || (is_word(value, "true") && !key->choices);
	case CONFIG_INT:
	case CONFIG_SHORT:
	case CONFIG_LONG:
		return config_number(value, &n) && n >= key->min && n <= key->max;
	case CONFIG_DOUBLE:
		return real_ok(key, value);
	case CONFIG_LIST:
		return list_ok(key, value);
	case CONFIG_STRING:
		return !key->choices || config_list_has(str_of(key->choices), value);
	default:
		return true;
	}
}

static struct str normal_list(struct str value)
{
	struct str item, out = {0};
	struct buf b;

	buf_init(&b, (size_t)value.len + 1);
	while ((item = config_list_next(&value)).data) {
		struct str so_far = {b.len ? buf_cstr(&b) : NULL, (int32_t)b.len};

		if (config_list_has(so_far, item))
			continue;
		if (b.len)
			buf_text(&b, ",");
		buf_add(&b, item.data, (size_t)item.len);
	}
	out = mem_str((struct str){buf_cstr(&b), (int32_t)b.len});
	buf_release(&b);
	return out;
}

struct str config_value_normal(const struct config_key *key, struct str value)
{
	value = trim(value);
	switch (key->type) {
	case CONFIG_BOOLEAN:
		return mem_str(str_of(is_word(value, "true") ? "true" : "false"));
	case CONFIG_INT:
	case CONFIG_SHORT:
	case CONFIG_LONG:
		if (value.len && value.data[0] == '+')
			value = (struct str){value.data + 1, value.len - 1};
		return mem_str(value);
	case CONFIG_LIST:
		return normal_list(value);
	default:
		return mem_str(value);
	}
}
