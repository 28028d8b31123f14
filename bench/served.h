/* What the benches of `ktrial serve` share: a server in a process of its own, what it uses, and the
 * plainest client. Whatever fails ends the program. */
#ifndef BENCH_SERVED_H
#define BENCH_SERVED_H

#include "base/buf.h"

#include <sys/types.h>

struct server {
	pid_t pid;
	uint16_t port;
	int out; /* what ktrial prints */
};

void die(const char *what);

/* ktrial with these words, on a free port; it prints a ready line. KTRIAL names the program. */
struct server start_command(const char *const *words, int count);
/* `ktrial serve` on a free port, with the topic "bench" and memory for what is put into it, and
 * more words behind these; ends with this process. */
struct server start_ktrial(const char *const *words, int count);
void stop(struct server *s);

/* Bytes of memory, and processor time so far in us, of a process. */
double rss_bytes(pid_t pid);
double cpu_us(pid_t pid);

/* Memory that nobody had before costs more than what is done in it where the machine is itself a
 * guest, whose host then gives it page by page: takes and gives back so much, once. */
void warm_memory(size_t bytes);

/* On processor n only; all: wherever the scheduler likes. The process and its later children. */
void run_on(pid_t pid, int n);
void run_anywhere(pid_t pid);

/* ---- the client ---- */

int dial(uint16_t port);
void put(int fd, const struct buf *b);
/* One whole answer; the number of its bytes, the length included. */
size_t answer(int fd);
/* The same, kept: with its length, in a buffer that is made here. */
void learn(int fd, struct buf *ret_answer);

/* us a request, with so many in flight. */
double rounds_of(int fd, const struct buf *frame, int in_flight, int count);

/* ---- requests ---- */

/* A request as bytes, in a buffer that is made here. */
void frame_of(int api, int version, const void *body, struct buf *ret_frame);
/* Produce of 16 KiB of records of 100 bytes to "bench". */
struct produced {
	struct buf frame;
	size_t batch_at, batch_size; /* in the frame */
	size_t payload;		     /* bytes of the records' values */
};
void make_produce(struct produced *ret);
/* Fetch of as much of it as max bytes; Metadata of everything; ApiVersions; DeleteRecords of all
 * that is in it. */
void make_fetch(int32_t max, struct buf *ret_frame);
void make_metadata(struct buf *ret_frame);
void make_versions(struct buf *ret_frame);
void make_delete(struct buf *ret_frame);

/* ---- numbers ---- */

/* The lower quartile: what else the machine does only ever adds. Sorts values. */
double quartile(double *values, size_t n);
double median(double *values, size_t n);

#endif
