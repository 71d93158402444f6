// SPDX-License-Identifier: GPL-2.0-only
// One exchange. The seed and its number say all about it, on both ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/blob.h"
#include "common/random.h"

namespace libra::soak {

using test::Blob;
using test::Random;

enum class Shape {
    kLength,
    kChunked,
    kUntilClose,
    kHead,
    kNoContent,
    kUploadLength,
    kUploadChunked,
};

constexpr std::size_t kLargest = 4 << 20;
constexpr std::string_view kThanks = "thanks";  // the answer to an upload

// What messages there are.
struct Mix {
    std::uint64_t seed = 1;
    bool lengths_only = false;    // downloads with a Content-Length
    std::size_t size = SIZE_MAX;  // of all bodies, unless this
    bool plain_chunks = false;    // no extensions, and no trailers
    bool no_sendfile = false;     // by the origin
};

struct Message {
    Message(const Mix& mix, std::uint64_t number);

    bool upload() const { return shape == Shape::kUploadLength || shape == Shape::kUploadChunked; }
    std::string_view body(const Blob& blob) const { return blob.slice(offset, size); }
    std::string name() const;  // for a report

    std::uint64_t number;
    Shape shape;
    std::size_t size;
    std::size_t offset;    // of the body in the blob
    bool origin_closes;    // after its answer
    bool sendfile;         // by the origin
    std::uint64_t chunks;  // seed of their sizes
};

// Bytes to send: framing of one's own, or a slice of the blob.
struct Part {
    std::string own;
    std::string_view slice;
    std::string_view bytes() const { return own.empty() ? slice : std::string_view(own); }
};

std::vector<Part> chunked(std::string_view body, std::uint64_t seed, const Mix& mix);

}  // namespace libra::soak
