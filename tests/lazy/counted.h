// SPDX-License-Identifier: GPL-2.0-only
// What the kernel side counts, and its sysctls.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include "common/counters.h"
#include "frame.h"

namespace libra::test {

inline void needs_libra() {
    if (setting().plain)
        skip("ordinary memory has no counters");
}

// How far a counter moves.
class Moved {
  public:
    explicit Moved(std::string name) : name_(std::move(name)), before_(now()) {}
    std::int64_t operator()() const { return now() - before_; }
    void require_moved(std::int64_t by, const std::string& what) const {
        require_equal((*this)(), by, what + ": " + name_);
    }
    void start() { before_ = now(); }

  private:
    std::int64_t now() const {
        const Counters counters = read_counters();
        const auto found = counters.find(name_);
        require(found != counters.end(), "there is no counter " + name_);
        return static_cast<std::int64_t>(found->second);
    }

    std::string name_;
    std::int64_t before_;
};

// A number in a file of the kernel's, for a while.
class Tuned {
  public:
    Tuned(std::string path, long value) : path_(std::move(path)) {
        std::ifstream in(path_);
        require(static_cast<bool>(in >> old_), path_ + " cannot be read");
        set(value);
    }
    Tuned(const Tuned&) = delete;
    Tuned& operator=(const Tuned&) = delete;
    ~Tuned() { std::ofstream(path_) << old_; }
    void set(long value) const {
        std::ofstream out(path_);
        out << value << std::flush;
        require(static_cast<bool>(out), path_ + " cannot be written");
    }

  private:
    std::string path_;
    long old_ = 0;
};

// net.libra.<name>
struct Sysctl : Tuned {
    Sysctl(const std::string& name, long value) : Tuned("/proc/sys/net/libra/" + name, value) {}
};

}  // namespace libra::test
