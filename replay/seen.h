/* The cluster as a session shows it: brokers, versions, topics, what stood in each log, what groups
 * had committed; as it was when the capture began and as it was at its end. What answers never told
 * is marked as not known. All texts and bytes are views into the session, which must outlive it. */
#ifndef REPLAY_SEEN_H
#define REPLAY_SEEN_H

#include "replay/session.h"

#define SEEN_UNKNOWN (-2) /* of an offset: nobody told */

struct seen_broker {
	int32_t node_id;
	struct str host, rack; /* rack: null if none was told */
	int32_t port;
};

/* A batch of a log, each once. */
struct seen_batch {
	int64_t base_offset, last_offset;
	int64_t empty_from; /* offsets from here to its base hold nothing; base_offset if not known
			     */
	struct bytes bytes; /* as it was on the wire: of a Produce its own base offset is 0 */
	int32_t records;    /* as its header says; of old messages how many there are */
	int8_t magic;	    /* 0 and 1: a message, or a compressed wrapper of some */
	uint8_t codec;	    /* enum codec */
	bool control, transactional;
	bool crc_wrong;	      /* in all copies that were seen */
	int32_t leader_epoch; /* under which it was written; -1: of a Produce, or of old messages */
	int64_t producer_id;  /* -1 none */
	int32_t base_sequence;			 /* likewise */
	const struct session_exchange *produced; /* the Produce that wrote it; NULL: it was there,
						    or came from outside the capture */
	const struct session_exchange *fetched;	 /* the first Fetch that gave it; NULL none */
};

struct seen_leader {
	int64_t time_us; /* of the request whose answer told it */
	int32_t leader;	 /* node id; -1 none */
	int32_t epoch;	 /* -1 not told */
};

/* The log was cut: a replica that lacked what stood from there on came to lead. */
struct seen_cut {
	int64_t time_us; /* of the request whose answer showed it; 0: it was not */
	int64_t offset;
};

struct seen_partition {
	int32_t index;
	struct seen_leader *leaders; /* each change, in the order of time; may be empty */
	size_t leaders_count;
	struct seen_batch *batches; /* by offset */
	size_t batches_count;
	/* Of batches at the same offsets the first stays above; what came to stand there after a
	 * cut is here, by offset. */
	struct seen_batch *anew;
	size_t anew_count;
	struct seen_cut cut; /* the first one; time 0: none */
	/* Offsets as they were told first and last; SEEN_UNKNOWN. */
	int64_t start_first, start_last; /* log start */
	int64_t start_moved_us;		 /* when start_last was first told, if later; else 0 */
	int64_t end_first, end_last;	 /* high watermark or log end */
	int64_t own_first; /* the lowest offset that a Produce of the capture got, before any cut;
			      SEEN_UNKNOWN */
	int64_t untold;	   /* records of Produce requests that nobody said are written */
};

struct seen_config {
	struct str name, value;
};

struct seen_topic {
	struct str name;
	struct uuid id; /* the newest; zero: not told */
	bool made_anew; /* it had another one before */
	bool is_internal;
	int32_t replication;		   /* 0: not told */
	struct seen_partition *partitions; /* by index, without holes */
	int32_t partitions_count;
	int32_t partitions_first;    /* as Metadata first told it; 0: it did not */
	int64_t grown_us;	     /* when it first told of more; 0: it did not */
	struct seen_config *configs; /* that were set on the topic itself */
	size_t configs_count;
	int64_t absent_until_us; /* at first answers said that it is not there, the last one then */
	const struct session_exchange *created; /* the CreateTopics that made it; NULL: none */
};

/* What a group had committed of one partition; SEEN_UNKNOWN, or -1: nothing. */
struct seen_offset {
	struct str topic;
	int32_t partition;
	int64_t first, last; /* before the capture's own commits; at its end */
};

struct seen_group {
	struct str name;
	struct seen_offset *offsets;
	size_t offsets_count;
};

struct seen_versions {
	int16_t min, max; /* min > max: not advertised */
};

struct seen {
	const struct session *session;
	struct seen_broker *brokers; /* by node id */
	size_t brokers_count;
	struct seen_topic *topics; /* in the order in which they were told */
	size_t topics_count;
	struct seen_group *groups;
	size_t groups_count;
	bool has_versions; /* an ApiVersions answer is there; the first one's: */
	struct seen_versions versions[API_KEY_MAX + 1];
	uint64_t batches_left_out; /* that can't be read */
};

/* Reads the whole session; never NULL. */
struct seen *seen_new(const struct session *s);
void seen_free(struct seen *s); /* NULL is fine */

const struct seen_topic *seen_topic(const struct seen *s, struct str name);
const struct seen_partition *seen_partition(const struct seen *s, struct str topic,
					    int32_t partition);
const struct seen_group *seen_group(const struct seen *s, struct str name);

/* Whether the batch was there before the capture's own first Produce to that partition. */
bool seen_before(const struct seen_partition *p, const struct seen_batch *b);

/* Index of the batch that holds an offset or is the first behind it; batches_count: none is. */
size_t seen_batch_from(const struct seen_partition *p, int64_t offset);

/* The batch that holds an offset, or NULL. */
const struct seen_batch *seen_batch_at(const struct seen_partition *p, int64_t offset);

#endif
