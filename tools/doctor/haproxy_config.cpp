// SPDX-License-Identifier: GPL-2.0-only
#include "haproxy_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "haproxy_words.h"

namespace libra::doctor {
namespace {

constexpr std::array kTitles = {
    "global", "defaults",    "frontend",    "backend",   "listen", "userlist",
    "peers",  "mailers",     "resolvers",   "program",   "cache",  "http-errors",
    "ring",   "log-forward", "log-profile", "fcgi-app",  "traces", "crt-store",
    "acme",   "healthcheck", "http-client", "spoe-agent"};

bool is_title(const std::vector<std::string>& words) {
    // peers and mailers are words of proxies as well, but not at the beginning of a line
    return std::ranges::find(kTitles, words[0]) != kTitles.end();
}

// Conditions (.if), and scopes ([...]) for what only some programs are to read.
bool is_of_no_section(const std::string& word) {
    return word.starts_with('.') || word.starts_with('[');
}

class Reader {
  public:
    void read(std::string_view text, const std::string& path) {
        config_.files.push_back(path);
        HaproxySection* section = nullptr;  // none goes on in the next file
        unsigned number = 0;
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            const std::string_view line = text.substr(0, end);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            ++number;
            auto words = split_haproxy_line(line);
            if (!words) {
                problem(fmt::format("{}:{}: {}", path, number, words.error().message()));
                continue;
            }
            if (words->empty() || is_of_no_section(words->front()))
                continue;
            HaproxyLine said{std::move(*words), {path, number}};
            if (is_title(said.words))
                section = begin(std::move(said));
            else if (section)
                section->lines.push_back(std::move(said));
            else
                problem(fmt::format("{}: no section has begun", said.at.text()));
        }
    }

    void problem(std::string what) { config_.problems.push_back(std::move(what)); }
    HaproxyConfig take() { return std::move(config_); }

  private:
    HaproxySection* begin(HaproxyLine title) {
        auto section = std::make_unique<HaproxySection>();
        section->title = std::move(title);
        const std::vector<std::string>& words = section->title.words;
        const auto from = std::ranges::find(words, "from");
        if (from != words.end() && from + 1 != words.end())
            section->defaults = named(*(from + 1), section->title.at);
        else if (section->is_proxy())
            section->defaults = last_defaults_;
        HaproxySection* out = section.get();
        config_.sections.push_back(std::move(section));
        if (out->kind() == "defaults")
            last_defaults_ = out;
        return out;
    }

    const HaproxySection* named(const std::string& name, const Position& at) {
        for (auto it = config_.sections.rbegin(); it != config_.sections.rend(); ++it) {
            const std::vector<std::string>& words = (*it)->title.words;
            if (words[0] == "defaults" && words.size() > 1 && words[1] == name)
                return it->get();
        }
        problem(fmt::format("{}: there is no defaults {}", at.text(), name));
        return nullptr;
    }

    HaproxyConfig config_;
    const HaproxySection* last_defaults_ = nullptr;
};

bool begins_with(std::span<const std::string> words, std::initializer_list<std::string_view> with) {
    return words.size() >= with.size() && std::ranges::equal(with, words.first(with.size()));
}

}  // namespace

std::string HaproxyLine::text() const {
    return fmt::format("{}", fmt::join(words, " "));
}

bool HaproxyLine::begins(std::initializer_list<std::string_view> with) const {
    return begins_with(words, with);
}

bool HaproxySection::is_proxy() const {
    return kind() == "frontend" || kind() == "backend" || kind() == "listen";
}

const HaproxyLine* HaproxyConfig::global(std::string_view word) const {
    const HaproxyLine* found = nullptr;
    for (const auto& section : sections) {
        if (section->kind() != "global")
            continue;
        for (const HaproxyLine& line : section->lines) {
            if (line.words[0] == word)
                found = &line;
        }
    }
    return found;
}

HaproxyConfig read_haproxy_config(const Files& files, const std::vector<std::string>& paths) {
    Reader reader;
    for (const std::string& path : paths) {
        // A directory has files below it; of a file the pattern has none.
        std::vector<std::string> names = files.matching(path + "/*.cfg");
        auto text = names.empty() ? files.read(path) : Result<std::string>(std::string());
        if (names.empty()) {
            if (text)
                reader.read(*text, path);
            else
                reader.problem(text.error().message());
        }
        for (const std::string& name : names) {
            text = files.read(name);
            if (text)
                reader.read(*text, name);
            else
                reader.problem(text.error().message());
        }
    }
    return reader.take();
}

const HaproxyLine* HaproxyPlace::find(std::initializer_list<std::string_view> words) const {
    for (const HaproxySection* level = section_; level; level = level->defaults) {
        for (auto line = level->lines.rbegin(); line != level->lines.rend(); ++line) {
            if (line->begins(words))
                return &*line;
            const std::span<const std::string> all = line->words;
            if (all[0] == "no" && begins_with(all.subspan(1), words))
                return nullptr;
        }
    }
    return nullptr;
}

std::vector<const HaproxyLine*> HaproxyPlace::lines() const {
    std::vector<const HaproxyLine*> out;
    for (const HaproxySection* level = section_; level; level = level->defaults) {
        for (const HaproxyLine& line : level->lines) {
            if (line.words[0] != "no")
                out.push_back(&line);
        }
    }
    return out;
}

bool HaproxyPlace::is_http() const {
    const HaproxyLine* mode = find({"mode"});
    return mode && mode->begins({"mode", "http"});
}

bool HaproxyPlace::forwards() const {
    return std::ranges::any_of(
               section_->lines,
               [](const HaproxyLine& line) {
                   return line.words[0] == "server" || line.words[0] == "server-template" ||
                          line.words[0] == "default_backend" || line.words[0] == "use_backend" ||
                          line.words[0] == "dispatch" || line.begins({"option", "transparent"});
               }) ||
           (section_->kind() == "frontend" && find({"default_backend"}));
}

std::vector<const HaproxyLine*> HaproxyPlace::binds() const {
    std::vector<const HaproxyLine*> out;
    for (const HaproxyLine& line : section_->lines) {
        if (line.words[0] == "bind" && line.words.size() > 1)
            out.push_back(&line);
    }
    return out;
}

std::vector<const HaproxyLine*> HaproxyPlace::servers() const {
    std::vector<const HaproxyLine*> out;
    for (const HaproxyLine* line : lines()) {
        if (line->words[0] == "server" || line->words[0] == "server-template" ||
            line->words[0] == "default-server")
            out.push_back(line);
    }
    return out;
}

}  // namespace libra::doctor
