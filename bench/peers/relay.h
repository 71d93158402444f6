// SPDX-License-Identifier: GPL-2.0-only
// A relay of TCP connections: for each client one connection upstream.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "flow.h"
#include "net.h"

namespace libra::bench {

class Relay {
  public:
    Relay(const Endpoint& listen, const Endpoint& upstream, MakeFlow make_flow);
    void run();  // until SIGTERM

  private:
    struct Session {
        Fd sides[2];                 // the client, the upstream
        std::unique_ptr<Flow> flow;  // once the upstream is connected; it ends first
        bool queued = false;         // it is in again_ or soon_
    };

    void accept_all();
    void handle(std::size_t slot, unsigned side, std::uint32_t events);
    void begin(std::size_t slot);
    void move(std::size_t slot);
    void close(std::size_t slot);
    void move_queued(std::vector<std::size_t>& queue);

    Endpoint listen_;
    Endpoint upstream_;
    MakeFlow make_flow_;
    Fd listener_;
    Fd stop_;
    Epoll epoll_;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::vector<std::size_t> free_;
    std::vector<std::size_t> closed_;  // free after this batch of events
    std::vector<std::size_t> again_;
    std::vector<std::size_t> soon_;
};

}  // namespace libra::bench
