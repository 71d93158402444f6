// SPDX-License-Identifier: GPL-2.0-only
#include "message.h"

#include <algorithm>
#include <charconv>

namespace libra::soak {
namespace {

// How often each shape comes, in this order.
constexpr struct {
    Shape shape;
    const char* name;
    unsigned weight;
} kShapes[] = {
    {Shape::kLength, "Content-Length", 8},
    {Shape::kChunked, "chunked", 5},
    {Shape::kUntilClose, "until close", 2},
    {Shape::kHead, "HEAD", 1},
    {Shape::kNoContent, "204", 1},
    {Shape::kUploadLength, "upload", 2},
    {Shape::kUploadChunked, "chunked upload", 1},
};

Shape pick(Random& random) {
    unsigned sum = 0;
    for (const auto& each : kShapes)
        sum += each.weight;
    auto at = random.below(sum);
    for (const auto& each : kShapes) {
        if (at < each.weight)
            return each.shape;
        at -= each.weight;
    }
    return Shape::kLength;
}

std::string hex(std::size_t size) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof(digits), size, 16).ptr;
    return std::string(digits, end);
}

}  // namespace

Message::Message(const Mix& mix, std::uint64_t n) : number(n) {
    Random random(mix.seed ^ (n * 0xd1342543de82ef95));
    shape = pick(random);
    size = random.one_in(16) ? 0 : random.log_between(1, kLargest);
    offset = random.below(kLargest);
    origin_closes = random.one_in(10);
    sendfile = random.one_in(2);
    chunks = random.next();
    if (mix.no_sendfile)
        sendfile = false;
    if (mix.lengths_only)
        shape = Shape::kLength;
    if (mix.size != SIZE_MAX)
        size = std::min(mix.size, kLargest);
}

std::string Message::name() const {
    for (const auto& each : kShapes)
        if (each.shape == shape)
            return "message " + std::to_string(number) + " (" + each.name + ", " +
                   std::to_string(size) + " bytes)";
    return "message " + std::to_string(number);
}

std::vector<Part> chunked(std::string_view body, std::uint64_t seed, const Mix& mix) {
    Random random(seed);
    const auto extra = [&] { return random.one_in(8) && !mix.plain_chunks; };
    std::vector<Part> parts;
    std::string before;
    while (!body.empty()) {
        const std::size_t size = std::min<std::size_t>(random.log_between(1, 1 << 20), body.size());
        before += hex(size) + (extra() ? ";seed=\"1\"" : "") + "\r\n";
        parts.push_back({before, {}});
        parts.push_back({"", body.substr(0, size)});
        body.remove_prefix(size);
        before = "\r\n";
    }
    before += extra() ? "0\r\nTrailer: yes\r\n\r\n" : "0\r\n\r\n";
    parts.push_back({before, {}});
    return parts;
}

}  // namespace libra::soak
