/* Finalized features of the cluster (KIP-584): which ways it has agreed on. Clients read them from
 * ApiVersions, administrators change them with UpdateFeatures. */
#ifndef MOCK_FEATURES_H
#define MOCK_FEATURES_H

#include "mock/profile.h"

struct cluster;

struct features {
	int16_t levels[PROFILE_FEATURES_MAX]; /* of the profile's features; 0: not finalized */
	int64_t epoch;			      /* of the last change; -1: not told */
};

/* As a cluster of the configured release is after its format. */
void features_init(struct cluster *c);

/* The features that the cluster's release has, PROFILE_FEATURES_MAX or ended by a NULL name. */
const struct profile_feature *features_list(const struct cluster *c);

/* The level of a feature; 0 if it is not finalized or not known. */
int16_t feature_level(const struct cluster *c, const char *name);

#endif
