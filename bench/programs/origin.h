// SPDX-License-Identifier: GPL-2.0-only
// The origin: bodies out of memory, uploads into nowhere.
//
// Bodies are copied into the socket, as whatever comes over a wire is in memory that
// nobody else has. The pages that sendfile(), vmsplice() and MSG_ZEROCOPY would hand to
// the proxy on the same machine may be written by others later, and who keeps payload
// in the kernel for longer (lazy mode) must copy them first.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/body_check.h"
#include "message.h"
#include "net.h"
#include "pattern.h"

namespace libra::bench {

// A part of the pattern.
struct Asked {
    std::uint64_t size = 0;
    std::size_t begin = 0;
};

class Origin {
  public:
    Origin(const Endpoint& endpoint, std::size_t chunk);
    void run();  // until SIGTERM

  private:
    // A part of an answer: text of its own, or bytes that last as long as the origin.
    struct Piece {
        std::string text;
        std::string_view body = {};
        std::size_t sent = 0;
        std::string_view left() const {
            return (body.empty() ? std::string_view(text) : body).substr(sent);
        }
    };

    struct Connection {
        Fd fd;
        MessageReader reader{Kind::kRequest};
        std::optional<test::BodyCheck> check;
        std::deque<Piece> out;
        bool last = false;  // close after this answer
        bool writing = false;
    };

    void accept_all();
    bool serve(Connection& connection);  // false: close it
    void choose_check(Connection& connection);
    void answer(Connection& connection);
    void answer_text(Connection& connection, const std::string& status, const std::string& body);
    void answer_bytes(Connection& connection, const Asked& asked);
    void answer_chunked(Connection& connection, const Asked& asked);
    std::string fields(const Connection& connection) const;
    enum class Sent { kAll, kBlocked, kFailed };
    Sent flush(Connection& connection);
    void watch(Connection& connection, bool writing);

    std::size_t chunk_;
    Endpoint endpoint_;
    Fd listener_;
    Fd stop_;
    test::Blob pattern_;
    std::string framed_;  // body 0 in whole chunks
    std::uint64_t framed_chunk_;
    Epoll epoll_;
    std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
};

}  // namespace libra::bench
