/* Regular expressions that clients send (Kafka's are RE2/J's or Java's; PCRE2 here), matched
 * against whole names. */
#ifndef MOCK_PATTERN_H
#define MOCK_PATTERN_H

#include "base/str.h"

struct pattern;

/* NULL if it is not one. */
struct pattern *pattern_new(struct str text);
void pattern_free(struct pattern *p);
bool pattern_matches(const struct pattern *p, struct str name);

#endif
