// SPDX-License-Identifier: GPL-2.0-only
#include "storm_worker.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <string_view>
#include <utility>

#include "common/error.h"
#include "common/socket.h"
#include "storm_check.h"

namespace libra::test {
namespace {

using namespace std::chrono_literals;

// How often: once in so many times.
constexpr std::uint64_t kTwice = 60;
constexpr std::uint64_t kDisturb = 40;
constexpr std::uint64_t kCopyFor = 20;  // rounds, about
constexpr auto kPatience = 5ms;         // with whoever is to send the same at once

bool would_block(int error) {
    return error == EAGAIN || error == EINTR;
}

// Below 0x80, so it is seen where it arrives.
void fill(const iovec& part) {
    auto* memory = static_cast<char*>(part.iov_base);
    for (std::size_t at = 0; at < part.iov_len; at += kStale.size())
        kStale.copy(memory + at, part.iov_len - at);
}

}  // namespace

StormProxy::Worker::Worker(StormProxy& proxy, unsigned number)
    : proxy_(proxy),
      tally_(proxy.tally_),
      doing_(proxy.doing_[number]),
      random_(proxy.options_.seed * 1000 + number) {}

StormProxy::Worker::~Worker() {
    reap(true);
}

void StormProxy::Worker::run() {
    while (!proxy_.stop_) {
        const bool worked = random_.below(5) < 2 ? receive() : deliver();
        if (worked && random_.one_in(kDisturb))
            disturb();
        // Also when there is nothing to do: a copy keeps a client from coming again.
        if (random_.one_in(kCopyFor))
            copy_.reset();
        doing_ = kNothing;
        reap(false);
    }
}

// What was only looked at has to be as the origin sent it, whoever else reads.
bool StormProxy::Worker::peek(const StormLink& upstream, char* memory, std::size_t size) {
    const ssize_t count = ::recv(upstream->fd(), memory, size, MSG_PEEK | MSG_DONTWAIT);
    if (count <= 0)
        return count < 0 && would_block(errno);
    ++tally_.peeks;
    const std::string_view seen(memory, static_cast<std::size_t>(count));
    if (find_low(seen) != seen.npos && tally_.false_peeks++ == 0)
        std::cerr << "a wrong byte was peeked\n";
    return true;
}

ssize_t StormProxy::Worker::receive_into(const StormLink& upstream, std::vector<iovec>& parts) {
    static constexpr int kWays[] = {0, 0, MSG_WAITALL, MSG_DONTWAIT};
    const int flags = kWays[random_.below(std::size(kWays))];
    for (const iovec& part : parts)
        fill(part);
    if (random_.one_in(8) &&
        !peek(upstream, static_cast<char*>(parts[0].iov_base), parts[0].iov_len))
        return 0;
    ++tally_.receives;
    if (parts.size() == 1 && random_.one_in(2))
        return ::recv(upstream->fd(), parts[0].iov_base, parts[0].iov_len, flags);
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    return ::recvmsg(upstream->fd(), &message, flags);
}

bool StormProxy::Worker::receive() {
    const StormSlot slot = proxy_.slots_.take();
    if (!slot) {
        return deliver();
    }
    doing_ = kReceive;
    const StormLink upstream = proxy_.upstreams_.any(random_);
    if (!upstream)
        return false;
    std::vector<iovec> parts(random_.one_in(4) ? 2 : 1);
    const std::size_t most = StormSlots::kSize / parts.size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t length = random_.log_between(random_.one_in(4) ? 1 : 4096, most);
        parts[i] = {slot.get() + i * most + random_.below(most - length + 1), length};
    }
    const ssize_t got = receive_into(upstream, parts);
    if (got < 0 && would_block(errno))
        return false;
    if (got <= 0) {
        proxy_.upstreams_.drop(upstream);
        return true;
    }
    StormJob job;
    auto left = static_cast<std::size_t>(got);
    for (const iovec& part : parts) {
        const std::size_t length = std::min(part.iov_len, left);
        if (length == 0)
            break;
        left -= length;
        ++tally_.ranges;
        const auto at = static_cast<std::size_t>(static_cast<char*>(part.iov_base) - slot.get());
        job.ranges.push_back({slot, at, length});
        if (random_.one_in(2))
            proxy_.queue_.put(std::exchange(job, {}));
    }
    if (!job.ranges.empty())
        proxy_.queue_.put(std::move(job));
    return true;
}

