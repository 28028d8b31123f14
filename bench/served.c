/* Processes, sockets and requests of the benches. Owns nothing beyond what it hands out. */
#include "bench/served.h"

#include "base/clock.h"
#include "base/rand.h"
#include "protocol/batch_builder.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS	    150 /* of a batch: 16 KiB */
#define RECORD_SIZE 100
#define WORDS_MAX   400
#define ANSWER_MAX  ((size_t)8 << 20)

void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- processes ---- */

struct server start_command(const char *const *words, int count)
{
	const char *path = getenv("KTRIAL") ? getenv("KTRIAL") : "build/release/ktrial";
	const char *argv[WORDS_MAX] = {"ktrial"};
	struct server s = {0};
	int argc = 1, fds[2];
	char line[200];
	ssize_t n;

	for (int i = 0; i < count && argc + 1 < WORDS_MAX; i++)
		argv[argc++] = words[i];
	if (pipe(fds))
		die("pipe");
	s.pid = fork();
	if (!s.pid) {
		dup2(fds[1], 1);
		close(fds[0]);
		dup2(open("/dev/null", O_WRONLY), 2);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	s.out = fds[0];
	n = read(s.out, line, sizeof(line) - 1);
	if (n <= 0)
		die(path);
	line[n] = '\0';
	s.port = (uint16_t)strtol(strchr(strchr(line, '='), ':') + 1, NULL, 10);
	return s;
}

struct server start_ktrial(const char *const *words, int count)
{
	const char *all[WORDS_MAX] = {"serve",	 "--listen", "127.0.0.1:0", "--with-parent",
				      "--topic", "bench",    "--memory",    "4GiB"};
	int n = 8;

	for (int i = 0; i < count && n + 1 < WORDS_MAX; i++)
		all[n++] = words[i];
	return start_command(all, n);
}

void stop(struct server *s)
{
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	if (s->out)
		close(s->out);
}

static double number_in(pid_t pid, const char *file, const char *format)
{
	char path[64], line[300];
	double value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "r");
	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, format, strlen(format)))
			value = strtod(line + strlen(format), NULL);
	if (value < 0)
		die(path);
	fclose(f);
	return value;
}

double rss_bytes(pid_t pid)
{
	return number_in(pid, "status", "VmRSS:") * 1024;
}

double cpu_us(pid_t pid)
{
	return number_in(pid, "schedstat", "") / 1e3;
}

void warm_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 1, bytes);
	munmap(p, bytes);
}

void run_on(pid_t pid, int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)n, &set);
	if (sched_setaffinity(pid, sizeof(set), &set))
		die("sched_setaffinity");
}

void run_anywhere(pid_t pid)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int n = 0; n < CPU_SETSIZE; n++)
		CPU_SET((unsigned)n, &set);
	if (sched_setaffinity(pid, sizeof(set), &set))
		die("sched_setaffinity");
}

/* ---- the client ---- */

int dial(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

void put(int fd, const struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = send(fd, b->data + at, b->len - at, MSG_NOSIGNAL);

		if (n <= 0)
			die("send");
		at += (size_t)n;
	}
}

static void take(int fd, uint8_t *to, size_t len)
{
	while (len) {
		ssize_t n = recv(fd, to, len, 0);

		if (n <= 0)
			die("recv");
		to += n;
		len -= (size_t)n;
	}
}

static size_t answer_into(int fd, uint8_t *bytes, size_t max)
{
	size_t len;

	take(fd, bytes, 4);
	len = wire_u32(bytes);
	if (len + 4 > max)
		die("an answer that is too long");
	take(fd, bytes + 4, len);
	return len + 4;
}

static uint8_t last[ANSWER_MAX];

size_t answer(int fd)
{
	return answer_into(fd, last, sizeof(last));
}

void learn(int fd, struct buf *ret_answer)
{
	size_t n = answer(fd);

	buf_init(ret_answer, n);
	buf_add(ret_answer, last, n);
}

