/* Formats errors once, at the place where they happen. Owns nothing but the caller's struct. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(struct error *e, int code, size_t offset, const char *field, const char *fmt,
		va_list args)
{
	e->code = code;
	e->offset = offset;
	snprintf(e->field, sizeof(e->field), "%s", field ? field : "");
	vsnprintf(e->text, sizeof(e->text), fmt, args);
}

int error_set(struct error *e, int code, const char *fmt, ...)
{
	va_list args;

	if (!e)
		return code;
	if (!e->code) {
		va_start(args, fmt);
		set(e, code, ERROR_NO_OFFSET, NULL, fmt, args);
		va_end(args);
	}
	return e->code;
}

int error_at(struct error *e, int code, size_t offset, const char *field, const char *fmt, ...)
{
	va_list args;

	if (!e)
		return code;
	if (!e->code) {
		va_start(args, fmt);
		set(e, code, offset, field, fmt, args);
		va_end(args);
	}
	return e->code;
}

bool error_within(struct error *e, const char *name, int64_t index)
{
	char path[sizeof(e->field)], at[24] = "";

	if (!e)
		return false;
	if (index >= 0)
		snprintf(at, sizeof(at), "[%lld]", (long long)index);
	if (snprintf(path, sizeof(path), "%s%s%s%s", name, at, e->field[0] ? "." : "", e->field) >=
	    (int)sizeof(path))
		path[sizeof(path) - 1] = '\0';
	memcpy(e->field, path, sizeof(path));
	return false;
}

const char *error_text(const struct error *e, char *buf, size_t size)
{
	if (e->offset != ERROR_NO_OFFSET && e->field[0])
		snprintf(buf, size, "%s (field %s, offset %zu)", e->text, e->field, e->offset);
	else if (e->offset != ERROR_NO_OFFSET)
		snprintf(buf, size, "%s (offset %zu)", e->text, e->offset);
	else if (e->field[0])
		snprintf(buf, size, "%s (field %s)", e->text, e->field);
	else
		snprintf(buf, size, "%s", e->text);
	return buf;
}
