// SPDX-License-Identifier: GPL-2.0-only
//
// What a parser's state machine needs, for the host: the accessors of
// bpf/libra_bpf.h over a plain buffer. Include before a parser header.
#pragma once

#include <linux/libra.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

// The context as the test's "kernel" holds it: the bytes lie behind it, out of
// the parser's direct reach.
struct HostCtx : libra_ctx {
    std::string_view bytes;
    std::uint64_t searched = 0;  // bytes that libra_find() went over
};

inline int libra_load(libra_ctx* ctx, __u32 off, void* dst, __u32 size) {
    const std::string_view bytes = static_cast<HostCtx*>(ctx)->bytes;
    if (off > bytes.size() || size > bytes.size() - off)
        return -ERANGE;
    std::memcpy(dst, bytes.data() + off, size);
    return 0;
}

inline int libra_find(libra_ctx* ctx, __u32 off, __u32 len, const void* delim, __u32 size) {
    auto* host = static_cast<HostCtx*>(ctx);
    if (size < 1 || size > 16)
        return -EINVAL;
    if (off > host->bytes.size())
        return -ENOENT;
    const std::string_view range = host->bytes.substr(off, len);
    const auto at = range.find({static_cast<const char*>(delim), size});
    host->searched += at == std::string_view::npos ? range.size() : at + 1;
    return at == std::string_view::npos ? -ENOENT : static_cast<int>(off + at);
}

inline int libra_find_below(libra_ctx* ctx, __u32 off, __u32 len, __u32 limit) {
    auto* host = static_cast<HostCtx*>(ctx);
    if (limit < 1 || limit > 128)
        return -EINVAL;
    if (off > host->bytes.size())
        return -ENOENT;
    const std::string_view range = host->bytes.substr(off, len);
    const auto at = std::find_if(range.begin(), range.end(),
                                 [limit](char c) { return static_cast<unsigned char>(c) < limit; });
    host->searched += static_cast<std::uint64_t>(at - range.begin()) + (at != range.end());
    return at == range.end() ? -ENOENT : static_cast<int>(off + (at - range.begin()));
}

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
#define libra_repeat(n) for (int repeat_ = 0; repeat_ < (n); repeat_++)
#define libra_opaque(var) static_cast<void>(var)
