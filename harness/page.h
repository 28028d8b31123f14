/* A run as one page that needs no network: the matrix of clients and scenarios, and behind each
 * cell its case: verdict, checks, and a sequence diagram with the messages. */
#ifndef HARNESS_PAGE_H
#define HARNESS_PAGE_H

#include "harness/results.h"

#define PAGE_DETAILS_MAX ((size_t)12 << 20) /* bytes of the details of all cases, as they stand */

/*
 * Writes the page of these results. What a case's folder holds is shown: result.json, and its flow,
 * from flow.json or else made from evidence.pcapng; without either a case has no diagram. Where
 * the page would pass PAGE_DETAILS_MAX, cases that passed go without diagrams, and the page says
 * so. Returns 0; ERR_OS when the file can't be written; ERR_MALFORMED for a flow that can't be
 * read.
 */
int page_write(const char *path, const struct results *results, struct error *e);

#endif
