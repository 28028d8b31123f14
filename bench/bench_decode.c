/* Speed of `ktrial decode` on captures that this program makes (build/bench-*.pcap, 500 MB each
 * unless KTRIAL_BENCH_MB says otherwise), as ratios beside a plain libpcap loop over the same file
 * and, where it is installed, tshark on the beginning of it. Each measure is a process of its own,
 * so that its memory can be told; ratios are of processor time, which other work on the machine
 * disturbs less than the clock. */
#include "base/clock.h"
#include "base/rand.h"
#include "bench/goal.h"
#include "decoder/packet.h"
#include "protocol/batch_builder.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MSS   1448
#define CONNS 8
#define PART  ((size_t)4 << 20) /* of what tshark's JSON is measured on */

struct maker {
	FILE *file;
	size_t size, want;
	int64_t time_us;
	uint32_t seq[CONNS][2];
	struct buf frame;
	int32_t correlation;
};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static void put_packet(struct maker *m, int conn, int d, uint8_t flags, const uint8_t *data,
		       size_t n)
{
	uint8_t h[54] = {0};
	uint32_t head[4] = {(uint32_t)(m->time_us / 1000000), (uint32_t)(m->time_us % 1000000),
			    (uint32_t)(54 + n), (uint32_t)(54 + n)};

	h[12] = 8;
	h[14] = 0x45;
	put16(h + 16, (unsigned)(40 + n));
	h[22] = 64;
	h[23] = 6;
	put32(h + 26, d ? 0x0a000002 : 0x0a000001);
	put32(h + 30, d ? 0x0a000001 : 0x0a000002);
	put16(h + 34, d ? 9092 : 40000u + (unsigned)conn);
	put16(h + 36, d ? 40000u + (unsigned)conn : 9092);
	put32(h + 38, m->seq[conn][d]);
	put32(h + 42, m->seq[conn][!d]);
	h[46] = 0x50;
	h[47] = flags;
	put16(h + 48, 65535);
	m->seq[conn][d] += (uint32_t)n + ((flags & TCP_SYN) ? 1 : 0);
	m->time_us += 20;
	fwrite(head, 1, sizeof(head), m->file);
	fwrite(h, 1, sizeof(h), m->file);
	fwrite(data, 1, n, m->file);
	m->size += sizeof(head) + sizeof(h) + n;
}

static void put_frame(struct maker *m, int conn, int d)
{
	for (size_t at = 0; at < m->frame.len; at += MSS)
		put_packet(m, conn, d, TCP_ACK, m->frame.data + at,
			   m->frame.len - at < MSS ? m->frame.len - at : MSS);
}

static void send_message(struct maker *m, int conn, int d, int key, int version, const void *body)
{
	struct gather g;

	gather_init(&g, 8 << 20);
	if (d)
		frame_write_response(&g, key, version, m->correlation, body, NULL);
	else
		frame_write_request(&g, key, version, m->correlation, str_of("bench"), body, NULL);
	buf_reset(&m->frame);
	gather_flatten(&g, &m->frame);
	gather_release(&g);
	put_frame(m, conn, d);
}

static void make_batch(struct buf *out, int records)
{
	struct batch_options options = {.magic = 2, .producer_id = 1, .producer_epoch = 0};
	struct batch_builder b = {0};
	uint8_t value[100];

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 37);
	buf_init(out, 1 << 20);
	batch_builder_init(&b, &options, out);
	for (int i = 0; i < records; i++)
		batch_builder_add(&b, 1700000000000 + i, (struct bytes){value, 8},
				  (struct bytes){value, 100}, NULL, 0);
	if (batch_builder_end(&b, NULL))
		abort();
	batch_builder_release(&b);
}

