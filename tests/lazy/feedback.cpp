// SPDX-License-Identifier: GPL-2.0-only
// What an application reads is soon copied, what it does not read never is.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kBuffer = 64 << 10;
constexpr int kLearn = 40;
constexpr int kJudge = 20;

// Reads nothing, the header, or everything of what was received.
enum class Habit { kNone, kHeader, kAll };

// A proxy and its origin: a request, and a response into one buffer after the other.
class Exchange {
  public:
    explicit Exchange(int family) : link_(family), memory_(kBuffer) {}

    void respond(std::size_t size, Habit habit) {
        send_all(link_.here, "?", 1);
        require_equal(take(link_.peer, 1), std::string("?"), "the request");
        ++stream_;
        for (std::size_t at = 0; at < size; at += kBuffer) {
            const std::size_t part = std::min(kBuffer, size - at);
            receive_pattern_unseen(part, at);
            if (habit == Habit::kAll)
                require_pattern(memory_.data(), part, stream_, at, "what was read");
            else if (habit == Habit::kHeader && at == 0)
                require_pattern(memory_.data(), 200, stream_, 0, "the header");
        }
    }

    // The share of @count responses that was left in the kernel.
    double lazy_share(int count, std::size_t size, Habit habit) {
        const Moved lazy("lazy_rx_bytes");
        for (int i = 0; i < count; ++i)
            respond(size, habit);
        return static_cast<double>(lazy()) / static_cast<double>(size) / count;
    }

  private:
    void receive_pattern_unseen(std::size_t size, std::size_t at) {
        feed(link_, size, stream_, at);
        require_equal(::recv(link_.here.get(), memory_.data(), size, 0), static_cast<ssize_t>(size),
                      "recv");
    }

    Link link_;
    Arena memory_;
    std::uint64_t stream_ = 0;
};

void require_share(double share, double least, double most, const std::string& what) {
    require(share >= least && share <= most,
            what + ": " + std::to_string(share) + " of the bytes were lazy, not " +
                std::to_string(least) + " to " + std::to_string(most));
}

CASE_OF_BOTH_FAMILIES(feedback_nothing_is_read) {
    needs_libra();
    const Sysctl feedback("lazy_feedback", 1);
    Exchange exchange(family);
    require_share(exchange.lazy_share(kJudge, kBuffer, Habit::kNone), 1, 1, "64 KB");
    require_share(exchange.lazy_share(3, 4 << 20, Habit::kNone), 1, 1, "4 MB");
}

CASE_OF_BOTH_FAMILIES(feedback_all_is_read) {
    needs_libra();
    const Sysctl feedback("lazy_feedback", 1);
    Exchange exchange(family);
    exchange.lazy_share(kLearn, kBuffer, Habit::kAll);
    // A try of 16 pages, of which each part has two.
    require_share(exchange.lazy_share(kJudge, kBuffer, Habit::kAll), 0, 0.05, "64 KB");
}

// One message is enough, if it is long.
CASE(feedback_a_long_one_is_read) {
    needs_libra();
    const Sysctl feedback("lazy_feedback", 1);
    Exchange exchange(family);
    require_share(exchange.lazy_share(1, 4 << 20, Habit::kAll), 0, 0.05, "the first one");
    require_share(exchange.lazy_share(3, 4 << 20, Habit::kAll), 0, 0.02, "those behind it");
}

CASE_OF_BOTH_FAMILIES(feedback_the_header_is_read) {
    needs_libra();
    const Sysctl feedback("lazy_feedback", 1);
    Exchange exchange(family);
    exchange.lazy_share(kLearn, kBuffer, Habit::kHeader);
    const Moved fills("lazy_fills_user");
    require_share(exchange.lazy_share(kJudge, kBuffer, Habit::kHeader), 15. / 16, 15.2 / 16,
                  "64 KB");
    require(fills() <= 2, std::to_string(fills()) + " headers were lazy");
}

// Responses that are read, among many that are not, are their own misfortune.
CASE(feedback_one_in_ten_is_read) {
    needs_libra();
    const Sysctl feedback("lazy_feedback", 1);
    Exchange exchange(family);
    for (int i = 0; i < kLearn; ++i)
        exchange.respond(kBuffer, i % 10 == 0 ? Habit::kAll : Habit::kNone);
    require_share(exchange.lazy_share(9, kBuffer, Habit::kNone), 1, 1, "64 KB, not read");
}

// A habit that ends is forgotten in time.
CASE_OF_BOTH_FAMILIES(feedback_is_forgotten) {
    needs_libra();
    const Sysctl feedback("lazy_feedback", 1);
    Exchange exchange(family);
    exchange.lazy_share(kLearn, kBuffer, Habit::kAll);
    exchange.lazy_share(300, kBuffer, Habit::kNone);
    require_share(exchange.lazy_share(kJudge, kBuffer, Habit::kNone), 1, 1, "64 KB");
    exchange.lazy_share(kLearn, kBuffer, Habit::kAll);
    require_share(exchange.lazy_share(kJudge, kBuffer, Habit::kAll), 0, 0.1, "read again");
}

CASE(feedback_is_off) {
    needs_libra();
    const Sysctl feedback("lazy_feedback", 0);
    Exchange exchange(family);
    require_share(exchange.lazy_share(kJudge, kBuffer, Habit::kAll), 1, 1, "64 KB");
}

}  // namespace
}  // namespace libra::test
