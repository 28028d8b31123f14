/* Kafka's records as they stand in Produce and Fetch: a run of record batches (magic 2, KIP-98) or
 * of messages (magic 0 and 1, KIP-32), possibly with a batch cut off at its end. Reading never
 * copies and never allocates per record; only compressed content is expanded, into a buffer of the
 * caller's.
 *
 *	records_reader_init(&reader, bytes, size);
 *	while ((rc = records_next(&reader, &batch, &e)) > 0) {
 *		record_iter_init(&iter, &batch, &scratch, &e);
 *		while ((rc = record_next(&iter, &record, &e)) > 0)
 *			...
 *	}
 *
 * A message of a message set counts as a batch: one record, or a wrapper of many when it is
 * compressed. Writing is protocol/batch_builder.h's, conversion protocol/records_convert.h's. */
#ifndef PROTOCOL_RECORDS_H
#define PROTOCOL_RECORDS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "protocol/compress.h"

/* Where the fields of a batch stand. Offset, length and magic are at the same place in every magic;
 * the length counts from BATCH_AT_LEADER_EPOCH on. */
enum batch_at {
	BATCH_AT_BASE_OFFSET = 0,
	BATCH_AT_LENGTH = 8,
	BATCH_AT_LEADER_EPOCH = 12,
	BATCH_AT_MAGIC = 16,
	BATCH_AT_CRC = 17,
	BATCH_AT_ATTRIBUTES = 21, /* the CRC-32C covers everything from here to the end */
	BATCH_AT_LAST_OFFSET_DELTA = 23,
	BATCH_AT_BASE_TIMESTAMP = 27,
	BATCH_AT_MAX_TIMESTAMP = 35,
	BATCH_AT_PRODUCER_ID = 43,
	BATCH_AT_PRODUCER_EPOCH = 51,
	BATCH_AT_BASE_SEQUENCE = 53,
	BATCH_AT_COUNT = 57,
	BATCH_AT_RECORDS = 61,
	/* magic 0 and 1 */
	MESSAGE_AT_CRC = 12, /* CRC-32 over everything from the magic to the end */
	MESSAGE_AT_MAGIC = 16,
	MESSAGE_AT_ATTRIBUTES = 17,
	MESSAGE_AT_TIMESTAMP = 18, /* magic 1 */
	MESSAGE_AT_KEY_V0 = 18,
	MESSAGE_AT_KEY_V1 = 26,
};

#define BATCH_LOG_OVERHEAD 12 /* offset and length, which the length does not count */

/* Bits of a batch's attributes (int16); of a message's (int8) only the codec and, in magic 1, the
 * timestamp type. */
enum batch_attribute {
	ATTRIBUTE_CODEC = 0x07,
	ATTRIBUTE_LOG_APPEND_TIME = 0x08,
	ATTRIBUTE_TRANSACTIONAL = 0x10,
	ATTRIBUTE_CONTROL = 0x20,
	ATTRIBUTE_DELETE_HORIZON = 0x40, /* baseTimestamp holds the delete horizon (KIP-534) */
};

enum timestamp_type { TIMESTAMP_NONE = -1, TIMESTAMP_CREATE = 0, TIMESTAMP_LOG_APPEND = 1 };

/* One batch (or message): views into the reader's bytes. Magic 0 and 1 have -1 in what they lack.
 */
struct batch {
	struct bytes raw; /* from baseOffset to the end of its records */
	size_t at;	  /* where raw starts in the bytes that the reader got */
	int32_t index;	  /* how many batches stand before it there */

	/* As on the wire; of a wrapper (magic 0 and 1, compressed) it is the LAST record's. */
	int64_t base_offset;
	int32_t batch_length;
	int32_t partition_leader_epoch;
	int8_t magic;
	uint32_t crc; /* as on the wire; batch_crc_ok() tells whether it is right */
	int16_t attributes;
	uint8_t codec; /* enum codec, or 5 to 7, which mean nothing */
	enum timestamp_type timestamp_type;
	bool transactional, control, has_delete_horizon;
	int32_t last_offset_delta; /* magic 2; 0 for a message */
	int64_t base_timestamp;	   /* magic 1: the message's timestamp; magic 0: -1 */
	int64_t max_timestamp;	   /* the same */
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	/* As the header says; of a message 1, of a wrapper -1: not known before expanding. */
	int32_t records_count;

	int64_t last_offset; /* base_offset + last_offset_delta */
	/* Magic 2: the records as they stand, compressed or not; a message: all of it, as raw. */
	struct bytes content;
};

struct records_reader {
	const uint8_t *data;
	size_t size, at;
	int32_t index;
	bool partial; /* after the end: size - at bytes of a batch that was cut off are left */
};

/* data stays the caller's and must outlive all views. data may be NULL when size is 0. */
void records_reader_init(struct records_reader *r, const void *data, size_t size);

