/* The page is its own three files with two blocks of JSON between them: the index, which the matrix
 * needs, and the details, one zlib stream in base64 for each case, which the browser opens when the
 * case is looked at. Nothing of a run is ever HTML here: the script puts all of it in as text. */
#include "harness/page.h"

#include "base/clock.h"
#include "base/json.h"
#include "harness/flow.h"
#include "harness/page_data.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PAGE_MAX ((size_t)256 << 20)
#define CASE_MAX ((size_t)64 << 20) /* of one case, before it is packed */

struct page {
	const struct results *results;
	struct buf index, details;
	struct json index_json, details_json;
	struct buf flow, plain, packed; /* scratch */
	int32_t *places;		/* in details, by result; -1: not there */
	int32_t placed, without;
};

/* ---- a case's details ---- */

static int read_file(const char *path, struct buf *out, struct error *e)
{
	FILE *in = fopen(path, "re");
	uint8_t *room;
	size_t n = 0;
	bool bad;

	if (!in)
		return error_set(e, ERR_OS, "can't open %s: %s", path, strerror(errno));
	while (!out->bad && (room = buf_room(out, 65536)) && (n = fread(room, 1, 65536, in)) > 0)
		out->len += n;
	bad = ferror(in) || out->bad;
	fclose(in);
	return bad ? error_set(e, ERR_OS, "can't read all of %s", path) : 0;
}

static void folder_of(const struct result *x, char *ret_folder, size_t size)
{
	const char *slash = strrchr(x->path, '/');

	snprintf(ret_folder, size, "%.*s", slash ? (int)(slash - x->path) : 1,
		 slash ? x->path : ".");
}

