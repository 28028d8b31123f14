/* Runs every registered test under CUnit. `unit-tests [SUITE [TEST]]` runs a part. Exit 1 if
 * anything failed or nothing ran. */
#include "tests/test.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define TESTS_MAX 4096

static struct {
	const char *file, *name;
	void (*run)(void);
} tests[TESTS_MAX];
static size_t tests_count;

void test_register(const char *file, const char *name, void (*run)(void))
{
	if (tests_count == TESTS_MAX)
		abort();
	tests[tests_count].file = file;
	tests[tests_count].name = name;
	tests[tests_count++].run = run;
}

static void report(const char *file, int line, bool ok, const char *text)
{
	CU_assertImplementation(ok, (unsigned)line, text, file, "", CU_FALSE);
}

void check_true(const char *file, int line, const char *what, bool actual)
{
	report(file, line, actual, what);
}

void check_eq(const char *file, int line, const char *what, int64_t actual, int64_t expected)
{
	char text[400];

	snprintf(text, sizeof(text), "%s is %lld, not %lld", what, (long long)actual,
		 (long long)expected);
	report(file, line, actual == expected, text);
}

void check_str(const char *file, int line, const char *what, struct str actual, struct str expected)
{
	char text[4000];

	snprintf(text, sizeof(text), "%s is\n  '" STR_FMT "', not\n  '" STR_FMT "'", what,
		 STR_ARG(actual), STR_ARG(expected));
	report(file, line, str_eq(actual, expected), text);
}

static void hex(char *to, size_t size, const uint8_t *data, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at + 3 < size; i++, at += 2)
		snprintf(to + at, size - at, "%02x", data[i]);
	to[at] = '\0';
}

void check_bytes(const char *file, int line, const char *what, const void *actual,
		 size_t actual_len, const void *expected, size_t expected_len)
{
	char a[600], b[600], text[1400];
	bool ok = actual_len == expected_len &&
		  (!actual_len || memcmp(actual, expected, actual_len) == 0);

	if (ok) {
		report(file, line, true, what);
		return;
	}
	hex(a, sizeof(a), actual, actual_len);
	hex(b, sizeof(b), expected, expected_len);
	snprintf(text, sizeof(text), "%s is (%zu bytes)\n  %s, not (%zu bytes)\n  %s", what,
		 actual_len, a, expected_len, b);
	report(file, line, false, text);
}

char *test_file(const char *path, size_t *ret_len)
{
	FILE *in = fopen(path, "rb");
	char *data = NULL;
	size_t len = 0, n;

	CHECK(in != NULL);
	if (!in) {
		fprintf(stderr, "can't open %s\n", path);
		return NULL;
	}
	do {
		data = realloc(data, len + 65537);
		if (!data)
			abort();
		n = fread(data + len, 1, 65536, in);
		len += n;
	} while (n);
	fclose(in);
	data[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return data;
}

uint8_t *test_hex(const char *text, size_t *ret_len)
{
	uint8_t *data = malloc(strlen(text) / 2 + 1);
	size_t n = 0;
	int used;

	if (!data)
		abort();
	for (; sscanf(text, " %2hhx%n", &data[n], &used) == 1; text += used)
		n++;
	*ret_len = n;
	return data;
}

static CU_pSuite suite_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char name[100];
	CU_pSuite suite;

	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : file);
	name[strcspn(name, ".")] = '\0';
	suite = CU_get_suite(name);
	return suite ? suite : CU_add_suite(name, NULL, NULL);
}

static bool wanted(int argc, char **argv, CU_pSuite suite, const char *name)
{
	return (argc < 2 || !strcmp(argv[1], suite->pName)) && (argc < 3 || !strcmp(argv[2], name));
}

int main(int argc, char **argv)
{
	unsigned failures, ran;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	for (size_t i = 0; i < tests_count; i++) {
		CU_pSuite suite = suite_of(tests[i].file);

		if (wanted(argc, argv, suite, tests[i].name))
			CU_add_test(suite, tests[i].name, tests[i].run);
	}
	CU_basic_set_mode(argc > 1 ? CU_BRM_VERBOSE : CU_BRM_NORMAL);
	CU_basic_run_tests();
	failures = CU_get_number_of_tests_failed();
	ran = CU_get_number_of_tests_run();
	CU_cleanup_registry();
	return failures || !ran ? 1 : 0;
}