/* The next batch. Returns 1 and fills *ret_batch; 0 at the end, where r->partial tells of a cut-off
 * batch (a Fetch response may end so); or ERR_MALFORMED (a length too small for its magic),
 * ERR_UNSUPPORTED (a magic that nobody knows). After an error the reader stands behind the
 * offending batch, so that a decoder can go on; r->at shows no progress if its length is unusable.
 * A broker answers such a Produce with 2 CORRUPT_MESSAGE, and leaves a cut-off batch behind a whole
 * one unread; with no whole one it is 87 INVALID_RECORD. */
int records_next(struct records_reader *r, struct batch *ret_batch, struct error *e);

/* One batch that must fill data exactly; the same errors, and ERR_TRUNCATED, or ERR_MALFORMED for
 * bytes behind it. */
int batch_read(const void *data, size_t size, struct batch *ret_batch, struct error *e);

/* Whether the stored checksum is right: CRC-32C for magic 2, CRC-32 for messages. */
bool batch_crc_ok(const struct batch *b);
uint32_t batch_crc(const struct batch *b); /* what it should be */

/* Whether the codec bits name a codec that this magic may have (zstd needs magic 2: KIP-110). */
bool batch_codec_ok(const struct batch *b);

/* The sequence number n records behind a batch's base_sequence: wraps from 2^31-1 to 0; -1 stays
 * -1. */
int32_t sequence_add(int32_t sequence, int32_t n);

/* --- records --- */

/* What Kafka's classes read without complaint though no client should write it. */
enum record_oddity {
	RECORD_NEGATIVE_LENGTH = 1, /* of something null, but other than -1 */
	RECORD_BYTES_LEFT = 2,	    /* behind a message's value (magic 0 and 1) */
};

struct record {
	int64_t offset;
	int64_t timestamp; /* ms; the batch's max_timestamp under LogAppendTime; -1 in magic 0 */
	enum timestamp_type timestamp_type;
	int8_t magic; /* of the message itself: inside a wrapper it may differ from the wrapper's */
	int8_t attributes;
	uint8_t oddities;	 /* bits of enum record_oddity */
	int32_t sequence;	 /* -1 without a producer id */
	struct bytes key, value; /* null views where null */
	int32_t headers_count;
	struct bytes headers; /* for record_header_next; checked already */
	/* All of it: with its length in magic 2, with offset and size in magic 0 and 1. */
	struct bytes raw;
	size_t at;     /* of raw: in the reader's bytes, or in the expanded ones if iter.expanded */
	int32_t index; /* in its batch */
	/* What the wire says: deltas in magic 2, the message's own in magic 0 and 1. */
	int64_t offset_on_wire;
	int64_t timestamp_on_wire;
};

struct record_iter {
	const struct batch *batch;
	const uint8_t *data; /* the content, expanded where needed */
	size_t size, at;
	size_t data_at; /* where data starts in the reader's bytes; 0 if expanded */
	int32_t index;	/* of the next record */
	int32_t count;	/* as declared, but never more than the bytes can hold */
	int64_t offset_base;
	bool expanded;
	bool expand_failed; /* _init failed because codec_expand did, or for want of the codec */
	bool partial; /* a wrapper's last message is cut off (it is not given, as with Kafka) */
	struct expand_info expand; /* valid if expanded */
};

/* Starts at b's first record; b and its bytes must outlive the iterator. Compressed content is
 * expanded into scratch (reset first; its max is the cap), whose bytes the records then point to,
 * until it is used again. scratch may be NULL if b is not compressed. Returns 0, what codec_expand
 * returns, or ERR_MALFORMED for a negative count and for a wrapper that is empty, null or has an
 * impossible offset. */
int record_iter_init(struct record_iter *it, const struct batch *b, struct buf *scratch,
		     struct error *e);

/* The next record: 1, 0 at the end, or ERR_TRUNCATED/ERR_MALFORMED with offset and field
 * (batches[2].records[7].keyLength); bytes left behind the last record are an error too. */
int record_next(struct record_iter *it, struct record *ret_record, struct error *e);

struct record_skim {
	int32_t count;
	int64_t max_timestamp; /* by their own deltas; INT64_MIN without any */
	bool in_order;	       /* offset deltas are the records' indexes */
};

/* Goes past as many records as a glance is enough for, without giving them: good ones of magic 2 of
 * the plainest kind (no headers, varints of at most 4 bytes, not at the very end). Stops before any
 * other: record_next tells. */
void record_skim(struct record_iter *it, struct record_skim *ret);

struct record_header {
	struct str key;
	struct bytes value; /* null view where null */
};

/* Walks a record's headers: start with *at = 0; true and the next header, or false at the end. */
bool record_header_next(const struct record *r, size_t *at, struct record_header *ret_header);

/* Whether a message's own CRC-32 is right (magic 0 and 1; a record of magic 2 has none and is
 * right). */
bool record_crc_ok(const struct record *r);

/* --- control records --- */

