// SPDX-License-Identifier: GPL-2.0-only
// The origin: bodies out of a memory file, uploads into nowhere.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/body_check.h"
#include "message.h"
#include "net.h"
#include "pattern.h"

namespace libra::bench {

class Origin {
  public:
    Origin(const Endpoint& endpoint, std::size_t chunk);
    void run();  // until SIGTERM

  private:
    // A part of an answer: text, or a range of a file.
    struct Piece {
        std::string text;
        const Fd* file = nullptr;
        std::uint64_t at = 0;
        std::uint64_t end = 0;
    };

    struct Connection {
        Fd fd;
        MessageReader reader{Kind::kRequest};
        std::optional<load::BodyCheck> check;
        std::deque<Piece> out;
        bool last = false;  // close after this answer
        bool writing = false;
    };

    void accept_all();
    bool serve(Connection& connection);  // false: close it
    void choose_check(Connection& connection);
    void answer(Connection& connection);
    void answer_text(Connection& connection, const std::string& status, const std::string& body);
    void answer_bytes(Connection& connection, std::uint64_t size);
    void answer_chunked(Connection& connection, std::uint64_t size);
    std::string fields(const Connection& connection) const;
    enum class Sent { kAll, kBlocked, kFailed };
    Sent flush(Connection& connection);
    void watch(Connection& connection, bool writing);

    std::size_t chunk_;
    Endpoint endpoint_;
    Fd listener_;
    Fd stop_;
    test::Blob pattern_;
    Fd plain_;   // the pattern
    Fd framed_;  // the same in whole chunks
    std::uint64_t framed_chunk_ = 0;
    Epoll epoll_;
    std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
};

}  // namespace libra::bench
