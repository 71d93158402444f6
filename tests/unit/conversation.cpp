// SPDX-License-Identifier: GPL-2.0-only
#include "conversation.h"

#include "bpf/examples/parser-redis/redis.h"
#include "bpf/http1.h"
#include "bpf/raw.h"
#include "bpf/tls.h"

const HostParser kHttp1 = {
    [](HostCtx& ctx) { return http1_answer(&ctx); },
    [](HostCtx& ctx) { return static_cast<int>(http1_last_event(&ctx)); },
    [](int event) { return event == HTTP1_BODY || event == HTTP1_DATA || event == HTTP1_TLS; },
};

const HostParser kRaw = {
    [](HostCtx& ctx) { return raw_segment(&ctx); },
    [](HostCtx&) { return 0; },
    [](int) { return false; },
};

const HostParser kRedis = {
    [](HostCtx& ctx) { return redis_segment(&ctx); },
    [](HostCtx& ctx) {
        const auto event = redis_last_event(&ctx);
        return event == REDIS_PASS ? kReasonEvent + static_cast<int>(ctx.reason) : event;
    },
    [](int event) { return event == REDIS_BULK || event == REDIS_DATA; },
};

const HostParser kTls = {
    [](HostCtx& ctx) { return tls_segment(&ctx); },
    [](HostCtx& ctx) { return static_cast<int>(tls_last_event(&ctx)); },
    [](int event) { return event == TLS_RECORD || event == TLS_DATA; },
};

Conversation::Conversation(const HostParser& parser, libra_role role, std::uint32_t flags)
    : parser_(parser) {
    ctx_.role = role;
    ctx_.flags = flags;
}

void Conversation::feed(libra_dir dir, std::string_view bytes) {
    Stream& stream = streams_[dir];
    stream.bytes += bytes;
    while (!stream.ended && complaint_.empty() && stream.position < stream.bytes.size() &&
           stream.bytes.size() - stream.position >= stream.wanted)
        ask(dir, stream);
}

void Conversation::ask(libra_dir dir, Stream& stream) {
    // A copy of exactly these bytes, so that the address sanitizer sees what
    // reads behind them.
    const std::string view = stream.bytes.substr(stream.position);
    ctx_.dir = dir;
    ctx_.avail = static_cast<std::uint32_t>(view.size());
    ctx_.seg_len = 0;
    ctx_.reason = LIBRA_REASON_UNSAID;
    ctx_.bytes = view;
    const int verdict = parser_.segment(ctx_);
    const int event = parser_.event(ctx_);

    stream.wanted = 0;
    switch (verdict) {
        case LIBRA_META:
        case LIBRA_FRAMING:
        case LIBRA_PAYLOAD:
        case LIBRA_PAYLOAD_PART:
            if (ctx_.seg_len == 0 || ctx_.seg_len > INT64_MAX)
                complaint_ = "segment without a sane length";
            if (!parser_.reads_ahead(event) && ctx_.seg_len > view.size())
                complaint_ = "segment longer than what is at hand";
            stream.answers.push_back({verdict, event, stream.position, ctx_.seg_len});
            stream.position += ctx_.seg_len;
            return;
        case LIBRA_NEED_MORE:
            if (ctx_.seg_len <= view.size())
                complaint_ = "asked for bytes that were at hand";
            stream.wanted = ctx_.seg_len;
            return;
        case LIBRA_RESYNC:
            // As much as there is: however it is cut, it is one.
            if (stream.answers.empty() || stream.answers.back().verdict != LIBRA_RESYNC)
                stream.answers.push_back({verdict, event, stream.position, 0});
            stream.answers.back().length += view.size();
            stream.position += view.size();
            return;
        case LIBRA_PASS:
        case LIBRA_PASS_BOTH:
            if (ctx_.reason == LIBRA_REASON_UNSAID || ctx_.reason >= LIBRA_REASON_MAX)
                complaint_ = "passes, and does not say why";
            [[fallthrough]];
        case LIBRA_PAYLOAD_UNTIL_CLOSE:
            stream.answers.push_back({verdict, event, stream.position, 0});
            stream.ended = true;
            return;
        default:
            complaint_ = "verdict " + std::to_string(verdict);
    }
}