double rounds_of(int fd, const struct buf *frame, int in_flight, int count)
{
	int64_t start = clock_now().mono_us;
	int sent = 0;

	for (; sent < in_flight; sent++)
		put(fd, frame);
	for (int done = 0; done < count; done++) {
		answer(fd);
		if (sent < count) {
			put(fd, frame);
			sent++;
		}
	}
	return (double)(clock_now().mono_us - start) / count;
}

/* ---- requests ---- */

void frame_of(int api, int version, const void *body, struct buf *ret_frame)
{
	struct gather g;
	struct error e = ERROR_INIT;

	gather_init(&g, 4 << 20);
	if (frame_write_request(&g, api, version, 0, str_of("bench"), body, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(2);
	}
	buf_init(ret_frame, 4 << 20);
	gather_flatten(&g, ret_frame);
	gather_release(&g);
}

/* 16 KiB of records of 100 bytes. */
static void make_batch(struct buf *batch)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	uint8_t value[RECORD_SIZE];
	struct rand r;

	rand_seed(&r, 1);
	buf_init(batch, 1 << 20);
	batch_builder_init(&b, &options, batch);
	for (int i = 0; i < RECORDS; i++) {
		for (size_t k = 0; k < sizeof(value); k++)
			value[k] = (uint8_t)rand_next(&r);
		batch_builder_add(&b, 1700000000000 + i, (struct bytes){NULL, 0},
				  (struct bytes){value, sizeof(value)}, NULL, 0);
	}
	batch_builder_end(&b, NULL);
	batch_builder_release(&b);
}

void make_produce(struct produced *ret)
{
	struct produce_request_topic_data_partition_data partition;
	struct produce_request_topic_data topic;
	struct produce_request body;
	struct buf batch;

	make_batch(&batch);
	partition = produce_request_topic_data_partition_data_defaults;
	partition.records = (struct records){batch.data, (int32_t)batch.len, 0};
	topic = produce_request_topic_data_defaults;
	topic.name = str_of("bench");
	topic.partition_data = &partition;
	topic.partition_data_count = 1;
	body = produce_request_defaults;
	body.acks = -1;
	body.timeout_ms = 1000;
	body.topic_data = &topic;
	body.topic_data_count = 1;
	frame_of(API_PRODUCE, 9, &body, &ret->frame);
	ret->batch_size = batch.len;
	ret->batch_at =
		(size_t)((uint8_t *)memmem(ret->frame.data, ret->frame.len, batch.data, batch.len) -
			 ret->frame.data);
	ret->payload = (size_t)RECORDS * RECORD_SIZE;
	buf_release(&batch);
}

void make_fetch(int32_t max, struct buf *ret_frame)
{
	struct fetch_request_topics_partitions partition = fetch_request_topics_partitions_defaults;
	struct fetch_request_topics topic = fetch_request_topics_defaults;
	struct fetch_request body = fetch_request_defaults;

	partition.partition_max_bytes = max;
	topic.topic = str_of("bench");
	topic.partitions = &partition;
	topic.partitions_count = 1;
	body.max_bytes = max;
	body.session_epoch = -1;
	body.topics = &topic;
	body.topics_count = 1;
	frame_of(API_FETCH, 11, &body, ret_frame);
}

void make_delete(struct buf *ret_frame)
{
	struct delete_records_request_topics_partitions partition =
		delete_records_request_topics_partitions_defaults;
	struct delete_records_request_topics topic = delete_records_request_topics_defaults;
	struct delete_records_request body = delete_records_request_defaults;

	partition.offset = -1;
	topic.name = str_of("bench");
	topic.partitions = &partition;
	topic.partitions_count = 1;
	body.topics = &topic;
	body.topics_count = 1;
	body.timeout_ms = 1000;
	frame_of(API_DELETE_RECORDS, 1, &body, ret_frame);
}

void make_metadata(struct buf *ret_frame)
{
	struct metadata_request body = metadata_request_defaults;

	body.topics_count = -1;
	frame_of(API_METADATA, 9, &body, ret_frame);
}

void make_versions(struct buf *ret_frame)
{
	struct api_versions_request body = api_versions_request_defaults;

	frame_of(API_API_VERSIONS, 0, &body, ret_frame);
}

/* ---- numbers ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quartile(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 4];
}

double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}
