/* The unit tests' small vocabulary over CUnit. A test is TEST(claim) { ... } in any tests/test_*.c:
 * it registers itself, in a suite named after its file. Checks print both values when they fail and
 * go on. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include "base/str.h"

#include <stddef.h>

void test_register(const char *file, const char *name, void (*run)(void));
void check_eq(const char *file, int line, const char *what, int64_t actual, int64_t expected);
void check_true(const char *file, int line, const char *what, bool actual);
void check_str(const char *file, int line, const char *what, struct str actual,
	       struct str expected);
void check_bytes(const char *file, int line, const char *what, const void *actual,
		 size_t actual_len, const void *expected, size_t expected_len);

#define TEST(name)                                                     \
	static void name(void);                                        \
	__attribute__((constructor)) static void register_##name(void) \
	{                                                              \
		test_register(__FILE__, #name, name);                  \
	}                                                              \
	static void name(void)

#define CHECK(cond) check_true(__FILE__, __LINE__, #cond, cond)
#define CHECK_EQ(actual, expected) \
	check_eq(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))
/* struct str on the left, C string on the right */
#define CHECK_STR(actual, expected) check_str(__FILE__, __LINE__, #actual, actual, str_of(expected))
#define CHECK_TEXT(actual, expected) \
	check_str(__FILE__, __LINE__, #actual, str_of(actual), str_of(expected))
#define CHECK_BYTES(actual, actual_len, expected, expected_len) \
	check_bytes(__FILE__, __LINE__, #actual, actual, actual_len, expected, expected_len)

/* A whole file of the project (path from its root; the tests run there), NUL-terminated, to be
 * freed; NULL and a failed check if absent. */
char *test_file(const char *path, size_t *ret_len);

/* Bytes of a text in hex; blanks are skipped. To be freed. */
uint8_t *test_hex(const char *hex, size_t *ret_len);

#endif
