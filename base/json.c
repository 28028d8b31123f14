/* Streams JSON: no tree, no memory but the buf. UTF-8 is checked as it is copied (RFC 3629: no
 * surrogates, no overlong forms). */
#include "base/json.h"

#include "base/base64.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

static void before(struct json *j)
{
	if (j->comma)
		buf_byte(j->out, ',');
	j->comma = true;
}

void json_open(struct json *j, char bracket)
{
	before(j);
	buf_byte(j->out, (uint8_t)bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	buf_byte(j->out, (uint8_t)bracket);
	j->comma = true;
}

void json_key(struct json *j, const char *name)
{
	json_text(j, name);
	buf_byte(j->out, ':');
	j->comma = false;
}

void json_nil(struct json *j)
{
	json_raw(j, str_of("null"));
}

void json_bool(struct json *j, bool v)
{
	json_raw(j, str_of(v ? "true" : "false"));
}

void json_int(struct json *j, int64_t v)
{
	before(j);
	buf_int(j->out, v);
}

void json_uint(struct json *j, uint64_t v)
{
	before(j);
	buf_uint(j->out, v);
}

void json_float(struct json *j, double v)
{
	char text[40];

	if (isnan(v)) {
		json_text(j, "NaN");
		return;
	}
	if (isinf(v)) {
		json_text(j, v > 0 ? "Infinity" : "-Infinity");
		return;
	}
	/* 15 digits always survive in a normal number; a subnormal one may need fewer */
	for (int precision = fabs(v) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	json_raw(j, str_of(v == 0 && signbit(v) ? "-0.0"
						: text)); /* "-0" would read back as an integer */
}

size_t utf8_length(const uint8_t *p, size_t n)
{
	uint32_t c;
	size_t len = p[0] < 0x80		   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : (p[0] & 0xf0) == 0xe0	   ? 3
		     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						   : 0;

	if (!len || len > n)
		return 0;
	c = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
	    (len == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return len;
}

static void escaped(struct json *j, uint8_t c)
{
	static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = c ? strchr(named, c) : NULL;

	if (at)
		buf_add(j->out, (char[]){'\\', letters[at - named]}, 2);
	else
		buf_printf(j->out, "\\u%04x", c);
}

static void quoted(struct json *j, const uint8_t *p, size_t n)
{
	size_t plain = 0;

	buf_byte(j->out, '"');
	for (size_t i = 0; i < n;) {
		size_t len = p[i] >= 0x20 && p[i] < 0x7f ? 1 : utf8_length(p + i, n - i);
		bool keep = len && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\' && p[i] != 0x7f;

		if (keep) {
			i += len;
			continue;
		}
		buf_add(j->out, p + plain, i - plain);
		if (len) {
			escaped(j, p[i]);
		} else {
			buf_text(j->out, "\xef\xbf\xbd");
			j->bad_utf8 = true;
		}
		plain = ++i;
	}
	buf_add(j->out, p + plain, n - plain);
	buf_byte(j->out, '"');
}

void json_str(struct json *j, struct str s)
{
	if (!s.data) {
		json_nil(j);
		return;
	}
	before(j);
	quoted(j, (const uint8_t *)s.data, (size_t)s.len);
}

void json_text(struct json *j, const char *text)
{
	json_str(j, str_of(text));
}

void json_base64(struct json *j, struct bytes b)
{
	size_t size;
	uint8_t *p;

	if (!b.data) {
		json_nil(j);
		return;
	}
	before(j);
	size = base64_size((size_t)b.len, BASE64_STD);
	p = buf_room(j->out, size + 2);
	if (!p)
		return;
	p[0] = p[size + 1] = '"';
	base64_encode(b.data, (size_t)b.len, BASE64_STD, (char *)p + 1);
	j->out->len += size + 2;
}

void json_hex(struct json *j, struct bytes b)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t *p;

	if (!b.data) {
		json_nil(j);
		return;
	}
	before(j);
	p = buf_room(j->out, (size_t)b.len * 2 + 2);
	if (!p)
		return;
	*p++ = '"';
	for (int32_t i = 0; i < b.len; i++) {
		*p++ = (uint8_t)hex[b.data[i] >> 4];
		*p++ = (uint8_t)hex[b.data[i] & 15];
	}
	*p = '"';
	j->out->len += (size_t)b.len * 2 + 2;
}

void json_raw(struct json *j, struct str s)
{
	before(j);
	buf_add(j->out, s.data, (size_t)s.len);
}

void json_key_str(struct json *j, const char *name, struct str s)
{
	json_key(j, name);
	json_str(j, s);
}

void json_key_text(struct json *j, const char *name, const char *text)
{
	json_key(j, name);
	json_text(j, text);
}

void json_key_int(struct json *j, const char *name, int64_t v)
{
	json_key(j, name);
	json_int(j, v);
}

void json_key_bool(struct json *j, const char *name, bool v)
{
	json_key(j, name);
	json_bool(j, v);
}
