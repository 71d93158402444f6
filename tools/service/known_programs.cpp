// SPDX-License-Identifier: GPL-2.0-only
#include "known_programs.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <system_error>

namespace libra::service {
namespace {

namespace fs = std::filesystem;

struct Program {
    std::string_view name;
    std::size_t min_block;  // 0: the library's own
    std::string_view advice;
    std::string_view without_restart;
    std::string_view check;
};

constexpr std::array kPrograms{
    Program{"nginx", 4096,
            "nginx: an upgrade in place (a package's, or USR2) hands on only what nginx.conf "
            "names: env LD_PRELOAD; env LIBRA_MALLOC_MIN; at its top",
            "nginx can be replaced in place (USR2), without losing a connection, but a new master "
            "has its environment from the old one: what systemd sets comes with a restart only",
            "nginx -t"},
    Program{"haproxy", 0,
            "HAProxy: for plain HTTP in both directions option splice-response and option "
            "splice-request gain more from 64 KB on",
            "HAProxy's reload keeps the environment of its master",
            "haproxy -c -f /etc/haproxy/haproxy.cfg"},
    Program{"varnishd", 0,
            "Varnish: while it has locked memory it receives natively (LimitMEMLOCK=0), and its "
            "worker is another user before it opens the device (the udev rule, and usermod -aG "
            "libra vcache)",
            "", ""},
    Program{"lighttpd", 0,
            "lighttpd: with server.username it gives its rights up before it opens the device: "
            "that user has to be in the device's group",
            "", "lighttpd -tt -f /etc/lighttpd/lighttpd.conf"},
    Program{"squid", 0, "Squid copies all payload into pages of its own, and gains nothing", "",
            "squid -k parse"},
    Program{"apache2", 0, "Apache httpd takes its buffers by mmap(), and gains nothing", "",
            "apache2ctl -t"},
};

const Program* known(const fs::path& program) {
    const auto name = program.filename().string();
    const auto* found = std::find_if(kPrograms.begin(), kPrograms.end(),
                                     [&](const Program& each) { return each.name == name; });
    return found == kPrograms.end() ? nullptr : found;
}

}  // namespace

std::optional<std::size_t> min_block_for(const fs::path& program, const Wishes& wishes,
                                         bool has_another) {
    if (wishes.min_block || has_another)
        return wishes.min_block;
    const Program* found = known(program);
    return found && found->min_block ? std::optional(found->min_block) : std::nullopt;
}

std::vector<std::string> advice(const Unit& unit, bool module_comes_with_boot) {
    std::vector<std::string> all;
    if (const Program* found = known(unit.program))
        all.emplace_back(found->advice);
    if (unit.needs_reload)
        all.emplace_back(
            "its files were edited since systemd read them: that comes into force "
            "with this, too");
    if (!module_comes_with_boot)
        all.emplace_back(
            "nothing loads the module at boot: without it the service starts with "
            "plain malloc(), and keeps that. A line 'libra' in "
            "/etc/modules-load.d/libra.conf loads it");
    return all;
}

std::string without_restart(const Unit& unit) {
    const Program* found = known(unit.program);
    if (found && !found->without_restart.empty())
        return std::string(found->without_restart);
    return unit.can_reload ? "a reload is not enough: its processes keep the allocator that they "
                             "have begun with"
                           : "";
}

std::string configuration_check(const Unit& unit) {
    const Program* found = known(unit.program);
    return found ? std::string(found->check) : "";
}

bool module_comes_with_boot(const std::vector<fs::path>& directories) {
    for (const fs::path& directory : directories) {
        std::error_code error;
        for (fs::directory_iterator at(directory, error), end; !error && at != end;
             at.increment(error)) {
            std::ifstream lines(at->path());
            for (std::string line; std::getline(lines, line);) {
                line.erase(0, line.find_first_not_of(" \t"));
                line.erase(line.find_last_not_of(" \t") + 1);
                if (line == "libra")
                    return true;
            }
        }
    }
    return false;
}

}  // namespace libra::service