static void produce(struct maker *m, int conn, const struct buf *batch)
{
	struct produce_request_topic_data_partition_data p = {
		.index = 3, .records = {batch->data, (int32_t)batch->len, 0}};
	struct produce_request_topic_data t = {
		.name = {"orders", 6}, .partition_data = &p, .partition_data_count = 1};
	struct produce_response_responses_partition_responses rp =
		produce_response_responses_partition_responses_defaults;
	struct produce_response_responses rt = {
		.name = {"orders", 6}, .partition_responses = &rp, .partition_responses_count = 1};
	struct produce_request q;
	struct produce_response a;

	codec_init(&produce_request_schema, &q);
	codec_init(&produce_response_schema, &a);
	q.acks = -1;
	q.topic_data = &t;
	a.responses = &rt;
	q.topic_data_count = a.responses_count = 1;
	m->correlation++;
	send_message(m, conn, 0, API_PRODUCE, 9, &q);
	send_message(m, conn, 1, API_PRODUCE, 9, &a);
}

static void fetch(struct maker *m, int conn, const struct buf *records)
{
	struct fetch_request_topics_partitions p;
	struct fetch_request_topics t = {
		.topic = {"orders", 6}, .partitions = &p, .partitions_count = 1};
	struct fetch_response_responses_partitions rp;
	struct fetch_response_responses rt = {
		.topic = {"orders", 6}, .partitions = &rp, .partitions_count = 1};
	struct fetch_request q;
	struct fetch_response a;

	p = fetch_request_topics_partitions_defaults;
	rp = fetch_response_responses_partitions_defaults;
	codec_init(&fetch_request_schema, &q);
	codec_init(&fetch_response_schema, &a);
	q.max_wait_ms = 500;
	q.min_bytes = 1;
	q.topics = &t;
	rp.records = (struct records){records->data, (int32_t)records->len, 0};
	a.responses = &rt;
	q.topics_count = a.responses_count = 1;
	m->correlation++;
	send_message(m, conn, 0, API_FETCH, 11, &q);
	send_message(m, conn, 1, API_FETCH, 11, &a);
}

static void heartbeat(struct maker *m, int conn)
{
	struct heartbeat_request q;
	struct heartbeat_response a;

	codec_init(&heartbeat_request_schema, &q);
	codec_init(&heartbeat_response_schema, &a);
	q.group_id = str_of("billing");
	q.member_id = str_of("bench-5a2f7c1e-0b1d-4e8b-9a4e-2f6f6d3c9b10");
	m->correlation++;
	send_message(m, conn, 0, API_HEARTBEAT, 3, &q);
	send_message(m, conn, 1, API_HEARTBEAT, 3, &a);
}

static void make(const char *path, size_t want, bool large)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 262144, 1};
	struct maker m = {.file = fopen(path, "wb"), .want = want, .time_us = 1700000000000000};
	struct buf batch, records;

	if (!m.file)
		abort();
	buf_init(&m.frame, 8 << 20);
	make_batch(&batch, 50);
	buf_init(&records, 1 << 20);
	while (records.len < 65536)
		buf_add(&records, batch.data, batch.len);
	fwrite(header, 1, sizeof(header), m.file);
	for (int c = 0; c < CONNS; c++) {
		/* Equal numbers would make one conversation, seen behind translated addresses. */
		m.seq[c][0] = 1000003u * (uint32_t)(2 * c + 1);
		m.seq[c][1] = 1000003u * (uint32_t)(2 * c + 2);
		put_packet(&m, c, 0, TCP_SYN, NULL, 0);
		put_packet(&m, c, 1, TCP_SYN | TCP_ACK, NULL, 0);
	}
	for (int i = 0; m.size < m.want; i++) {
		if (!large)
			heartbeat(&m, i % CONNS);
		else if (i % 4)
			produce(&m, i % CONNS, &batch);
		else
			fetch(&m, i % CONNS, &records);
	}
	buf_release(&m.frame);
	buf_release(&batch);
	buf_release(&records);
	fclose(m.file);
}

/* ---- the measured ---- */

static void plain(const char *path)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, text);
	struct pcap_pkthdr *h;
	const u_char *data;
	volatile uint64_t sum = 0;

	if (!p)
		abort();
	while (pcap_next_ex(p, &h, &data) == 1)
		sum += h->caplen + data[0];
	pcap_close(p);
}

static void quiet(const char *const *words)
{
	int fd = open("/dev/null", O_WRONLY);

	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execvp(words[0], (char *const *)(uintptr_t)words);
	_exit(127);
}

