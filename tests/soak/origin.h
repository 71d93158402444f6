// SPDX-License-Identifier: GPL-2.0-only
// The origin: answers what the path asks for, and compares what is uploaded.
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include "connection.h"

namespace libra::soak {

class Origin : public Handler {
  public:
    // `segment`: payload bytes of each send, 0: as many as go.
    Origin(Loop& loop, std::uint16_t port, const Blob& blob, Report& report, std::size_t segment);
    void ready(std::uint32_t events) override;
    void reap();  // between two rounds of the loop

  private:
    class Connection : public Handler {
      public:
        Connection(Origin& origin, Fd fd);
        void ready(std::uint32_t events) override;
        bool gone() const { return !fd_; }

      private:
        enum class State { kHead, kBody, kChunkLine, kChunkData, kChunkEnd, kTrailer, kAnswer };

        bool read();
        bool understand();
        bool head(const std::string& text);
        bool line(const std::string& text);
        void body(std::string_view bytes);
        void answer();
        void write();
        void watch(std::uint32_t events);

        Origin& origin_;
        Fd fd_;
        std::uint32_t watched_ = EPOLLIN;
        State state_ = State::kHead;
        std::string input_;
        std::optional<Message> message_;
        bool old_ = false;          // HTTP/1.0
        std::size_t left_ = 0;      // of the body or the chunk
        std::size_t received_ = 0;  // of the body
        bool exact_ = true;
        bool close_ = false;
        Output output_;
    };

    Loop& loop_;
    Fd listener_;
    const Blob& blob_;
    Report& report_;
    std::size_t segment_;
    Fd file_;  // holds the blob
    std::list<Connection> connections_;
};

}  // namespace libra::soak
