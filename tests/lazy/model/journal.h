// SPDX-License-Identifier: GPL-2.0-only
// The last operations of a thread, told when it fails.
#pragma once

#include <array>
#include <cstdint>
#include <sstream>
#include <string>

#include "lot.h"

namespace libra::test {

class Journal {
  public:
    void begin(std::uint64_t number, const char* what) {
        number_ = number;
        add({.number = number, .what = what, .lot = -1, .at = 0, .size = 0});
    }
    void note(const char* what, const Range& range) {
        add({.number = number_,
             .what = what,
             .lot = range.lot->number(),
             .at = range.at,
             .size = range.size});
    }
    void note(const char* what, std::size_t size = 0) {
        add({.number = number_, .what = what, .lot = -1, .at = 0, .size = size});
    }
    std::string text() const {
        std::ostringstream out;
        std::uint64_t last = 0;
        for (std::uint64_t i = count_ > kEntries ? count_ - kEntries : 0; i < count_; ++i) {
            const Entry& entry = entries_[i % kEntries];
            if (entry.number != last)
                out << "\n  " << entry.number << ':';
            last = entry.number;
            out << ' ' << entry.what;
            if (entry.lot >= 0)
                out << " lot " << entry.lot << " [" << entry.at << ", " << entry.at + entry.size
                    << ')';
            else if (entry.size != 0)
                out << ' ' << entry.size;
        }
        return out.str();
    }

  private:
    static constexpr std::uint64_t kEntries = 160;
    struct Entry {
        std::uint64_t number;
        const char* what;
        int lot;
        std::size_t at;
        std::size_t size;
    };
    void add(const Entry& entry) { entries_[count_++ % kEntries] = entry; }

    std::array<Entry, kEntries> entries_ = {};
    std::uint64_t count_ = 0;
    std::uint64_t number_ = 0;
};

}  // namespace libra::test
