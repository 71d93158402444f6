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

// Line by line and byte by byte, straight from what <linux/libra.h> promises.
inline __u64 libra_skip_fields(libra_ctx* ctx, __u32 off, __u32 len, __u64 sizes, __u32 lines) {
    auto* host = static_cast<HostCtx*>(ctx);
    if (off > host->bytes.size())
        return off;
    std::string_view rest = host->bytes.substr(off, len);
    __u64 skipped = 0;
    for (; skipped < lines; skipped++) {
        const auto control =
            std::find_if(rest.begin(), rest.end(), [](char c) { return '\0' <= c && c < ' '; });
        const auto end = static_cast<std::size_t>(control - rest.begin());
        host->searched += end;
        const auto name = std::min(rest.find(':'), end);
        const bool visible = std::all_of(rest.begin(), rest.begin() + static_cast<long>(name),
                                         [](char c) { return '!' <= c && c <= '~'; });
        if (rest.substr(end, 2) != "\r\n" || name == end || name < 1 || name > 63 || !visible ||
            sizes >> name & 1)
            break;
        rest.remove_prefix(end + 2);
    }
    return skipped << 32 | static_cast<__u32>(rest.data() - host->bytes.data());
}

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
#define libra_repeat(n) for (int repeat_ = 0; repeat_ < (n); repeat_++)
#define libra_opaque(var) static_cast<void>(var)