bool StormProxy::Worker::deliver() {
    auto job = proxy_.queue_.take(random_);
    if (!job) {
        std::this_thread::yield();
        return false;
    }
    doing_ = kSend;
    const bool rest = job->rest_of != nullptr;
    const StormLink client = rest ? job->rest_of : proxy_.clients_.any(random_);
    const auto turn = client ? client->begin(rest) : std::nullopt;
    if (!turn) {
        proxy_.queue_.put(std::move(*job));
        std::this_thread::yield();
        return false;
    }
    if (rest) {
        ++tally_.rests;
    } else if (job->meeting) {
        meet(*job->meeting);
    } else if (random_.one_in(8)) {
        // With another one, in one call.
        auto more = proxy_.queue_.take(random_);
        if (more && (more->rest_of || more->meeting))
            proxy_.queue_.put_first(std::move(*more));
        else if (more)
            std::move(more->ranges.begin(), more->ranges.end(), std::back_inserter(job->ranges));
    } else if (random_.one_in(kTwice)) {
        send_twice(*job);
    }
    send(std::move(*job), client, *turn);
    return true;
}

void StormProxy::Worker::send_twice(StormJob& job) {
    ++tally_.twice;
    job.meeting = std::make_shared<std::atomic<int>>(0);
    proxy_.queue_.put_first(job);
    meet(*job.meeting);
}

void StormProxy::Worker::meet(std::atomic<int>& meeting) {
    doing_ = kMeet;
    const auto end = std::chrono::steady_clock::now() + kPatience;
    ++meeting;
    while (meeting < 2 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    doing_ = kSend;
}

void StormProxy::Worker::send(StormJob job, const StormLink& client,
                              const StormConnection::Turn& turn) {
    const std::size_t size = job.size();
    std::vector<iovec> parts;
    for (const StormRange& range : job.ranges)
        parts.push_back({range.slot.get() + range.at, range.length});
    int flags = MSG_NOSIGNAL;
    if (random_.one_in(6))
        flags |= MSG_MORE;
    if (random_.one_in(3))
        flags |= MSG_DONTWAIT;

    ++tally_.sends;
    tally_.together += !turn.alone;
    ssize_t sent = 0;
    if (parts.size() == 1 && random_.one_in(2)) {
        sent = ::send(client->fd(), parts[0].iov_base, size, flags);
    } else {
        msghdr message = {};
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
        sent = ::sendmsg(client->fd(), &message, flags);
    }
    const int error = sent < 0 ? errno : 0;
    if (sent < 0 && !would_block(error)) {
        ++tally_.failed;
        client->end(turn, false);
        proxy_.clients_.drop(client);
        return;
    }
    const auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    const bool begun = done > 0 || job.rest_of;
    const bool may_go_on = client->end(turn, begun && done < size);
    if (done == size)
        return;
    job.meeting.reset();
    if (!begun || may_go_on) {
        job.sent(done);
        if (begun)
            job.rest_of = client;
        proxy_.queue_.put(std::move(job));
        return;
    }
    // Others may have sent something in its place, and it is nothing by itself.
    ++tally_.left_out;
    if (random_.one_in(2)) {
        ::shutdown(client->fd(), SHUT_RDWR);
        proxy_.clients_.drop(client);
    }
}

// While others are in calls on it.
void StormProxy::Worker::disturb() {
    doing_ = kDisturb;
    const bool upstream = random_.one_in(2);
    StormPool& pool = upstream ? proxy_.upstreams_ : proxy_.clients_;
    const StormLink link = pool.any(random_);
    if (!link)
        return;
    switch (random_.below(8)) {
        case 0: {
            static constexpr int kHow[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
            ++tally_.shut;
            ::shutdown(link->fd(), kHow[random_.below(std::size(kHow))]);
            break;
        }
        case 1:
            ++tally_.dropped;
            break;
        case 2:
            ++(upstream ? tally_.aborted : tally_.client_aborts);
            reset_on_close(link->get());
            break;
        case 3:
        case 4:
            use_copy(link);
            return;
        case 5:
        case 6:
            fork();
            return;
        default:
            set_buffers(link->get(), static_cast<int>(random_.log_between(4096, 1 << 18)), 0);
            return;
    }
    pool.drop(link);
}

// A number of its own for the same socket.
void StormProxy::Worker::use_copy(const StormLink& link) {
    copy_ = Fd(::dup(link->fd()));
    if (!copy_)
        throw Error::from_errno("dup");
    ++tally_.dups;
}

void StormProxy::Worker::fork() {
    doing_ = kFork;
    const auto moment = static_cast<useconds_t>(random_.log_between(10, 20'000));
    const pid_t pid = ::fork();
    if (pid < 0)
        throw Error::from_errno("fork");
    if (pid == 0) {
        ::usleep(moment);
        ::_exit(0);
    }
    ++tally_.forks;
    children_.push_back(pid);
}

void StormProxy::Worker::reap(bool wait) {
    std::erase_if(children_,
                  [wait](pid_t pid) { return ::waitpid(pid, nullptr, wait ? 0 : WNOHANG) == pid; });
}

}  // namespace libra::test
