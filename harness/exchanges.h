/* exchanges.jsonl: what `decode -o exchange` says of a run's evidence. */
#ifndef HARNESS_EXCHANGES_H
#define HARNESS_EXCHANGES_H

/* Reads the evidence and writes one JSON object a line. 0, or a negative code if either file can't
 * be. */
int exchanges_write(const char *evidence, const char *path);

#endif
