/* Base64 by table; strict on reading, so that one value has one text. Owns no memory. */
#include "base/base64.h"

static const char alphabet[2][65] = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

size_t base64_size(size_t n, enum base64_kind kind)
{
	return kind == BASE64_STD ? (n + 2) / 3 * 4 : (n * 8 + 5) / 6;
}

void base64_encode(const uint8_t *data, size_t n, enum base64_kind kind, char *ret_text)
{
	const char *letters = alphabet[kind];
	size_t size = base64_size(n, kind);
	size_t at = 0;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)data[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)data[i + 1] << 8;
		if (i + 2 < n)
			v |= data[i + 2];
		for (int shift = 18; shift >= 0 && at < size; shift -= 6)
			ret_text[at++] = letters[(v >> shift) & 63];
	}
	if (kind == BASE64_STD && n % 3) {
		ret_text[size - 1] = '=';
		if (n % 3 == 1)
			ret_text[size - 2] = '=';
	}
}

static int letter_value(char c, enum base64_kind kind)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet[kind][62])
		return 62;
	return c == alphabet[kind][63] ? 63 : -1;
}

int64_t base64_decode(struct str text, enum base64_kind kind, uint8_t *ret_data, size_t max)
{
	size_t len = (size_t)text.len;
	uint32_t v = 0;
	int bits = 0;
	size_t at = 0;

	if (kind == BASE64_STD) {
		if (len % 4)
			return -1;
		for (int pad = 0; pad < 2 && len && text.data[len - 1] == '='; pad++)
			len--;
	}
	if (len % 4 == 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int value = letter_value(text.data[i], kind);

		if (value < 0)
			return -1;
		v = v << 6 | (uint32_t)value;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (at == max)
			return -1;
		ret_data[at++] = (uint8_t)(v >> bits);
	}
	return v & ((1u << bits) - 1) ? -1 : (int64_t)at;
}
