/* Evidence: a run's events as a pcapng file that Wireshark and tcpdump open.
 *
 * The plaintext that went over each connection, credentials overwritten (trace/blind.h), stands as
 * TCP packets without a link layer (LINKTYPE_RAW): a handshake, segments of at most 64 KiB with
 *right checksums, FIN or RST. What packets can't say stands in custom blocks, one for each event of
 *the kinds rule, log, cluster, report and mark, and one before each handshake with the connection's
 *number and broker. A fired rule is also a comment on the next packet that the broker sends on its
 *connection: the answer, the FIN or the RST. Exchanges and unmatched bytes are not written: whoever
 *reads the packets finds them again.
 *
 * A custom block (PCAPNG_PEN_KTRIAL) holds, numbers big-endian whatever the section's order:
 *	"ktrial" | version (1) | kind | time, us since 1970 (8) | length of JSON (4) | length of
 *bytes (4) | JSON object | bytes kind is enum event_kind; the bytes are the batch of a log event.
 *Unknown JSON keys are skipped. */
#ifndef TRACE_EVIDENCE_H
#define TRACE_EVIDENCE_H

#include "base/error.h"
#include "trace/event.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct evidence;

/* Makes (or empties) the file. NULL with *e (ERR_OS) when it can't. */
struct evidence *evidence_open(const char *path, struct error *e);

/* To be added to the bus whose events shall be written: connections, rules, log, cluster, reports,
 * marks. Owned by ev. */
struct event_sink *evidence_sink(struct evidence *ev);

/* Bytes that were read from (from_client) or written to a client, in the order in which they went,
 * after all faults. conn->conn, client and server are used; a connection that was not opened before
 * begins in the middle, as in any capture. */
void evidence_bytes(struct evidence *ev, const struct event_conn *conn, bool from_client,
		    const struct iovec *iov, size_t count, int64_t time_us);

/* Hands everything to the file. The writer does so by itself in large pieces. Returns 0, or the
 * code of the first failed write with *e; after one nothing more is written. */
int evidence_flush(struct evidence *ev, struct error *e);

/* Flushes and frees; the sink must be off its bus. NULL is fine. Connections that are still open
 * stay so in the file. */
int evidence_close(struct evidence *ev, struct error *e);

/*
 * Reads one custom block's content (what pcapng_read gives for PCAPNG_PEN_KTRIAL). Returns 1 with
 * an event of kind RULE, LOG, CLUSTER, REPORT, MARK, or CONN_OPENED, the announcement of a
 * connection whose packets follow; 0 if the block is somebody else's or of a kind or version that
 * we don't know; ERR_MALFORMED with *e. Texts lie in the arena, a batch is a view into data.
 */
int evidence_read(struct bytes data, struct arena *arena, struct event *ret, struct error *e);

#endif
