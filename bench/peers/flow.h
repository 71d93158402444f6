// SPDX-License-Identifier: GPL-2.0-only
// How the bytes of one relayed connection get from side to side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "net.h"

namespace libra::bench {

enum class Progress {
    kWait,   // until there is an event
    kAgain,  // it had its turn and could go on
    kSoon,   // look again in a moment: no event will tell
    kDone,   // close both sides
};

class Flow {
  public:
    Flow() = default;
    Flow(const Flow&) = delete;
    Flow& operator=(const Flow&) = delete;
    virtual ~Flow() = default;

    virtual std::uint32_t events() const = 0;  // to watch on both sides
    virtual void event(unsigned side, std::uint32_t events) = 0;
    virtual Progress move() = 0;
};

// Both sides are connected and outlive the flow.
using MakeFlow = std::function<std::unique_ptr<Flow>(const Fd& client, const Fd& upstream)>;

MakeFlow copy_flows(std::size_t buffer);
MakeFlow splice_flows(int pipe);
MakeFlow sockmap_flows();  // throws Error if BPF is not to be had

}  // namespace libra::bench
