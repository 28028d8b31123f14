/* Memory of the cluster's own state, which lives until it is freed. Out of memory of the machine
 * ends the program, so nobody checks. */
#ifndef MOCK_MEM_H
#define MOCK_MEM_H

#include "base/str.h"

#include <stddef.h>

/* Zeroed; to be freed with free. */
void *mem_new(size_t size);

/* An array that grows by doubling: room for at least need elements of size bytes each; new room is
 * zeroed. Returns the array, *cap is updated. */
void *mem_grow(void *array, size_t *cap, size_t need, size_t size);

/* A copy that is NUL-terminated; the null view gives NULL. */
char *mem_text(struct str s);
struct str mem_str(struct str s);
struct bytes mem_bytes(struct bytes b);

/* Frees what mem_str and mem_bytes made; null views are fine. */
void mem_str_free(struct str s);
void mem_bytes_free(struct bytes b);

#endif
