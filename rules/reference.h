/* The reference of the grammar, made from the parser's own tables: docs/rules.md is its output. */
#ifndef RULES_REFERENCE_H
#define RULES_REFERENCE_H

#include "base/buf.h"

/* Appends the whole reference as Markdown. */
void rules_reference(struct buf *out);

#endif
