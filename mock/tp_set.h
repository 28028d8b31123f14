/* Sets of partitions by topic id, sorted: what a member owns, must give up, shall have. */
#ifndef MOCK_TP_SET_H
#define MOCK_TP_SET_H

#include "base/str.h"

struct tp {
	struct uuid topic_id;
	int32_t partition;
};

struct tp_set {
	struct tp *list; /* sorted by topic id, then partition; no duplicates */
	int32_t count;
	size_t cap;
};

int tp_compare(const struct tp *a, const struct tp *b);

void tp_set_release(struct tp_set *s);
void tp_set_clear(struct tp_set *s);
/* Appends without keeping the order; tp_set_sort then makes a set of it. */
void tp_set_add(struct tp_set *s, struct tp tp);
void tp_set_sort(struct tp_set *s);
bool tp_set_has(const struct tp_set *s, struct tp tp);
bool tp_set_equal(const struct tp_set *a, const struct tp_set *b);
void tp_set_copy(struct tp_set *to, const struct tp_set *from);
/* to = a and b; to = a without b. to must be neither. */
void tp_set_intersect(struct tp_set *to, const struct tp_set *a, const struct tp_set *b);
void tp_set_minus(struct tp_set *to, const struct tp_set *a, const struct tp_set *b);
bool tp_set_overlaps(const struct tp_set *a, const struct tp_set *b);

#endif
