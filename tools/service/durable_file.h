// SPDX-License-Identifier: GPL-2.0-only
// Small files that are there whole or not at all, whenever the machine stops.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "error.h"

namespace libra::service {

// None where there is no such file. A link, or anything that is no plain file, is refused: it
// says something else than its contents.
Result<std::optional<std::string>> read_plain_file(const std::filesystem::path& path);

// A change that can be taken back, with what was there before, and is, unless it is kept.
class FileChange {
  public:
    // The directory is made, if it is missing; its own directory has to be there.
    static Result<FileChange> write(const std::filesystem::path& path, const std::string& text);
    // Also the directory, if that is then empty and was made for it.
    static Result<FileChange> remove(const std::filesystem::path& path, bool with_directory);

    FileChange(FileChange&& other) noexcept;
    FileChange& operator=(FileChange&&) = delete;
    ~FileChange();

    void keep() { kept_ = true; }
    Status take_back();  // once, kept or not

  private:
    FileChange(std::filesystem::path path, std::optional<std::string> before)
        : path_(std::move(path)), before_(std::move(before)) {}

    std::filesystem::path path_;
    std::optional<std::string> before_;
    bool directory_is_new_ = false;
    bool kept_ = false;
    bool taken_back_ = false;
};

}  // namespace libra::service
