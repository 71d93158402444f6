// SPDX-License-Identifier: GPL-2.0-only
#include "forge.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>

#include "common/error.h"
#include "common/random.h"
#include "piece.h"
#include "unseen.h"

namespace libra::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWait = 10'000;            // milliseconds
constexpr std::size_t kBody = 4096;      // of a genuine anchor
constexpr std::size_t kPlain = 2000;     // with a broken magic, in one connection
constexpr unsigned kBetweenPlain = 200;  // other forgeries, a connection each
constexpr unsigned kGenuineFor = 5000;   // forgeries, then others take over: anchors expire

void flip(std::string& bytes, std::size_t first, std::size_t count, Random& random) {
    bytes[first + random.below(count)] ^= static_cast<char>(1U << random.below(8));
}

class Forger {
  public:
    Forger(const Network& network, const std::string& magic, std::uint64_t seed)
        : network_(network), magic_(magic), random_(seed) {}

    Forged run(std::uint64_t count, double seconds) {
        const auto begin = Clock::now();
        const auto passed = [begin] {
            return std::chrono::duration<double>(Clock::now() - begin).count();
        };
        for (unsigned round = 0; forged_.refused + forged_.plain < count && passed() < seconds;
             ++round) {
            if (round % kGenuineFor == 0)
                change_genuine();
            if (round % kBetweenPlain == 0)
                broken_magic();
            if (random_.below(5) == 0 && used_.size() == kVpiSize) {
                refuse(used_ + std::string(kBody - kVpiSize, 'f'));
                continue;
            }
            const std::string memory = forgery();
            if (is_live(memory))
                refuse(memory);
            else
                pass(memory);
        }
        change_genuine();
        forged_.seconds = passed();
        return forged_;
    }

  private:
    // Those that the forgeries were made of are still good, once.
    void change_genuine() {
        for (std::string& memory : genuine_) {
            if (!memory.empty() && deliver(memory) != body_)
                accepted("a genuine VPI was used up by a forged one");
            used_ = memory.substr(0, kVpiSize);
            memory = read_body(network_, body_);
            if (memory.compare(0, kMagicSize, magic_) != 0)
                throw Error("nothing is anchored any more");
        }
    }

    // Whoever has an id that is live has seen its VPI: it was tampered with.
    bool is_live(const std::string& vpi) const {
        return std::any_of(std::begin(genuine_), std::end(genuine_),
                           [&vpi](const std::string& memory) {
                               return memory.compare(0, kIdSize, vpi, 0, kIdSize) == 0;
                           });
    }

    std::string forgery() {
        std::string vpi = genuine_[0].substr(0, kVpiSize);
        switch (random_.below(4)) {
            case 0:
            case 1:
                flip(vpi, kMagicSize, kVpiSize - kMagicSize, random_);
                break;
            case 2:  // out of nothing
                std::generate(vpi.begin() + kMagicSize, vpi.end(),
                              [this] { return static_cast<char>(random_.next()); });
                break;
            default: {  // half of this one, half of that one
                const std::size_t cut = random_.between(kMagicSize + 1, kVpiSize - 1);
                vpi.replace(cut, kVpiSize - cut, genuine_[1], cut, kVpiSize - cut);
                // Where the two agree on one side of the cut, nothing was forged.
                if (std::any_of(
                        std::begin(genuine_), std::end(genuine_),
                        [&vpi](const std::string& memory) { return memory.starts_with(vpi); }))
                    flip(vpi, kMagicSize, kVpiSize - kMagicSize, random_);
                break;
            }
        }
        return vpi + std::string(kBody - kVpiSize, 'f');
    }

    // Somebody's bytes, whatever they look like.
    void pass(const std::string& memory) {
        if (deliver(memory) == memory && !aborted_)
            ++forged_.plain;
        else
            accepted("a made-up VPI is not what was sent");
    }

    // A VPI that stands for nothing any more, or that is not as it was.
    void refuse(const std::string& memory) {
        const std::string arrived = deliver(memory);
        if (aborted_ && arrived.empty())
            ++forged_.refused;
        else
            accepted("a used VPI, or one that was altered, brought " +
                     std::to_string(arrived.size()) + " bytes");
    }

    // What is no magic is data.
    void broken_magic() {
        std::string memory;
        for (std::size_t i = 0; i < kPlain; ++i) {
            std::string vpi = genuine_[0].substr(0, kVpiSize);
            flip(vpi, 0, kMagicSize, random_);
            memory += vpi;
        }
        if (deliver(memory) == memory)
            forged_.plain += kPlain;
        else
            accepted("a VPI with a broken magic is not what was sent");
    }

    // Sends on a new connection to a client; what it got.
    std::string deliver(const std::string& memory) {
        const Link link = network_.client();
        std::string arrived(memory.size(), '\0');
        std::size_t sent = 0;
        std::size_t got = 0;
        aborted_ = false;
        while (got < memory.size()) {
            const ssize_t put =
                ::send(link.proxy.get(), memory.data() + sent, memory.size() - sent, MSG_NOSIGNAL);
            if (put < 0 && errno != EAGAIN)
                aborted_ = true;
            sent += static_cast<std::size_t>(std::max<ssize_t>(put, 0));
            pollfd poll = {.fd = link.peer.get(), .events = POLLIN, .revents = 0};
            if (::poll(&poll, 1, kWait) != 1)
                throw Error("bytes that were sent did not arrive");
            const ssize_t count =
                ::recv(link.peer.get(), arrived.data() + got, arrived.size() - got, 0);
            if (count <= 0)
                break;
            got += static_cast<std::size_t>(count);
        }
        return arrived.substr(0, got);
    }

    void accepted(const std::string& complaint) {
        if (forged_.accepted++ == 0)
            forged_.complaint = complaint;
    }

    const Network& network_;
    const std::string magic_;
    Random random_;
    const std::string body_ = std::string(kBody, 'g');
    std::string genuine_[2];
    std::string used_;
    bool aborted_ = false;
    Forged forged_;
};

}  // namespace

Forged forge(const Network& network, const std::string& magic, std::uint64_t seed,
             std::uint64_t count, double seconds) {
    return Forger(network, magic, seed).run(count, seconds);
}

}  // namespace libra::test
