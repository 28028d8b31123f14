/* The canonical text of a blob of records, the same that tests/oracle/Records.java writes with
 * Kafka's own classes: one line for each batch and each record, all fields. Two readers agree when
 * their texts are equal. */
#ifndef TESTS_RECORDS_DUMP_H
#define TESTS_RECORDS_DUMP_H

#include "base/buf.h"
#include "base/error.h"

/* Appends the text of data to out. A blob that can't be read ends with the line "error" and, if e
 * is given, tells e why. scratch takes expanded records. */
void records_dump(const void *data, size_t size, struct buf *scratch, struct buf *out,
		  struct error *e);

#endif
