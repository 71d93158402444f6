// SPDX-License-Identifier: GPL-2.0-only
#include "completion.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace libra {
namespace {

struct Completion {
    std::string word;
    std::string meaning;
};

bool is_option(std::string_view word) {
    return word.starts_with("-");
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* find_subcommand(const CLI::App& app, std::string_view word) {
    for (const CLI::App* one : subcommands(app)) {
        if (one->get_name() == word)
            return one;
    }
    return nullptr;
}

// Of the command, or of one that it belongs to: libractl falls through.
const CLI::Option* find_option(const CLI::App* app, const std::string& word) {
    for (; app; app = app->get_parent()) {
        if (const CLI::Option* option = app->get_option_no_throw(word))
            return option;
    }
    return nullptr;
}

// CLI11 says which values an option takes only in words: TEXT:{off,token}
std::vector<Completion> values(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const auto begin = type.find('{');
    const auto end = type.find('}');
    std::vector<Completion> all;
    if (begin == std::string::npos || end == std::string::npos || end < begin)
        return all;
    for (std::string& value : CLI::detail::split(type.substr(begin + 1, end - begin - 1), ','))
        all.push_back({std::move(value), ""});
    return all;
}

std::vector<Completion> options(const CLI::App* app) {
    std::vector<Completion> all;
    for (; app; app = app->get_parent()) {
        for (const CLI::Option* option : app->get_options()) {
            for (const std::string& name : option->get_lnames())
                all.push_back({"--" + name, option->get_description()});
        }
    }
    return all;
}

std::vector<Completion> next(const CLI::App& app, const std::string& begun) {
    if (is_option(begun))
        return options(&app);
    std::vector<Completion> all;
    for (const CLI::App* one : subcommands(app))
        all.push_back({one->get_name(), one->get_description()});
    const auto positional = [](const CLI::Option* option) { return option->get_positional(); };
    if (all.empty() && app.get_options(positional).empty())
        return options(&app);
    return all;
}

}  // namespace

std::string complete(const CLI::App& app, std::span<const char* const> words) {
    const CLI::App* command = &app;
    const CLI::Option* wants_value = nullptr;
    const std::string begun = words.empty() ? "" : words.back();
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string word = words[i];
        if (wants_value) {
            wants_value = nullptr;
        } else if (is_option(word)) {
            const CLI::Option* option = find_option(command, word);
            wants_value = option && option->get_items_expected_max() > 0 ? option : nullptr;
        } else if (const CLI::App* one = find_subcommand(*command, word)) {
            command = one;
        }
    }
    std::string out;
    for (const Completion& one : wants_value ? values(*wants_value) : next(*command, begun)) {
        if (one.word.starts_with(begun))
            out += fmt::format("{}\t{}\n", one.word, one.meaning);
    }
    return out;
}

}  // namespace libra
