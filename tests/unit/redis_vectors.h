// SPDX-License-Identifier: GPL-2.0-only
//
// The table of conversations in RESP, of the example in bpf/examples/parser-redis.
#pragma once

#include "vectors.h"

std::vector<Vector> redis_vectors();
