/* What the group APIs and the offset APIs ask alike. */
#ifndef MOCK_GROUP_API_H
#define MOCK_GROUP_API_H

#include "mock/group.h"

/* NONE, UNKNOWN_MEMBER_ID (also without a group) or FENCED_INSTANCE_ID. */
int16_t group_check_member(const struct group *g, struct str member_id, struct str instance_id);

#endif
