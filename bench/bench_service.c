/* Speed of `ktrial serve` beside a bare epoll server that gives canned answers to the same frames:
 * start, one and five Produces of 16 KiB in flight, Fetch of 1 MiB, Metadata among 10,000 idle
 * connections and what these cost in memory, and rules that match nothing. Both servers are
 * processes of their own; rounds alternate between them and the medians are compared. */
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	    5
#define STARTS	    21
#define IDLE	    10000
#define BARE_BUFFER (4 << 20)
#define KEYS	    3 /* APIs with a canned answer: Produce, Fetch, Metadata */

struct server {
	const char *name;
	pid_t pid;
	uint16_t port;
	int out; /* what ktrial prints */
};

/* Answers of a real exchange with ktrial, by API key 0, 1 and 3; the bare server repeats them. */
static struct buf canned[KEYS + 1];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- frames ---- */

static void frame_of(int api, int version, const void *body, struct buf *out)
{
	struct gather g;
	struct error e = ERROR_INIT;

	gather_init(&g, 4 << 20);
	if (frame_write_request(&g, api, version, 0, str_of("bench"), body, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	buf_init(out, 4 << 20);
	gather_flatten(&g, out);
	gather_release(&g);
}

/* 16 KiB of records of 100 bytes. */
static void make_batch(struct buf *batch)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	uint8_t value[100];
	struct rand r;

	rand_seed(&r, 1);
	buf_init(batch, 1 << 20);
	batch_builder_init(&b, &options, batch);
	for (int i = 0; i < 150; i++) {
		for (size_t k = 0; k < sizeof(value); k++)
			value[k] = (uint8_t)rand_next(&r);
		batch_builder_add(&b, 1700000000000 + i, (struct bytes){NULL, 0},
				  (struct bytes){value, sizeof(value)}, NULL, 0);
	}
	batch_builder_end(&b, NULL);
	batch_builder_release(&b);
}

static void make_produce(struct buf *out)
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
	frame_of(API_PRODUCE, 9, &body, out);
	buf_release(&batch);
}

static void make_fetch(struct buf *out)
{
	struct fetch_request_topics_partitions partition = fetch_request_topics_partitions_defaults;
	struct fetch_request_topics topic = fetch_request_topics_defaults;
	struct fetch_request body = fetch_request_defaults;

	partition.partition_max_bytes = 1 << 20;
	topic.topic = str_of("bench");
	topic.partitions = &partition;
	topic.partitions_count = 1;
	body.max_bytes = 1 << 20;
	body.session_epoch = -1;
	body.topics = &topic;
	body.topics_count = 1;
	frame_of(API_FETCH, 11, &body, out);
}

/* All records of the topic. */
static void make_delete(struct buf *out)
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
	frame_of(API_DELETE_RECORDS, 1, &body, out);
}

static void make_metadata(struct buf *out)
{
	struct metadata_request body = metadata_request_defaults;

	body.topics_count = -1;
	frame_of(API_METADATA, 9, &body, out);
}

static void make_versions(struct buf *out)
{
	struct api_versions_request body = api_versions_request_defaults;

	frame_of(API_API_VERSIONS, 0, &body, out);
}

/* ---- the client ---- */

