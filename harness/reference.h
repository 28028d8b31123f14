/* The reference of the scenario language, made from the checker's own tables: docs/scenarios.md is
 * its output. */
#ifndef HARNESS_REFERENCE_H
#define HARNESS_REFERENCE_H

#include "base/buf.h"

/* Appends the whole reference as Markdown. */
void scenarios_reference(struct buf *out);

#endif
