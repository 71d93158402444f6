// SPDX-License-Identifier: GPL-2.0-only
#include "drop_in_file.h"

#include <fmt/format.h>

#include "drop_in.h"
#include "durable_file.h"

namespace libra::service {

std::filesystem::path drop_in_path(const Host& host, const std::string& unit, bool runtime) {
    return (runtime ? host.runtime_units : host.units) / (unit + ".d") / kDropIn;
}

Result<std::optional<DropInFile>> find_drop_in(const Host& host, const std::string& unit) {
    for (const bool runtime : {false, true}) {
        const auto path = drop_in_path(host, unit, runtime);
        auto text = read_plain_file(path);
        if (!text)
            return std::move(text).error();
        if (!*text)
            continue;
        if (check_seal(**text) == Seal::none)
            return Error(
                fmt::format("{} was not written by libractl: move it away yourself", path.string()),
                EEXIST);
        if (check_seal(**text) == Seal::broken)
            return Error(fmt::format("{0} has been edited since libractl wrote it, so it is left: "
                                     "take what you need from it, then rm {0} && systemctl "
                                     "daemon-reload",
                                     path.string()),
                         EEXIST);
        return std::optional(DropInFile{path, std::move(**text)});
    }
    return std::optional<DropInFile>();
}

}  // namespace libra::service
