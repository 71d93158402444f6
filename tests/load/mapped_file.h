// SPDX-License-Identifier: GPL-2.0-only
// A file mapped for reading: the body every response is compared with.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace libra::load {

class MappedFile {
  public:
    // Throws Error.
    explicit MappedFile(const std::string& path);
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    std::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

  private:
    void* address_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace libra::load
