/* Views that need more than a line: copies, the text of uuids and the distance between words. Owns
 * no memory. */
#include "base/str.h"

#include "base/base64.h"

#include <stdlib.h>

char *str_copy(struct str s)
{
	size_t len = s.data ? (size_t)s.len : 0;
	char *copy = malloc(len + 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, s.data, len);
	copy[len] = '\0';
	return copy;
}

void uuid_text(struct uuid u, char ret_text[UUID_TEXT_SIZE])
{
	base64_encode(u.b, sizeof(u.b), BASE64_URL, ret_text);
	ret_text[UUID_TEXT_SIZE - 1] = '\0';
}

bool uuid_parse(struct str text, struct uuid *ret_u)
{
	struct uuid u;

	if (text.len != UUID_TEXT_SIZE - 1 ||
	    base64_decode(text, BASE64_URL, u.b, sizeof(u.b)) != 16)
		return false;
	*ret_u = u;
	return true;
}

int str_distance(struct str a, struct str b)
{
	int row[65];
	int alen = a.len, blen = b.len;

	if (alen > 64 || blen > 64)
		return 99;
	for (int j = 0; j <= blen; j++)
		row[j] = j;
	for (int i = 1; i <= alen; i++) {
		int diagonal = row[0];

		row[0] = i;
		for (int j = 1; j <= blen; j++) {
			int cost = diagonal + (a.data[i - 1] != b.data[j - 1]);

			diagonal = row[j];
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			row[j] = cost;
		}
	}
	return row[blen];
}
