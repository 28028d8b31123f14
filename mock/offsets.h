/* Committed offsets of a group. */
#ifndef MOCK_OFFSETS_H
#define MOCK_OFFSETS_H

#include "mock/group.h"

/* One partition's committed offset; keyed by topic id, since a topic made anew has none. */
struct offset_key {
	struct uuid topic_id;
	int32_t partition;
};

struct offset_entry {
	struct offset_key key;
	int64_t offset;
	int32_t leader_epoch;
	struct str metadata;
	int64_t committed_ms; /* wall */
	int64_t expire_ms; /* wall, as the client asked (up to OffsetCommit 4); -1: by the group's
			      rule */
	UT_hash_handle hh;
};

struct offset_entry *offset_find(const struct group *g, struct uuid topic_id, int32_t partition);

/* Sets or replaces; metadata is copied, null becomes "". */
void offset_commit(struct cluster *c, struct group *g, struct offset_key key, int64_t offset,
		   int32_t leader_epoch, struct str metadata);
void offset_delete(struct group *g, struct offset_entry *o);
/* No group has offsets of that topic any more. */
void offsets_forget_topic(struct cluster *c, struct uuid topic_id);
void offsets_release(struct group *g);

#endif
