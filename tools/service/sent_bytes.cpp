// SPDX-License-Identifier: GPL-2.0-only
#include "sent_bytes.h"

#include <algorithm>

namespace libra::service {
namespace {

constexpr unsigned kAllBits = 128;

}  // namespace

bool SentBytes::accepted(const DiagSocket& socket) const {
    return std::any_of(listeners_.begin(), listeners_.end(), [&](const Endpoint& listener) {
        return listener.port == socket.local.port &&
               (listener.prefix != kAllBits || listener.address == socket.local.address);
    });
}

void SentBytes::look(std::span<const DiagSocket> ended, std::span<const DiagSocket> open,
                     const std::set<std::uint64_t>& inodes) {
    for (const DiagSocket& each : open) {
        if (each.listens && inodes.contains(each.inode) &&
            std::find(listeners_.begin(), listeners_.end(), each.local) == listeners_.end())
            listeners_.push_back(each.local);
    }
    for (const DiagSocket& each : ended) {
        const auto found = known_.find(each.cookie);
        if (found != known_.end()) {
            total_ += each.sent - std::min(found->second, each.sent);
            known_.erase(found);
        } else if (begun_ && !each.listens && accepted(each)) {
            total_ += each.sent;
        }
    }
    for (const DiagSocket& each : open) {
        const auto found = known_.find(each.cookie);
        // One that is closed, and has not sent all yet, belongs to no process any more.
        if (each.listens ||
            (found == known_.end() && !inodes.contains(each.inode) && !accepted(each)))
            continue;
        const std::uint64_t before = found == known_.end() ? 0 : found->second;
        if (begun_)
            total_ += each.sent - std::min(before, each.sent);
        known_[each.cookie] = each.sent;
    }
    begun_ = true;
}

}  // namespace libra::service
