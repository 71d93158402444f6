// SPDX-License-Identifier: GPL-2.0-only
#include "storm_proxy.h"

#include <linux/tls.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <utility>

#include "common/error.h"
#include "common/socket.h"
#include "storm_worker.h"

namespace libra::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSlots = 48;
constexpr std::size_t kFront = 6;  // of the queue, which are taken in any order
constexpr int kWait = 20'000;      // milliseconds for what tells the magic

Fd accept_if_any(const Fd& listener, bool ktls) {
    Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return fd && ktls && !use_ktls(fd, TLS_TX) ? Fd() : std::move(fd);
}

}  // namespace

StormSlots::StormSlots(std::size_t count) : memory_(count * kSize, '\0') {
    for (std::size_t i = 0; i < count; ++i)
        free_.push_back(memory_.data() + i * kSize);
}

StormSlot StormSlots::take() {
    const std::lock_guard guard(lock_);
    if (free_.empty())
        return {};
    char* memory = free_.back();
    free_.pop_back();
    return {memory, [this](char* back) {
                const std::lock_guard guard(lock_);
                free_.push_back(back);
            }};
}

std::size_t StormJob::size() const {
    std::size_t all = 0;
    for (const StormRange& range : ranges)
        all += range.length;
    return all;
}

void StormJob::sent(std::size_t count) {
    while (count > 0 && count >= ranges.front().length) {
        count -= ranges.front().length;
        ranges.erase(ranges.begin());
    }
    if (count > 0) {
        ranges.front().at += count;
        ranges.front().length -= count;
    }
}

void StormQueue::put(StormJob job) {
    const std::lock_guard guard(lock_);
    jobs_.push_back(std::move(job));
}

void StormQueue::put_first(StormJob job) {
    const std::lock_guard guard(lock_);
    jobs_.push_front(std::move(job));
}

std::optional<StormJob> StormQueue::take(Random& random) {
    const std::lock_guard guard(lock_);
    if (jobs_.empty())
        return {};
    // Who is to meet somebody is waited for.
    const std::size_t which =
        jobs_.front().meeting ? 0 : random.below(std::min(kFront, jobs_.size()));
    const auto at = jobs_.begin() + static_cast<std::ptrdiff_t>(which);
    StormJob job = std::move(*at);
    jobs_.erase(at);
    return job;
}

void StormQueue::clear() {
    std::deque<StormJob> old;
    const std::lock_guard guard(lock_);
    old.swap(jobs_);
}

StormProxy::StormProxy(const StormOptions& options, StormShared& shared, const Fd& listener)
    : options_(options),
      shared_(shared),
      upstreams_(options.upstreams, [this] { return connect_upstream(); }),
      clients_(options.clients,
               [this, &listener] { return accept_if_any(listener, options_.ktls); }),
      slots_(kSlots),
      doing_(options.threads) {}

// None at the very end, when the origins are gone.
Fd StormProxy::connect_upstream() const {
    try {
        Fd fd = connect_to(options_.origin);
        return options_.ktls && !use_ktls(fd, TLS_RX) ? Fd() : std::move(fd);
    } catch (const Error&) {
        if (!shared_.over)
            throw;
        return {};
    }
}

void StormProxy::learn() const {
    const Fd upstream = connect_upstream();
    std::string memory(kLessonSize, '\0');
    std::size_t got = 0;
    while (got < memory.size()) {
        pollfd poll = {.fd = upstream.get(), .events = POLLIN, .revents = 0};
        if (::poll(&poll, 1, kWait) != 1)
            throw Error("the origin does not answer");
        const ssize_t count = ::recv(upstream.get(), memory.data() + got, memory.size() - got, 0);
        if (count <= 0)
            throw Error::from_errno("learning the magic");
        got += static_cast<std::size_t>(count);
    }
    const auto at = memory.find_first_not_of(kLesson);
    if (at == memory.npos || at + kVpiSize > memory.size())
        throw Error("nothing is anchored: attach ports " + std::to_string(options_.listen) +
                    " and " + std::to_string(options_.origin));
    std::copy_n(memory.data() + at, kMagicSize, shared_.magic.data());
}

void StormProxy::start() {
    for (unsigned i = 0; i < options_.threads; ++i)
        threads_.emplace_back([this, i] {
            try {
                Worker(*this, i).run();
            } catch (const std::exception& error) {
                std::cerr << std::string("libra-storm: a thread: ") + error.what() + "\n";
                ::_exit(2);
            }
            doing_[i] = kEnded;
        });
}

bool StormProxy::stop(double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    const auto ended = [this] {
        return std::all_of(doing_.begin(), doing_.end(),
                           [](const auto& at) { return at == kEnded; });
    };
    stop_ = true;
    // Again and again: a thread may be about to open another one.
    while (!ended()) {
        upstreams_.shut();
        clients_.shut();
        if (std::chrono::steady_clock::now() >= end)
            return false;
        std::this_thread::sleep_for(5ms);
    }
    threads_.clear();
    queue_.clear();
    upstreams_.shut();
    clients_.shut();
    return true;
}

std::string StormProxy::doing() const {
    static constexpr const char* names[] = {"nothing", "receive", "send", "meet",
                                            "disturb", "fork",    "ended"};
    std::string text;
    for (const auto& at : doing_)
        text += (text.empty() ? "" : ", ") + std::string(names[at.load()]);
    return text;
}

}  // namespace libra::test
