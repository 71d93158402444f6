// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "commands.h"
#include "report.h"

namespace libra {
namespace {

struct Options {
    std::string name;
    std::string file;
};

// librad has another working directory.
std::string absolute(const std::string& file) {
    return std::filesystem::absolute(file).lexically_normal().string();
}

void show_one(const Json& answer) {
    const Json& parser = answer.value("parser", Json::object());
    fmt::print("{} {}\n", parser.value("name", ""), parser.value("version", ""));
    if (!answer.value("stays", true))
        fmt::print(stderr, "It goes when librad ends, as that runs without --pin.\n");
}

}  // namespace

Run add_parser(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command.require_subcommand(1);
    auto* load = command.add_subcommand("load", "register the parser in a file");
    load->add_option("FILE", options->file, "its BPF object")->required();
    auto* list = command.add_subcommand("list", "parsers, and the policies that use them");
    auto* replace = command.add_subcommand("replace", "put another version in a parser's place");
    replace->add_option("NAME", options->name, "the parser")->required();
    replace->add_option("FILE", options->file, "the other version's BPF object")->required();
    auto* unload = command.add_subcommand("unload", "take away a parser that no policy uses");
    unload->add_option("NAME", options->name, "the parser")->required();

    return [=](const Session& session) {
        if (load->parsed())
            return ask_librad(session, ParserLoadRequest{absolute(options->file)}, show_one);
        if (replace->parsed())
            return ask_librad(session, ParserReplaceRequest{options->name, absolute(options->file)},
                              show_one);
        if (unload->parsed())
            return ask_librad(session, ParserUnloadRequest{options->name}, [](const Json&) {});
        if (list->parsed())
            return ask_librad(session, ParserListRequest{},
                              [](const Json& answer) { fmt::print("{}", report_parsers(answer)); });
        return static_cast<int>(kUsage);
    };
}

}  // namespace libra
