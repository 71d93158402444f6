// SPDX-License-Identifier: GPL-2.0-only
// What the hostile proxy does with payload in its memory, between recv() and send().
#pragma once

#include <array>
#include <deque>
#include <string>

#include "behaviour.h"
#include "piece.h"

namespace libra::test {

constexpr std::size_t kSinks = 2;

class Forwarder {
  public:
    // `framed`: payload leaves in chunks.
    Forwarder(Behaviours behaviours, bool framed, Random& random, std::string magic);

    void own(const std::string& bytes);  // to all sinks
    void payload(Piece piece);           // what one read put into one buffer
    void end_message();

    // What is to be sent next on each connection.
    std::deque<Piece>& out(std::size_t sink) { return out_[sink]; }

  private:
    void recut(const Piece& piece);
    void tamper(Piece piece);
    void arrange(const Piece& piece);
    void emit(const Piece& piece);
    void chunk(std::deque<Piece>& out, const Piece& piece);
    std::string own_bytes();

    Behaviours behaviours_;
    bool framed_;
    Random& random_;
    std::string magic_;
    Piece staged_;
    std::size_t staged_goal_ = 1;
    Piece held_;
    std::array<std::deque<Piece>, kSinks> out_;
};

}  // namespace libra::test
