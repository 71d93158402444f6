// SPDX-License-Identifier: GPL-2.0-only
//
// The table of HTTP/1 conversations.
#pragma once

#include "bpf/http1_events.h"
#include "vectors.h"

std::vector<Vector> http1_shape_vectors();   // messages and how they pair
std::vector<Vector> http1_chunk_vectors();   // chunked bodies
std::vector<Vector> http1_header_vectors();  // headers that only some parsers take
std::vector<Vector> http1_vectors();         // all of them
