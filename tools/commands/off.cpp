// SPDX-License-Identifier: GPL-2.0-only
// The switches of this network namespace. What is in the kernel by now is still sent, and
// everything that was lazy stays exact; what is read from here on is copied.
#include <fmt/format.h>

#include <array>
#include <fstream>

#include "commands.h"

namespace libra {
namespace {

constexpr std::array kSwitches = {"enabled", "lazy"};

int turn(const Session& session, const char* value, const char* said) {
    for (const char* name : kSwitches) {
        const std::string path = fmt::format("/proc/sys/net/libra/{}", name);
        std::ofstream file(path);
        if (!(file << value << std::flush)) {
            const int error = errno;
            return fail(
                session, error == ENOENT ? kUnreachable : kRefused,
                Error::from_errno(fmt::format("{} (is libra.ko loaded, and are you root?)", path),
                                  error));
        }
    }
    return show_answer(session, R"({"ok":true})",
                       [said](const Json&) { fmt::print("{}\n", said); });
}

}  // namespace

Run add_off(CLI::App&) {
    return [](const Session& session) {
        return turn(session, "0",
                    "off: what is read from now on is copied, in both modes; policies stay, and "
                    "'libractl on' takes it back. A reboot does, too");
    };
}

Run add_on(CLI::App&) {
    return [](const Session& session) { return turn(session, "1", "on"); };
}

}  // namespace libra