static int dial(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void put(int fd, const struct buf *b)
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

/* One answer, its length included; the number of bytes. */
static size_t answer(int fd)
{
	static uint8_t bytes[4 << 20];
	size_t len;

	take(fd, bytes, 4);
	len = wire_u32(bytes);
	if (len > sizeof(bytes))
		die("an answer that is too long");
	take(fd, bytes, len);
	return len + 4;
}

static int64_t now_us(void)
{
	return clock_now().mono_us;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* µs a request with so many in flight. */
static double rounds_of(int fd, const struct buf *frame, int in_flight, int count)
{
	int64_t start = now_us();
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
	return (double)(now_us() - start) / count;
}

/* ---- the bare server ---- */

struct bare_conn {
	int fd;
	uint8_t *in;
	size_t have;
	struct buf out;
	size_t sent;
};

/* As a list, so that no compiler sees that nobody reads them. */
static void keep(const uint8_t *frame)
{
	static struct kept {
		struct kept *before;
		uint8_t frame[];
	} *volatile last;
	size_t size = 4 + wire_u32(frame);
	struct kept *k = malloc(sizeof(*k) + size);

	if (!k)
		die("malloc");
	k->before = last;
	memcpy(k->frame, frame, size);
	last = k;
}

static void bare_answer(struct bare_conn *c, const uint8_t *frame, bool keeps)
{
	uint16_t key = wire_u16(frame + 4);
	const struct buf *b = &canned[key <= KEYS ? key : 0];
	size_t at = c->out.len;

	if (keeps && key == API_PRODUCE)
		keep(frame);
	buf_add(&c->out, b->data, b->len);
	memcpy(c->out.data + at + 4, frame + 8, 4);
}

static void bare_read(struct bare_conn *c, int epoll, bool keeps)
{
	ssize_t n = recv(c->fd, c->in + c->have, BARE_BUFFER - c->have, 0);
	size_t at = 0;

	if (n <= 0) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
		close(c->fd);
		return;
	}
	c->have += (size_t)n;
	while (c->have - at >= 4 && c->have - at >= 4 + wire_u32(c->in + at)) {
		bare_answer(c, c->in + at, keeps);
		at += 4 + wire_u32(c->in + at);
	}
	memmove(c->in, c->in + at, c->have - at);
	c->have -= at;
}

static void bare_write(struct bare_conn *c, int epoll)
{
	struct epoll_event want = {.events = EPOLLIN, .data.ptr = c};
	ssize_t n;

	if (c->sent == c->out.len)
		return;
	n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent == c->out.len) {
		buf_reset(&c->out);
		c->sent = 0;
	} else {
		want.events |= EPOLLOUT;
	}
	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &want);
}

static void bare_accept(int listener, int epoll)
{
	struct bare_conn *c = calloc(1, sizeof(*c));
	struct epoll_event want = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	c->in = malloc(BARE_BUFFER);
	buf_init(&c->out, 64 << 20);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &want);
}

static void bare_serve(int listener, bool keeps)
{
	int epoll = epoll_create1(0);
	struct epoll_event want = {.events = EPOLLIN}, events[64];

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &want);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct bare_conn *c = events[i].data.ptr;

			if (!c) {
				bare_accept(listener, epoll);
				continue;
			}
			if (events[i].events & EPOLLIN)
				bare_read(c, epoll, keeps);
			bare_write(c, epoll);
		}
	}
}

/* keeps: it puts each Produce into memory of its own and never lets go of it, as a log would. */
static struct server start_bare(bool keeps)
{
	struct server s = {.name = "bare"};
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4096))
		die("listen");
	getsockname(fd, (struct sockaddr *)&at, &len);
	s.port = ntohs(at.sin_port);
	s.pid = fork();
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bare_serve(fd, keeps);
	}
	close(fd);
	return s;
}

/* ---- ktrial ---- */

static struct server start_ktrial(int rules)
{
	const char *path = getenv("KTRIAL") ? getenv("KTRIAL") : "build/release/ktrial";
	struct server s = {.name = "ktrial"};
	char *argv[300] = {"ktrial",  "serve", "--listen", "127.0.0.1:0", "--with-parent",
			   "--topic", "bench", "--memory", "4GiB"};
	int argc = 9, fds[2];
	char line[200];
	ssize_t n;

