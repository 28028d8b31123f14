/* Kafka releases as their brokers show themselves: which APIs in which versions, which features.
 * Seen on running brokers of each release: ZooKeeper mode up to 3.9, KRaft from 4.0. */
#ifndef MOCK_PROFILE_H
#define MOCK_PROFILE_H

#include "base/error.h"
#include "base/str.h"

struct version_range {
	int16_t min, max; /* min > max: not spoken */
};

struct profile_feature {
	const char *name;
	int16_t min, max, finalized; /* finalized 0: not */
};

#define PROFILE_FEATURES_MAX 8

struct profile {
	const char *release; /* "2.3" */
	int32_t age;	     /* 0 is the oldest; counts up with the releases */
	bool zookeeper;	     /* one broker is the controller, and only it makes topics */
	bool bare_fallback;  /* an ApiVersions version that it does not know gets no entry at all */
	int64_t features_epoch;				       /* -1: not told */
	struct profile_feature features[PROFILE_FEATURES_MAX]; /* name NULL ends them */
};

/* "kafka-2.3", "2.3", or with a patch number ("kafka-2.3.1"); NULL with *e (ERR_USAGE) naming the
 * nearest. */
const struct profile *profile_find(struct str name, struct error *e);

/* The newest release: whose features a cluster has that is like none in particular. */
const struct profile *profile_newest(void);

/* The i-th release, the oldest is 0; NULL behind the newest. */
const struct profile *profile_at(int32_t i);

/* What brokers of the release advertise of an API. */
struct version_range profile_versions(const struct profile *p, int api_key);

/* True for a release from this one on: profile_since(p, "3.0"). p NULL is the newest. */
bool profile_since(const struct profile *p, const char *release);

#endif
