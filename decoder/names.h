/* Topic names by topic id: as messages of the capture told them. */
#ifndef DECODER_NAMES_H
#define DECODER_NAMES_H

#include "base/str.h"

#define NAMES_MAX 200000 /* more are not learned */

struct names;

struct names *names_new(void);
void names_free(struct names *n); /* NULL is fine */

/* The name, or the null view. Lives as long as n, or until the id gets another name. */
struct str names_find(const struct names *n, struct uuid id);

/* n NULL is fine. */
void names_learn(struct names *n, struct uuid id, struct str text);

#endif
