// SPDX-License-Identifier: GPL-2.0-only
// The same script on ordinary memory and on payload memory, which must not differ.
#pragma once

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "arena.h"
#include "frame.h"

namespace libra::test {

// What a script saw, step by step.
class Transcript {
  public:
    template <typename Value>
    void note(const std::string& what, const Value& value) {
        std::ostringstream line;
        line << what << ": " << value;
        lines_.push_back(line.str());
    }
    // A system call's result; with its errno if it failed.
    template <typename Result>
    Result call(const std::string& what, Result result) {
        const int error = errno;
        if (result < 0)
            note(what, std::string("-1, ") + std::strerror(error));
        else
            note(what, result);
        return result;
    }
    void bytes(const std::string& what, const char* memory, std::size_t size) {
        // FNV-1a: whether they are the right ones is what other cases look at.
        std::uint64_t hash = 0xcbf29ce484222325;
        for (std::size_t i = 0; i < size; ++i)
            hash = (hash ^ static_cast<unsigned char>(memory[i])) * 0x100000001b3;
        note(what, hash);
    }
    const std::vector<std::string>& lines() const { return lines_; }

  private:
    std::vector<std::string> lines_;
};

template <typename Script>
void same_on_both(std::size_t size, Script script) {
    Transcript native;
    Transcript lazy;
    {
        const Arena memory(size, Kind::kOrdinary);
        script(memory, native);
    }
    {
        const Arena memory(size);
        script(memory, lazy);
    }
    for (std::size_t i = 0; i < native.lines().size() && i < lazy.lines().size(); ++i)
        require_equal(lazy.lines()[i], native.lines()[i], "step " + std::to_string(i + 1));
    require_equal(lazy.lines().size(), native.lines().size(), "steps");
}

}  // namespace libra::test
