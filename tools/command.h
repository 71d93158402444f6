// SPDX-License-Identifier: GPL-2.0-only
// One word of libractl's, such as attach. Each has a file in commands/; commands.cpp lists
// them all, and that list is what help, completion and manual page are checked against.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <span>
#include <string>

#include "error.h"
#include "protocol.h"

namespace libra {

// Scripts rely on these; libractl.8 documents them.
enum Exit { kOk = 0, kRefused = 1, kUsage = 2, kUnreachable = 3, kUnproved = 4 };

// What all commands have in common.
struct Session {
    std::string socket = kDefaultSocket;
    bool socket_named = false;  // by the user
    bool json = false;
};

// Done when the command line is known to be right. Returns an Exit.
using Run = std::function<int(const Session&)>;

struct Command {
    const char* name;
    const char* summary;
    // Adds its options and checks, and says what to do then. What options are written to
    // has to be owned by what is returned.
    Run (*add)(CLI::App& command);
};

std::span<const Command> commands();

// Where colours do no harm: a terminal, whose user has not set NO_COLOR.
bool is_for_people(std::FILE* file);

// Says why on standard error, or as JSON on standard output.
int fail(const Session& session, Exit code, const Error& error);

// librad's answer to a request. It is shown as it came, if JSON was asked for; otherwise
// @show shows it. What librad refuses, or does not answer, is a failure.
int ask_librad(const Session& session, const Request& request,
               const std::function<void(const Json& answer)>& show);

// The same with an answer from elsewhere: a line that librad could have said.
int show_answer(const Session& session, const std::string& line,
                const std::function<void(const Json& answer)>& show);

}  // namespace libra