/* The flow into p->flow; nothing if the folder has none. */
static int read_flow(struct page *p, const struct result *x, struct error *e)
{
	char folder[PATH_MAX], path[PATH_MAX + 20];

	buf_reset(&p->flow);
	folder_of(x, folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/" FLOW_FILE, folder);
	if (!access(path, R_OK))
		return read_file(path, &p->flow, e);
	snprintf(path, sizeof(path), "%s/evidence.pcapng", folder);
	return access(path, R_OK) ? 0 : flow_write(folder, &p->flow, e);
}

static int pack(struct page *p)
{
	uLongf n = compressBound((uLong)p->plain.len);
	uint8_t *room;

	buf_reset(&p->packed);
	room = buf_room(&p->packed, n);
	if (!room || compress2(room, &n, p->plain.data, (uLong)p->plain.len, 9) != Z_OK)
		return -1;
	p->packed.len = n;
	return 0;
}

static void put_details(struct page *p, const struct buf *flow)
{
	struct str text = {(const char *)flow->data, (int32_t)flow->len};

	buf_text(&p->plain, ",\"flow\":");
	if (flow->len)
		buf_add(&p->plain, text.data, (size_t)text.len);
	else
		buf_text(&p->plain, "null");
	buf_byte(&p->plain, '}');
}

/* One case's details; the flow is left out where it has no room any more. */
static int add_details(struct page *p, int32_t i, struct error *e)
{
	const struct result *x = &p->results->list[i];
	const struct buf none = {0};
	size_t result_len;
	int rc;

	buf_reset(&p->plain);
	buf_text(&p->plain, "{\"result\":");
	rc = read_file(x->path, &p->plain, e);
	rc = rc ? rc : read_flow(p, x, e);
	if (rc)
		return rc;
	result_len = p->plain.len;
	put_details(p, &p->flow);
	if (pack(p) < 0 || p->details.len + p->packed.len * 4 / 3 > PAGE_DETAILS_MAX) {
		p->plain.len = result_len;
		put_details(p, &none);
		p->without += p->flow.len > 0;
		if (pack(p) < 0)
			return error_set(e, ERR_OS, "%s is too large for a page", x->path);
	}
	json_base64(&p->details_json, (struct bytes){p->packed.data, (int32_t)p->packed.len});
	p->places[i] = p->placed++;
	return 0;
}

/* Those that did not pass come first: they need their diagrams most. */
static int add_all_details(struct page *p, struct error *e)
{
	int rc = 0;

	json_open(&p->details_json, '[');
	for (int good = 0; good < 2; good++)
		for (int32_t i = 0; i < p->results->count && !rc; i++)
			if ((p->results->list[i].verdict == VERDICT_PASS) == good)
				rc = add_details(p, i, e);
	json_close(&p->details_json, ']');
	return rc;
}

/* ---- the index ---- */

static void add_case(struct page *p, int32_t i)
{
	const struct result *x = &p->results->list[i];
	struct json *j = &p->index_json;

	json_open(j, '{');
	json_key_str(j, "client", x->client);
	json_key_str(j, "scenario", x->scenario);
	json_key_str(j, "case", x->in_case);
	json_key_text(j, "verdict", verdict_name(x->verdict));
	json_key_str(j, "reason", x->reason);
	json_key_str(j, "claim", x->claim);
	json_key_str(j, "deviates", x->deviates);
	json_key_int(j, "repetition", x->repetition);
	json_key_int(j, "details", p->places[i]);
	json_close(j, '}');
}

static void add_index(struct page *p)
{
	struct json *j = &p->index_json;
	char now[RFC3339_SIZE];

	clock_rfc3339(clock_now().wall_us, now);
	json_open(j, '{');
	json_key_text(j, "version", KTRIAL_VERSION);
	json_key_text(j, "made", now);
	json_key_int(j, "withoutDiagram", p->without);
	json_key(j, "cases");
	json_open(j, '[');
	for (int32_t i = 0; i < p->results->count; i++)
		add_case(p, i);
	json_close(j, ']');
	json_close(j, '}');
}

/* ---- the file ---- */

/* JSON inside a script element: the one character that could end the element can only stand in
 * strings, where it may be written so. */
static void put_json(FILE *out, const struct buf *json)
{
	for (size_t i = 0; i < json->len; i++)
		if (json->data[i] == '<')
			fputs("\\u003c", out);
		else
			putc(json->data[i], out);
}

/* The frame with {{NAME}} replaced. */
static void put_page(struct page *p, FILE *out)
{
	const char *at = page_html, *mark;

	for (; (mark = strstr(at, "{{")); at = strstr(mark, "}}") + 2) {
		fwrite(at, 1, (size_t)(mark - at), out);
		if (!strncmp(mark, "{{style", 7))
			fputs(page_css, out);
		else if (!strncmp(mark, "{{script", 8))
			fputs(page_js, out);
		else
			put_json(out, !strncmp(mark, "{{index", 7) ? &p->index : &p->details);
	}
	fputs(at, out);
}

static int write_page(struct page *p, const char *path, struct error *e)
{
	FILE *out;
	bool ok;

	if (p->index.bad || p->details.bad)
		return error_set(e, ERR_OS, "the page of %d cases is too large", p->results->count);
	out = fopen(path, "we");
	if (!out)
		return error_set(e, ERR_OS, "can't write %s: %s", path, strerror(errno));
	put_page(p, out);
	ok = !ferror(out);
	if (fclose(out) || !ok)
		return error_set(e, ERR_OS, "can't write %s: %s", path, strerror(errno));
	return 0;
}

int page_write(const char *path, const struct results *results, struct error *e)
{
	struct page p = {.results = results};
	struct buf *all[] = {&p.index, &p.details, &p.flow, &p.plain, &p.packed};
	int rc;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		buf_init(all[i], i < 2 ? PAGE_MAX : CASE_MAX);
	json_init(&p.index_json, &p.index);
	json_init(&p.details_json, &p.details);
	p.places = calloc((size_t)results->count + 1, sizeof(*p.places));
	if (!p.places)
		abort();
	rc = add_all_details(&p, e);
	if (!rc) {
		add_index(&p);
		rc = write_page(&p, path, e);
	}
	free(p.places);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		buf_release(all[i]);
	return rc;
}