	for (int i = 0; i < rules; i++) {
		argv[argc++] = "--rule";
		argv[argc++] = "Produce topic=other partition=7 nth=1000000 -> close";
	}
	if (pipe(fds))
		die("pipe");
	s.pid = fork();
	if (!s.pid) {
		dup2(fds[1], 1);
		close(fds[0]);
		dup2(open("/dev/null", O_WRONLY), 2);
		execv(path, argv);
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

static void stop(struct server *s)
{
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	if (s->out)
		close(s->out);
}

static long rss_kib(pid_t pid)
{
	char path[64], line[200];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* ---- the measures ---- */

static void measure_start(const struct buf *versions)
{
	double took[STARTS];

	for (int i = 0; i < STARTS; i++) {
		int64_t start = now_us();
		struct server s = start_ktrial(0);
		int fd = dial(s.port);

		put(fd, versions);
		answer(fd);
		took[i] = (double)(now_us() - start);
		close(fd);
		stop(&s);
	}
	printf("start: spawn to first answered ApiVersions %.2f ms (goal under 3)\n",
	       median(took, STARTS) / 1000);
}

/* Keeps ktrial's answer for the bare server. */
static void learn(int fd, const struct buf *frame, struct buf *ret_canned)
{
	uint8_t head[4];

	put(fd, frame);
	take(fd, head, 4);
	buf_init(ret_canned, 8 << 20);
	buf_add(ret_canned, head, 4);
	take(fd, buf_room(ret_canned, wire_u32(head)), wire_u32(head));
	ret_canned->len += wire_u32(head);
}

/* Processor time that a process has used, in µs. */
static double cpu_us(pid_t pid)
{
	char path[64];
	unsigned long user = 0, system = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			 &system) != 2)
		die(path);
	fclose(f);
	return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* The three that are compared. */
struct side {
	struct server server;
	int fd;
	double took[ROUNDS]; /* µs a request */
	double us;	     /* their median */
	double cpu;	     /* µs of the server's processor time a request */
};

enum { KTRIAL, BARE, KEEPER, SIDES };

/* Rounds of each in turn, so that what else the machine does meets all alike. */
static void side_by_side(struct side *sides, int n, const struct buf *frame, int in_flight,
			 int count)
{
	for (int k = 0; k < n; k++) {
		sides[k].fd = dial(sides[k].server.port);
		rounds_of(sides[k].fd, frame, in_flight, count / 10);
		sides[k].cpu = -cpu_us(sides[k].server.pid);
	}
	for (int i = 0; i < ROUNDS; i++)
		for (int k = 0; k < n; k++)
			sides[k].took[i] = rounds_of(sides[k].fd, frame, in_flight, count);
	for (int k = 0; k < n; k++) {
		sides[k].cpu = (sides[k].cpu + cpu_us(sides[k].server.pid)) / (ROUNDS * count);
		sides[k].us = median(sides[k].took, ROUNDS);
		close(sides[k].fd);
	}
}

static double rate(const struct side *s, size_t bytes)
{
	return (double)bytes / s->us;
}

static void measure_fetch(struct side *sides, const struct buf *fetch)
{
	size_t bytes = canned[API_FETCH].len;

	side_by_side(sides, KEEPER, fetch, 1, 600);
	printf("fetch %zu KiB: %.0f MB/s, bare %.0f MB/s: %.2f (goal at least 0.7)\n", bytes / 1024,
	       rate(&sides[KTRIAL], bytes), rate(&sides[BARE], bytes),
	       sides[BARE].us / sides[KTRIAL].us);
	printf("fetch, processor time a request: %.0f us, bare %.0f us\n", sides[KTRIAL].cpu,
	       sides[BARE].cpu);
}

/* First while the process grows: on a machine that is itself a guest, memory that nobody had before
 * costs whoever grows more than the request does, as the keeper shows. Then with the memory that
 * the deleted records leave, which is what a server has that runs longer than its first seconds. */
static void measure_produce(struct side *sides, const struct buf *produce)
{
	struct buf all;
	int fd = dial(sides[KTRIAL].server.port);

	make_delete(&all);
	side_by_side(sides, SIDES, produce, 5, 5000);
	printf("produce 16 KiB, five in flight, memory never used before: %.0f MB/s, bare %.0f "
	       "MB/s, bare that keeps the frames %.0f MB/s: %.2f and %.2f of them\n",
	       rate(&sides[KTRIAL], produce->len), rate(&sides[BARE], produce->len),
	       rate(&sides[KEEPER], produce->len), sides[BARE].us / sides[KTRIAL].us,
	       sides[KEEPER].us / sides[KTRIAL].us);
	printf("produce in memory never used before, processor time a request: %.1f us, bare %.1f "
	       "us, bare that keeps %.1f us\n",
	       sides[KTRIAL].cpu, sides[BARE].cpu, sides[KEEPER].cpu);
	put(fd, &all);
	answer(fd);
	side_by_side(sides, KEEPER, produce, 5, 5000);
	printf("produce 16 KiB, five in flight: %.0f MB/s, bare %.0f MB/s: %.2f (goal at least "
	       "0.7)\n",
	       rate(&sides[KTRIAL], produce->len), rate(&sides[BARE], produce->len),
	       sides[BARE].us / sides[KTRIAL].us);
	printf("produce, processor time a request: %.1f us, bare %.1f us\n", sides[KTRIAL].cpu,
	       sides[BARE].cpu);
	put(fd, &all);
	answer(fd);
	side_by_side(sides, KEEPER, produce, 1, 3000);
	printf("produce 16 KiB, one in flight: %.1f us, bare %.1f us: %.2f of its round trip (goal "
	       "at most 1.3)\n",
	       sides[KTRIAL].us, sides[BARE].us, sides[KTRIAL].us / sides[BARE].us);
	close(fd);
	buf_release(&all);
}

static void measure_requests(const struct buf *produce, const struct buf *fetch,
			     const struct buf *metadata)
{
	struct side sides[SIDES] = {[KTRIAL].server = start_ktrial(0)};
	int fd = dial(sides[KTRIAL].server.port);

	for (int i = 0; i < 80; i++) {
		put(fd, produce);
		answer(fd);
	}
	learn(fd, produce, &canned[API_PRODUCE]);
	learn(fd, fetch, &canned[API_FETCH]);
	learn(fd, metadata, &canned[API_METADATA]);
	close(fd);
	sides[BARE].server = start_bare(false);
	sides[KEEPER].server = start_bare(true);
	measure_fetch(sides, fetch);
	measure_produce(sides, produce);
	for (int i = 0; i < SIDES; i++)
		stop(&sides[i].server);
}

static void measure_idle(const struct buf *metadata)
{
	static int idle[IDLE];
	struct server k = start_ktrial(0);
	double without[ROUNDS], with[ROUNDS];
	int fd = dial(k.port);
	long before, after;

	rounds_of(fd, metadata, 1, 1000);
	for (int i = 0; i < ROUNDS; i++)
		without[i] = rounds_of(fd, metadata, 1, 3000);
	before = rss_kib(k.pid);
	for (int i = 0; i < IDLE; i++) {
		idle[i] = dial(k.port);
		put(idle[i], metadata);
		answer(idle[i]);
	}
	after = rss_kib(k.pid);
	for (int i = 0; i < ROUNDS; i++)
		with[i] = rounds_of(fd, metadata, 1, 3000);
	printf("metadata among %d connections: %.1f us, alone %.1f us: %.2f (goal at most 1.25)\n",
	       IDLE, median(with, ROUNDS), median(without, ROUNDS),
	       median(with, ROUNDS) / median(without, ROUNDS));
	printf("idle connection: %.2f KiB each (goal at most 8)\n",
	       (double)(after - before) / IDLE);
	for (int i = 0; i < IDLE; i++)
		close(idle[i]);
	close(fd);
	stop(&k);
}

static void measure_rules(const struct buf *produce)
{
	static const int counts[] = {0, 1, 10, 100};

	printf("rules on a busy connection (one Produce in flight):");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct server k = start_ktrial(counts[i]);
		double took[ROUNDS];
		int fd = dial(k.port);

		rounds_of(fd, produce, 1, 500);
		for (int r = 0; r < ROUNDS; r++)
			took[r] = rounds_of(fd, produce, 1, 2000);
		printf(" %d: %.1f us%s", counts[i], median(took, ROUNDS), i < 3 ? "," : "\n");
		close(fd);
		stop(&k);
	}
}

/* All measures, or those named. */
static bool asked(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct buf produce, fetch, metadata, versions;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_produce(&produce);
	make_fetch(&fetch);
	make_metadata(&metadata);
	make_versions(&versions);
	if (asked(argc, argv, "start"))
		measure_start(&versions);
	if (asked(argc, argv, "requests"))
		measure_requests(&produce, &fetch, &metadata);
	if (asked(argc, argv, "rules"))
		measure_rules(&produce);
	if (!asked(argc, argv, "idle"))
		return 0;
	if (files.rlim_cur > IDLE + 100)
		measure_idle(&metadata);
	else
		printf("metadata among %d connections: not measured, only %llu descriptors\n", IDLE,
		       (unsigned long long)files.rlim_cur);
	return 0;
}
