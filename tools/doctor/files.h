// SPDX-License-Identifier: GPL-2.0-only
// Where a configuration is read from: the disk, or what somebody has saved of it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace libra::doctor {

// A line of a file, as people say it: FILE:LINE.
struct Position {
    std::string file;
    unsigned line = 0;

    std::string text() const { return file + ":" + std::to_string(line); }
    bool operator==(const Position&) const = default;
};

class Files {
  public:
    virtual ~Files() = default;
    virtual Result<std::string> read(const std::string& path) const = 0;
    // Names that match, sorted; none is no error.
    virtual std::vector<std::string> matching(const std::string& pattern) const = 0;
};

class DiskFiles : public Files {
  public:
    Result<std::string> read(const std::string& path) const override;
    std::vector<std::string> matching(const std::string& pattern) const override;
};

class MemoryFiles : public Files {
  public:
    explicit MemoryFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}

    Result<std::string> read(const std::string& path) const override;
    std::vector<std::string> matching(const std::string& pattern) const override;

  private:
    std::map<std::string, std::string> files_;
};

// Regular files only, which nobody can make us wait for; at most 16 MB.
Result<std::string> read_regular_file(const std::string& path);

// The same for what the kernel makes when it is read; "" where it is missing.
std::string read_text(const std::string& path);

bool has_wildcard(std::string_view pattern);

}  // namespace libra::doctor
