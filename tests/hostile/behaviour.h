// SPDX-License-Identifier: GPL-2.0-only
// How a forwarder can misbehave, and what Libra owes to it nevertheless.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/random.h"

namespace libra::test {

enum class Behaviour : unsigned {
    // Forwards every byte once, in order.
    kSplit,    // sends of a few bytes
    kCopy,     // memcpy through buffers of odd sizes
    kCut,      // memory cut inside each VPI
    kChunk,    // chunk framing interposed anywhere (http1)
    kFull,     // tiny socket buffers: resends after EAGAIN, in other sizes
    kMore,     // MSG_MORE now and then
    kDelay,    // pauses
    kRecycle,  // reads into memory with old VPIs in it
    kMix,      // bytes of its own between two reads' payload
    // Treats what one read brought as a unit, and not all units alike.
    kLeaveOut,  // some are not sent
    kSwap,      // two change places
    kTwice,     // some are sent twice
    kTwoSinks,  // each goes to one of two connections
    kVanish,    // a peer is gone in the middle
    // Touches the payload, or the memory behind a VPI.
    kOverwrite,  // bytes of a VPI
    kEdit,       // bytes behind a VPI
    kInsert,     // bytes of its own in the middle of one read's payload
    kBehead,     // the first bytes of a unit are not sent
    kCurtail,    // the last ones
    kCount
};

// What may be at the peer.
enum class Promise {
    kExact,         // what was sent, all of it
    kExactOrAbort,  // or a beginning of it, and an aborted connection that was counted
    kNoStale,       // or payload that the application would not have sent, at worst
};

class Behaviours {
  public:
    void add(Behaviour behaviour) { bits_ |= bit(behaviour); }
    bool has(Behaviour behaviour) const { return (bits_ & bit(behaviour)) != 0; }
    bool any_from(Behaviour first, Behaviour last) const;
    std::string names() const;

    // Whether it breaks the contract of an attachment: to forward payload unread
    // and unmodified.
    bool breaks_contract() const;
    // Whether parts of a VPI may be sent from places that do not adjoin.
    bool moves_parts() const;
    // `framed`: in chunks, so that lengths fit whatever is sent.
    Promise promise(bool http1, bool framed) const;

    static const std::vector<std::string>& all_names();
    static Behaviours parse(const std::string& names);  // comma-separated; throws Error
    // Some of those that keep the contract.
    static Behaviours some(Random& random);

  private:
    static std::uint32_t bit(Behaviour behaviour) {
        return std::uint32_t{1} << static_cast<unsigned>(behaviour);
    }
    std::uint32_t bits_ = 0;
};

}  // namespace libra::test