static void ktrial(const char *output, const char *path)
{
	const char *program = getenv("KTRIAL");

	quiet((const char *[]){program ? program : "build/release/ktrial", "decode", "--strict",
			       "-o", output, path, NULL});
}

static void stats_of(const char *path)
{
	ktrial("stats", path);
}

static void lines_of(const char *path)
{
	ktrial("line", path);
}

static void json_of(const char *path)
{
	ktrial("json", path);
}

static void tshark_lines(const char *path)
{
	quiet((const char *[]){"tshark", "-r", path, "-d", "tcp.port==9092,kafka", "-Y", "kafka",
			       NULL});
}

static void tshark_json(const char *path)
{
	quiet((const char *[]){"tshark", "-r", path, "-d", "tcp.port==9092,kafka", "-Y", "kafka",
			       "-T", "json", NULL});
}

static int64_t us_of(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* MB a second of processor time; 0 when it could not be run. Prints it. */
static double measure(const char *what, void (*work)(const char *), const char *path)
{
	int64_t start = clock_now().mono_us;
	struct rusage usage;
	struct stat st;
	double speed, by_clock;
	int status;
	pid_t pid = fork();

	if (!pid) {
		work(path);
		_exit(0);
	}
	if (wait4(pid, &status, 0, &usage) < 0 || status) {
		printf("  %-24s not run\n", what);
		return 0;
	}
	stat(path, &st);
	by_clock = (double)st.st_size / (double)(clock_now().mono_us - start);
	speed = (double)st.st_size / (double)(us_of(usage.ru_utime) + us_of(usage.ru_stime) + 1);
	printf("  %-24s %8.1f MB/s of processor time %8.1f by the clock %6ld MB of memory\n", what,
	       speed, by_clock, usage.ru_maxrss / 1024);
	fflush(stdout);
	return speed;
}

static void ratio(const char *name, const char *what, double a, double b, double goal)
{
	if (a > 0 && b > 0)
		goal_line(GOAL_AT_LEAST, goal, a / b, "", "decode of %s messages, %s", name, what);
}

/* The first bytes of a file, up to a packet's end, as a file of their own. */
static void cut(const char *from, const char *to, size_t n)
{
	uint32_t head[4];
	uint8_t *data = malloc(n + 65536 * 2);
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t len, at = 24;

	if (!in || !out || !data)
		abort();
	len = fread(data, 1, n, in);
	while (at + 16 <= len) {
		memcpy(head, data + at, sizeof(head));
		if (at + 16 + head[2] > len)
			break;
		at += 16 + head[2];
	}
	fwrite(data, 1, at, out);
	free(data);
	fclose(in);
	fclose(out);
}

static void bench(const char *name, size_t bytes, bool large)
{
	char path[64], part[64], small[64];
	double loop, stats, lines, json, their_lines, their_json;

	snprintf(path, sizeof(path), "build/bench-%s.pcap", name);
	snprintf(part, sizeof(part), "build/bench-%s-part.pcap", name);
	snprintf(small, sizeof(small), "build/bench-%s-small.pcap", name);
	make(path, bytes, large);
	cut(path, part, bytes / 5);
	cut(path, small, PART);
	printf("%s, %zu MB:\n", name, bytes >> 20);
	plain(path); /* into the page cache */
	loop = measure("plain libpcap loop", plain, path);
	stats = measure("statistics", stats_of, path);
	lines = measure("lines", lines_of, path);
	json = measure("JSON Lines", json_of, path);
	their_lines = measure("tshark lines (a fifth)", tshark_lines, part);
	their_json = measure("tshark JSON (4 MB)", tshark_json, small);
	ratio(name, "statistics / plain loop", stats, loop, large ? 1.0 / 4 : 1.0 / 6);
	ratio(name, "lines / tshark's", lines, their_lines, 10);
	ratio(name, "JSON Lines / tshark's", json, their_json, 25);
	unlink(path);
	unlink(part);
	unlink(small);
}

int main(void)
{
	const char *mb = getenv("KTRIAL_BENCH_MB");
	size_t bytes = (size_t)(mb ? strtoul(mb, NULL, 10) : 500) << 20;

	bench("large", bytes, true);
	bench("small", bytes, false);
	return goals_missed();
}
