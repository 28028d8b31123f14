/* Offsets that live clients committed otherwise than was recorded. A commit is answered with the
 * recorded one that is most alike, whatever its offset: what a group is told later is then what it
 * committed itself. Where it commits what was recorded, the recording has the word again.
 *
 * Commits inside of transactions are not followed. */
#include "replay/play.h"

#include "protocol/messages.h"

#include <stdlib.h>

#define COMMITS_KEPT_MAX 100000

typedef struct offset_commit_request_topics_partitions asked_partition;

static struct commit *commit_of(struct playback *p, struct bytes key)
{
	struct commit *c;

	HASH_FIND(hh, p->commits, key.data, (size_t)key.len, c);
	return c;
}

static void forget(struct playback *p, struct commit *c)
{
	if (!c)
		return;
	HASH_DELETE(hh, p->commits, c);
	free(c);
}

void play_offsets_free(struct playback *p)
{
	struct commit *c, *next;

	HASH_ITER (hh, p->commits, c, next)
		forget(p, c);
}

static void keep(struct playback *p, struct bytes key, const asked_partition *live)
{
	int32_t metadata = live->committed_metadata.data ? live->committed_metadata.len : 0;
	struct commit *c;

	forget(p, commit_of(p, key));
	if (HASH_COUNT(p->commits) >= COMMITS_KEPT_MAX)
		return;
	c = calloc(1, sizeof(*c) + (size_t)key.len + (size_t)metadata);
	if (!c)
		abort();
	c->offset = live->committed_offset;
	c->leader_epoch = live->committed_leader_epoch;
	c->metadata = (struct str){(char *)c->bytes + key.len, metadata};
	memcpy(c->bytes, key.data, (size_t)key.len);
	if (metadata)
		memcpy(c->bytes + key.len, live->committed_metadata.data, (size_t)metadata);
	HASH_ADD_KEYPTR(hh, p->commits, c->bytes, (size_t)key.len, c);
}

static bool same_key(struct bytes a, struct bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, (size_t)a.len) == 0;
}

/* Answers mostly stand in the order of what was asked: *at is where the last was found. */
static const struct part *answer_to(const struct parts *answered, struct bytes key, size_t *at)
{
	for (size_t i = 0; i < answered->count; i++) {
		*at = *at + 1 < answered->count ? *at + 1 : 0;
		if (same_key(answered->list[*at].key, key))
			return &answered->list[*at];
	}
	return NULL;
}

static bool is_accepted(const struct part *answer)
{
	const struct offset_commit_response_topics_partitions *a;

	if (!answer || answer->in->schema != &offset_commit_response_topics_partitions_schema)
		return false;
	a = answer->in->msg;
	return a->error_code == 0;
}

void play_offsets_committed(struct playback *p, const struct parts *asked,
			    struct candidate *const *chosen, const struct parts *answered)
{
	size_t at = SIZE_MAX - 1;

	for (size_t i = 0; i < asked->count; i++) {
		const struct part *live = &asked->list[i];
		const struct holder *recorded = chosen[i]->part->in;
		const asked_partition *b = live->in->msg, *a = recorded->msg;

		if (live->in->schema != &offset_commit_request_topics_partitions_schema ||
		    recorded->schema != live->in->schema ||
		    !is_accepted(answer_to(answered, live->key, &at)))
			continue;
		if (a->committed_offset == b->committed_offset)
			forget(p, commit_of(p, live->key));
		else
			keep(p, live->key, b);
	}
}

void play_offsets_tell(struct playback *p, const struct parts *answered)
{
	for (size_t i = 0; i < answered->count; i++) {
		const struct holder *in = answered->list[i].in;
		struct commit *c = commit_of(p, answered->list[i].key);
		struct offset_fetch_response_topics_partitions *old = in->msg;
		struct offset_fetch_response_groups_topics_partitions *fresh = in->msg;

		if (!c)
			continue;
		if (in->schema == &offset_fetch_response_topics_partitions_schema &&
		    !old->error_code) {
			old->committed_offset = c->offset;
			old->committed_leader_epoch = in->version >= 5 ? c->leader_epoch : -1;
			old->metadata = c->metadata;
		} else if (in->schema == &offset_fetch_response_groups_topics_partitions_schema &&
			   !fresh->error_code) {
			fresh->committed_offset = c->offset;
			fresh->committed_leader_epoch = c->leader_epoch;
			fresh->metadata = c->metadata;
		}
	}
}
