/* Hex by table in both directions. Owns no memory. */
#include "base/hex.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int64_t hex_decode(struct str text, uint8_t *ret_data, size_t max)
{
	size_t n = (size_t)text.len / 2;

	if (text.len % 2 || n > max)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int v = digit(text.data[2 * i]) * 16 | digit(text.data[2 * i + 1]);

		if (v < 0)
			return -1;
		ret_data[i] = (uint8_t)v;
	}
	return (int64_t)n;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int64_t hex_decode_blanks(struct str text, uint8_t *ret_data, size_t max, size_t *ret_bad)
{
	size_t len = (size_t)text.len, n = 0;

	for (size_t i = 0; i < len; i++) {
		if (blank(text.data[i]))
			continue;
		*ret_bad = i;
		if (digit(text.data[i]) < 0 || n == max)
			return -1;
		*ret_bad = ++i;
		if (i == len || digit(text.data[i]) < 0)
			return -1;
		ret_data[n++] = (uint8_t)(digit(text.data[i - 1]) << 4 | digit(text.data[i]));
	}
	return (int64_t)n;
}

void hex_encode(const uint8_t *data, size_t n, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret_text[2 * i] = digits[data[i] >> 4];
		ret_text[2 * i + 1] = digits[data[i] & 15];
	}
}
