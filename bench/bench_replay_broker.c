/* Speed of `ktrial replay --as broker` beside the mock that serves the same records: Fetch answers
 * of 1 MiB and of one batch of 16 KiB, recorded before the mock with --capture and then asked of
 * both, in rounds that alternate. Replay is to reach 0.7 of the mock. */
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	9
#define BATCHES 80 /* of 16 KiB */
#define GOAL	0.7

struct server {
	pid_t pid;
	int out; /* what it prints */
	int fd;	 /* a connection to it */
};

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
	struct produce_request_topic_data_partition_data partition =
		produce_request_topic_data_partition_data_defaults;
	struct produce_request_topic_data topic = produce_request_topic_data_defaults;
	struct produce_request body = produce_request_defaults;
	struct buf batch;

	make_batch(&batch);
	partition.records = (struct records){batch.data, (int32_t)batch.len, 0};
	topic.name = str_of("bench");
	topic.partition_data = &partition;
	topic.partition_data_count = 1;
	body.acks = -1;
	body.timeout_ms = 1000;
	body.topic_data = &topic;
	body.topic_data_count = 1;
	frame_of(API_PRODUCE, 9, &body, out);
	buf_release(&batch);
}

static void make_fetch(int32_t max, struct buf *out)
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
	frame_of(API_FETCH, 11, &body, out);
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

/* Sends a frame and takes its answer; the answer's bytes. */
static size_t ask(int fd, const struct buf *frame)
{
	static uint8_t bytes[4 << 20];
	size_t len;

	if (send(fd, frame->data, frame->len, MSG_NOSIGNAL) != (ssize_t)frame->len)
		die("send");
	take(fd, bytes, 4);
	len = wire_u32(bytes);
	if (len > sizeof(bytes))
		die("an answer that is too long");
	take(fd, bytes, len);
	return len + 4;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

/* ---- servers ---- */

static struct server start(char *const *argv)
{
	const char *path = getenv("KTRIAL") ? getenv("KTRIAL") : "build/release/ktrial";
	struct server s;
	char line[200];
	int fds[2];
	ssize_t n;

	if (pipe(fds))
		die("pipe");
	s.pid = fork();
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
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
	s.fd = dial((uint16_t)strtol(strchr(strchr(line, '='), ':') + 1, NULL, 10));
	return s;
}

static void stop(struct server *s)
{
	close(s->fd);
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	close(s->out);
}

static struct server start_mock(char *capture)
{
	char *argv[] = {"ktrial",	 "serve",   "--listen", "127.0.0.1:0",
			"--with-parent", "--topic", "bench",	capture ? "--capture" : NULL,
			capture,	 NULL};
	struct server s = start(argv);
	struct buf produce;

	make_produce(&produce);
	for (int i = 0; i < BATCHES; i++)
		ask(s.fd, &produce);
	buf_release(&produce);
	return s;
}

/* ---- what is measured ---- */

struct subject {
	const char *name;
	struct buf fetch;
	int count;     /* of a round */
	size_t answer; /* bytes */
};

static double round_of(struct server *s, struct subject *t)
{
	int64_t begin = clock_now().mono_us;

	for (int i = 0; i < t->count; i++)
		if (ask(s->fd, &t->fetch) != t->answer)
			die("another answer");
	return (double)(clock_now().mono_us - begin) / t->count;
}

static bool measure(struct server *mock, struct server *replay, struct subject *t)
{
	double a[ROUNDS], b[ROUNDS], ratio;

	for (int i = 0; i < ROUNDS; i++) {
		a[i] = round_of(mock, t);
		b[i] = round_of(replay, t);
	}
	ratio = median(a) / median(b);
	printf("%-16s %8zu bytes  mock %7.1f us  replay %7.1f us  ratio %.2f  goal %.1f  %s\n",
	       t->name, t->answer, median(a), median(b), ratio, GOAL,
	       ratio >= GOAL ? "ok" : "MISSED");
	return ratio >= GOAL;
}

/* Recorded alone: what is read again at an offset is what was given there last. */
static bool play(struct subject *t)
{
	char capture[] = "/tmp/ktrial-bench-XXXXXX";
	char *argv[] = {"ktrial",      "replay",	capture,   "--as", "broker", "--listen",
			"127.0.0.1:0", "--with-parent", "--speed", "max",  "-Y",     "api == Fetch",
			NULL};
	int file = mkstemp(capture);
	struct server mock, replay;
	bool good;

	if (file < 0)
		die("mkstemp");
	close(file);
	mock = start_mock(capture);
	t->answer = ask(mock.fd, &t->fetch);
	stop(&mock);
	mock = start_mock(NULL);
	replay = start(argv);
	good = measure(&mock, &replay, t);
	stop(&mock);
	stop(&replay);
	unlink(capture);
	buf_release(&t->fetch);
	return good;
}

int main(void)
{
	struct subject large = {.name = "Fetch of 1 MiB", .count = 200};
	struct subject small = {.name = "Fetch of a batch", .count = 4000};
	bool good;

	make_fetch(1 << 20, &large.fetch);
	make_fetch(1, &small.fetch);
	printf("replay as broker\n");
	good = play(&large);
	good &= play(&small);
	return good ? 0 : 1;
}
