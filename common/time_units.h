/* How long a second is. Constants only: what computes with times that others read has no business with a clock. */
#pragma once

#include <stdint.h>

#define NANOSECONDS_PER_SECOND       UINT64_C(1000000000)
#define MICROSECONDS_PER_SECOND      UINT64_C(1000000)
#define MICROSECONDS_PER_MILLISECOND UINT64_C(1000)