enum control_type {
	CONTROL_ABORT = 0,
	CONTROL_COMMIT = 1,
	CONTROL_LEADER_CHANGE = 2,
	CONTROL_SNAPSHOT_HEADER = 3,
	CONTROL_SNAPSHOT_FOOTER = 4,
	CONTROL_KRAFT_VERSION = 5,
	CONTROL_KRAFT_VOTERS = 6,
};

struct control_record {
	int16_t version;
	int16_t type;		   /* enum control_type, or a number of the future */
	int16_t marker_version;	   /* ABORT and COMMIT, else 0 */
	int32_t coordinator_epoch; /* ABORT and COMMIT, else -1 */
};

/* Reads the key (and for markers the value) of a record of a control batch. Returns 0,
 * ERR_TRUNCATED or ERR_MALFORMED. */
int control_record_read(const struct record *r, struct control_record *ret_control,
			struct error *e);

/* --- what a broker would say --- */

/* Ways in which a client's batch is wrong. The order is that in which a 4.4.0 broker finds them. */
enum batch_problem {
	BATCH_OK,
	BATCH_BASE_OFFSET,    /* not 0 */
	BATCH_CRC,	      /* checksum wrong */
	BATCH_CODEC,	      /* codec bits that mean nothing, or zstd before magic 2 */
	BATCH_OFFSET_RANGE,   /* lastOffsetDelta negative */
	BATCH_COUNT,	      /* recordsCount not positive */
	BATCH_COUNT_MISMATCH, /* recordsCount is not lastOffsetDelta + 1 */
	BATCH_CONTROL,	      /* a client may not write control batches */
	BATCH_SEQUENCE,	      /* producerId without a baseSequence */
	BATCH_EXPAND,	      /* the compressed content does not expand */
	BATCH_EXPAND_LIMIT,   /* it expands past the cap */
	BATCH_RECORDS,	      /* a record does not parse, or bytes are left */
	BATCH_RECORD_MAGIC,   /* a message's magic is not its wrapper's */
	BATCH_RECORD_CODEC,   /* a compressed message inside a wrapper */
	BATCH_RECORD_CRC,     /* a message inside a wrapper has a wrong checksum */
	BATCH_TIMESTAMP_TYPE, /* LogAppendTime set by a client, where a broker minds */
	BATCH_RECORD_OFFSET, /* offsets inside a compressed batch of magic 2 are not 0, 1, 2, ... */
	BATCH_PROBLEM_COUNT,
};

struct batch_finding {
	enum batch_problem problem;
	/* Kafka's: 0, 2 CORRUPT_MESSAGE, 87 INVALID_RECORD, 32 INVALID_TIMESTAMP, 10
	 * MESSAGE_TOO_LARGE (expanded), -1 UNKNOWN_SERVER_ERROR */
	int16_t error_code;
	int32_t record_index;  /* of the record, or -1 when it is the batch */
	int32_t records_count; /* that were read; for wrappers the only way to know */
	int64_t max_timestamp; /* greatest of the records read, -1 without */
	/* Offsets inside a wrapper of magic 1 are not 0, 1, 2, ...: a broker rewrites it
	 * (records_rewrite) instead of refusing it. */
	bool renumber;
	char text[160]; /* for a person, and for the response's errorMessage */
};

/* Judges a batch that a client wrote (Produce), as a 4.4.0 broker does before and in LogValidator;
 * for magic 0 and 1 as brokers up to 3.9 did. topic_type is the topic's message.timestamp.type: a
 * topic of CreateTime lets LogAppendTime pass (and clears it), unless a record has no timestamp.
 * A topic's other rules (null keys under compaction, timestamp limits, size) are the caller's, and
 * so is the number of batches in a request. scratch as in record_iter_init. The first problem ends
 * the search. Returns true if the batch is good; *ret_finding is filled either way. */
bool batch_validate(const struct batch *b, enum timestamp_type topic_type, struct buf *scratch,
		    struct batch_finding *ret_finding);

/* "OK", "CRC", "COUNT_MISMATCH": the enumerator without its prefix. */
const char *batch_problem_name(enum batch_problem p);

/* --- changes in place --- */

/* data is one whole batch or message (at least its header, checked by a reader before). Base offset
 * and leader epoch stand before what the CRC covers: a broker writes them without touching it. */
void batch_set_base_offset(uint8_t *data, int64_t base_offset);
void batch_set_leader_epoch(uint8_t *data, int32_t partition_leader_epoch); /* magic 2 only */

/* Sets timestamp type and maxTimestamp (a message's timestamp), as a broker does for LogAppendTime,
 * and renews the CRC. For magic 1; magic 0 has no timestamp and is left alone. */
void batch_set_max_timestamp(uint8_t *data, size_t size, enum timestamp_type type,
			     int64_t max_timestamp);

/* Renews the CRC after any other change, by the magic's own rule. */
void batch_seal(uint8_t *data, size_t size);

#endif
