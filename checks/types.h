/* The checks by name, for the table in check.c; each is defined where its judgement stands. */
#ifndef CHECKS_TYPES_H
#define CHECKS_TYPES_H

#include "checks/check.h"

/* delivery.c */
extern const struct check_type check_no_loss, check_no_duplicates, check_order, check_u1, check_u2;
/* group.c */
extern const struct check_type check_one_owner;
/* consumer.c */
extern const struct check_type check_u3, check_u4;
/* wire.c */
extern const struct check_type check_u5, check_u6, check_u7, check_u8;

#endif
