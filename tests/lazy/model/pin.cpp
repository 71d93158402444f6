// SPDX-License-Identifier: GPL-2.0-only
#include "pin.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "frame.h"
#include "pattern.h"

namespace libra::test {

Pin::Pin(const Range& range, int patience)
    : range_(range),
      private_(!range.lot->is_payload(range.at, range.size)),
      patience_(patience),
      kept_(range.size, '\0'),
      frozen_(range.size) {
    int ends[2];
    require_call(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
    pipe_ = Fd(ends[0]);
    const Fd in(ends[1]);
    const iovec piece = {range.lot->at(range.at), range.size};
    require_equal(::vmsplice(in.get(), &piece, 1, 0), static_cast<ssize_t>(range.size), "vmsplice");
}

void Pin::detach(const Range& range) {
    if (range.lot != range_.lot)
        return;
    const std::size_t begin = std::max(range.at, range_.at);
    const std::size_t end = std::min(range.at + range.size, range_.at + range_.size);
    for (std::size_t at = begin; at < end; ++at) {
        const std::size_t i = at - range_.at;
        if (!frozen_[i])
            kept_[i] = *range_.lot->model(at);
        frozen_[i] = true;
    }
    if (std::ranges::all_of(frozen_, [](bool it) { return it; }))
        range_.lot = nullptr;
}

void Pin::release() {
    std::string got(range_.size, '\0');
    require_equal(::read(pipe_.get(), got.data(), got.size()), static_cast<ssize_t>(got.size()),
                  "read of a pipe with pinned pages");
    std::string expected = kept_;
    for (std::size_t i = 0; i < range_.size; ++i)
        if (!frozen_[i])
            expected[i] = *range_.lot->model(range_.at + i);
    if (private_)
        return;
    require_same(got, expected, "pinned pages");
}

}  // namespace libra::test
