// SPDX-License-Identifier: GPL-2.0-only
// Flows that the relay moves itself, through a buffer or through a pipe.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "flow.h"

namespace libra::bench {
namespace {

constexpr int kRounds = 16;  // before the others get their turn

class Buffer {
  public:
    explicit Buffer(std::size_t size) : bytes_(size) {}

    bool empty() const { return begin_ == end_; }

    ssize_t fill(int from) {
        const ssize_t count = ::recv(from, bytes_.data(), bytes_.size(), 0);
        begin_ = 0;
        end_ = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        return count;
    }

    ssize_t drain(int to) {
        const ssize_t count = ::send(to, bytes_.data() + begin_, end_ - begin_, MSG_NOSIGNAL);
        begin_ += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        return count;
    }

  private:
    std::vector<char> bytes_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

struct Ends {
    Fd out;
    Fd in;
};

Ends make_pipe(int size) {
    std::array<int, 2> fds = {};
    if (::pipe2(fds.data(), O_NONBLOCK | O_CLOEXEC) != 0)
        throw Error::from_errno("pipe2");
    Ends ends{Fd(fds[0]), Fd(fds[1])};
    if (::fcntl(ends.in.get(), F_SETPIPE_SZ, size) < 0)
        throw Error::from_errno("a pipe of " + std::to_string(size) +
                                " bytes is not to be had: run as root or take a smaller --pipe");
    return ends;
}

// Sizing a pipe costs more than moving a short message: they are kept.
class PipePool {
  public:
    explicit PipePool(int size) : size_(size) {}

    int size() const { return size_; }
    Ends take() {
        if (kept_.empty())
            return make_pipe(size_);
        Ends ends = std::move(kept_.back());
        kept_.pop_back();
        return ends;
    }
    void give(Ends ends) { kept_.push_back(std::move(ends)); }

  private:
    int size_;
    std::vector<Ends> kept_;
};

class Pipe {
  public:
    explicit Pipe(const std::shared_ptr<PipePool>& pool) : pool_(pool), ends_(pool->take()) {}
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        if (empty())
            pool_->give(std::move(ends_));
    }

    bool empty() const { return held_ == 0; }

    ssize_t fill(int from) {
        const ssize_t count =
            ::splice(from, nullptr, ends_.in.get(), nullptr,
                     static_cast<std::size_t>(pool_->size()), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        held_ = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        return count;
    }

    ssize_t drain(int to) {
        const ssize_t count = ::splice(ends_.out.get(), nullptr, to, nullptr, held_,
                                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        held_ -= static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        return count;
    }

  private:
    std::shared_ptr<PipePool> pool_;
    Ends ends_;
    std::size_t held_ = 0;
};

// One direction. `Store` keeps what was received and could not be sent yet.
template <typename Store>
class Pump {
  public:
    template <typename Source>
    Pump(const Fd& from, const Fd& to, const Source& source)
        : from_(from.get()), to_(to.get()), store_(source) {}

    bool ended() const { return ended_; }
    bool holds() const { return !store_.empty(); }

    // kDone: the connection broke. The end of the stream is passed on and is none.
    Progress move() {
        for (int round = 0; round < kRounds && !ended_;) {
            ssize_t count = 0;
            if (store_.empty()) {
                count = store_.fill(from_);
                if (count == 0) {
                    ended_ = true;
                    ::shutdown(to_, SHUT_WR);
                    break;
                }
            } else {
                count = store_.drain(to_);
                ++round;
            }
            if (count < 0 && errno != EINTR)
                return errno == EAGAIN ? Progress::kWait : Progress::kDone;
        }
        return ended_ ? Progress::kWait : Progress::kAgain;
    }

  private:
    int from_;
    int to_;
    Store store_;
    bool ended_ = false;
};

template <typename Store>
class PumpFlow : public Flow {
  public:
    template <typename Source>
    PumpFlow(const Fd& client, const Fd& upstream, const Source& source)
        : up_(client, upstream, source), down_(upstream, client, source) {}

    // Edge-triggered: what is watched never changes.
    std::uint32_t events() const override { return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET; }

    void event(unsigned side, std::uint32_t events) override {
        auto& out_of = side == 0 ? up_ : down_;
        auto& into = side == 0 ? down_ : up_;
        bool& out_of_due = side == 0 ? up_due_ : down_due_;
        bool& into_due = side == 0 ? down_due_ : up_due_;
        if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && !out_of.ended())
            out_of_due = true;
        if ((events & EPOLLOUT) != 0 && into.holds())
            into_due = true;
        broken_ = broken_ || (events & EPOLLERR) != 0;
    }

    Progress move() override {
        Progress result = Progress::kWait;
        for (auto [pump, due] : {std::pair(&up_, &up_due_), std::pair(&down_, &down_due_)}) {
            if (!*due)
                continue;
            const Progress progress = pump->move();
            if (progress == Progress::kDone)
                return Progress::kDone;
            *due = progress == Progress::kAgain;
            if (*due)
                result = Progress::kAgain;
        }
        const bool over = up_.ended() && down_.ended();
        return broken_ || over ? Progress::kDone : result;
    }

  private:
    Pump<Store> up_;
    Pump<Store> down_;
    bool up_due_ = true;
    bool down_due_ = true;
    bool broken_ = false;
};

}  // namespace

MakeFlow copy_flows(std::size_t buffer) {
    return [buffer](const Fd& client, const Fd& upstream) {
        return std::make_unique<PumpFlow<Buffer>>(client, upstream, buffer);
    };
}

MakeFlow splice_flows(int pipe) {
    return [pool = std::make_shared<PipePool>(pipe)](const Fd& client, const Fd& upstream) {
        return std::make_unique<PumpFlow<Pipe>>(client, upstream, pool);
    };
}

}  // namespace libra::bench
