// SPDX-License-Identifier: GPL-2.0-only
// HAProxy's configuration: sections, and what they inherit from which defaults.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"

namespace libra::doctor {

struct HaproxyLine {
    std::vector<std::string> words;  // at least one
    Position at;

    std::string text() const;
    bool begins(std::initializer_list<std::string_view> with) const;
};

struct HaproxySection {
    HaproxyLine title;                         // "listen NAME from DEFAULTS"
    std::vector<HaproxyLine> lines;            // without what .if and the like say
    const HaproxySection* defaults = nullptr;  // nullptr: the built-in ones

    const std::string& kind() const { return title.words[0]; }
    // frontend, backend or listen.
    bool is_proxy() const;
};

struct HaproxyConfig {
    std::vector<std::unique_ptr<HaproxySection>> sections;  // which others point at
    std::vector<std::string> files;
    std::vector<std::string> problems;

    // The last line of all global sections that begins so.
    const HaproxyLine* global(std::string_view word) const;
};

// What HAProxy would read with these after -f: files, and directories of *.cfg. All branches of
// .if count.
HaproxyConfig read_haproxy_config(const Files& files, const std::vector<std::string>& paths);

// A proxy's own lines and, where these are silent, its defaults'.
class HaproxyPlace {
  public:
    HaproxyPlace(const HaproxyConfig& config, const HaproxySection& section)
        : config_(&config), section_(&section) {}

    const HaproxyConfig& config() const { return *config_; }
    const HaproxySection& section() const { return *section_; }
    // The last one that begins so; "no ..." takes back what was said before.
    const HaproxyLine* find(std::initializer_list<std::string_view> words) const;
    // Its own, and then its defaults'.
    std::vector<const HaproxyLine*> lines() const;
    bool is_http() const;
    // Something that it passes on goes somewhere.
    bool forwards() const;
    std::vector<const HaproxyLine*> binds() const;
    std::vector<const HaproxyLine*> servers() const;

  private:
    const HaproxyConfig* config_;
    const HaproxySection* section_;
};

}  // namespace libra::doctor
