// SPDX-License-Identifier: GPL-2.0-only
//
// The table of TLS conversations.
#pragma once

#include <string>

#include "bpf/tls_events.h"
#include "vectors.h"

// A record of TLS: @type, 3.@minor, and what it carries.
std::string tls_record_of(int type, int minor, const std::string& fragment);
// A ClientHello (type 1) or ServerHello (2) with @size bytes behind its header.
std::string tls_hello_of(int type, std::size_t size);

std::vector<Vector> tls_vectors();
