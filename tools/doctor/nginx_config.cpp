// SPDX-License-Identifier: GPL-2.0-only
#include "nginx_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "nginx_tokens.h"

namespace libra::doctor {
namespace {

using Kind = NginxToken::Kind;
using Block = std::vector<NginxDirective>;

// nginx has no limits; a file that includes itself ends by its descriptors.
constexpr unsigned kDeepest = 32;
constexpr unsigned kMostReads = 4096;

class Reader {
  public:
    Reader(const Files& files, const std::string& main)
        : files_(files), directory_(std::filesystem::path(main).parent_path()) {}

    void read_file(const std::string& path, unsigned depth, Block& out) {
        if (reads_++ >= kMostReads || depth > kDeepest) {
            if (!std::exchange(too_many_, true))
                problem(fmt::format("{}: not read: too many files include others", path));
            return;
        }
        const auto text = files_.read(path);
        if (!text) {
            problem(text.error().message());
            return;
        }
        if (std::ranges::find(config_.files, path) == config_.files.end())
            config_.files.push_back(path);
        NginxTokens tokens(*text);
        const auto end = read_block(tokens, path, depth, out);
        if (!end)
            problem(fmt::format("{}:{}: {}", path, tokens.line(), end.error().message()));
        else if (*end == Kind::close)
            problem(fmt::format("{}:{}: unexpected \"}}\"", path, tokens.line()));
    }

    NginxConfig take() { return std::move(config_); }

  private:
    void problem(std::string what) { config_.problems.push_back(std::move(what)); }

    // Up to the brace that closes it, or the end of the file.
    Result<Kind> read_block(NginxTokens& tokens, const std::string& path, unsigned depth,
                            Block& out) {
        std::vector<std::string> words;
        unsigned line = 0;
        for (;;) {
            auto token = tokens.next();
            if (!token)
                return token.error();
            switch (token->kind) {
                case Kind::word:
                    if (words.empty())
                        line = token->line;
                    words.push_back(std::move(token->text));
                    continue;
                case Kind::end:
                case Kind::close:
                    if (!words.empty())
                        return Error(fmt::format("\"{}\" has no end", words[0]));
                    return token->kind;
                case Kind::semicolon:
                case Kind::open:
                    break;
            }
            if (words.empty())
                return Error(token->kind == Kind::open ? "unexpected \"{\"" : "unexpected \";\"");
            NginxDirective directive;
            directive.name = std::move(words[0]);
            directive.arguments.assign(std::make_move_iterator(words.begin() + 1),
                                       std::make_move_iterator(words.end()));
            directive.at = {path, line};
            words.clear();
            if (token->kind == Kind::open) {
                if (auto status = read_children(tokens, depth, directive); !status)
                    return status.error();
            } else if (directive.name == "include" && directive.arguments.size() == 1) {
                include(directive, depth, out);
                continue;
            }
            out.push_back(std::move(directive));
        }
    }

    Status read_children(NginxTokens& tokens, unsigned depth, NginxDirective& directive) {
        directive.has_block = true;
        if (directive.name.ends_with("_by_lua_block")) {
            auto lua = tokens.lua_block();
            if (!lua)
                return lua.error();
            directive.arguments.push_back(std::move(lua).value());
            return Ok{};
        }
        if (depth == kDeepest)
            return Error("too many blocks in blocks");
        const auto end = read_block(tokens, directive.at.file, depth + 1, directive.block);
        if (!end)
            return end.error();
        if (*end == Kind::end)
            return Error(fmt::format("the block of line {} is not closed", directive.at.line));
        return Ok{};
    }

    void include(const NginxDirective& directive, unsigned depth, Block& out) {
        const std::string pattern =
            (directory_ / std::filesystem::path(directive.arguments[0])).string();
        if (!has_wildcard(pattern)) {
            read_file(pattern, depth + 1, out);
            return;
        }
        for (const std::string& path : files_.matching(pattern))
            read_file(path, depth + 1, out);
    }

    const Files& files_;
    std::filesystem::path directory_;
    NginxConfig config_;
    unsigned reads_ = 0;
    bool too_many_ = false;
};

constexpr std::string_view kMarker = "# configuration file ";

// The path, if the line is a marker.
std::optional<std::string> marked(std::string_view line) {
    if (!line.starts_with(kMarker) || !line.ends_with(':') || line.size() <= kMarker.size() + 1)
        return {};
    line.remove_prefix(kMarker.size());
    line.remove_suffix(1);
    return std::string(line);
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

}  // namespace

std::string NginxDirective::text() const {
    std::string out = name;
    for (const std::string& argument : arguments) {
        out += ' ';
        out += argument.substr(0, argument.find('\n'));
    }
    return out;
}

NginxConfig read_nginx_config(const Files& files, const std::string& path) {
    Reader reader(files, path);
    Block main;
    reader.read_file(path, 0, main);
    NginxConfig config = reader.take();
    config.main = std::move(main);
    return config;
}

bool is_nginx_dump(std::string_view text) {
    while (!text.empty()) {
        if (marked(take_line(text)))
            return true;
    }
    return false;
}

NginxConfig read_nginx_dump(std::string_view text) {
    std::map<std::string, std::string> files;
    std::string main;
    std::string* file = nullptr;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (const auto path = marked(line)) {
            if (main.empty())
                main = *path;
            file = &files[*path];
        } else if (file) {
            file->append(line).append("\n");
        }
    }
    return read_nginx_config(MemoryFiles(std::move(files)), main);
}

}  // namespace libra::doctor
