// SPDX-License-Identifier: GPL-2.0-only
#include "command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "client.h"

namespace libra {

bool is_for_people(std::FILE* file) {
    return isatty(fileno(file)) && !std::getenv("NO_COLOR");
}

int fail(const Session& session, Exit code, const Error& error) {
    if (session.json)
        fmt::print("{}", error_line(error));
    else
        fmt::print(stderr, "libractl: {}\n", error.message());
    return code;
}

int show_answer(const Session& session, const std::string& line,
                const std::function<void(const Json& answer)>& show) {
    const auto answer = parse_answer(line);
    if (session.json)
        fmt::print("{}\n", line);
    else if (answer)
        show(*answer);
    else
        fail(session, kRefused, answer.error());
    return answer ? kOk : kRefused;
}

int ask_librad(const Session& session, const Request& request,
               const std::function<void(const Json& answer)>& show) {
    auto client = Client::connect(session.socket);
    if (!client)
        return fail(session, kUnreachable, client.error());
    const auto line = client->ask(request);
    if (!line)
        return fail(session, kUnreachable, line.error());
    return show_answer(session, *line, show);
}

}  // namespace libra
