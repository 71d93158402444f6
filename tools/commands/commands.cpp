// SPDX-License-Identifier: GPL-2.0-only
#include "commands.h"

#include <array>

namespace libra {

std::span<const Command> commands() {
    static constexpr std::array kCommands{
        Command{"attach", "attach new connections; prints the policy id", add_attach},
        Command{"detach", "stop attaching new connections", add_detach},
        Command{"parser", "parsers: which there are; load, replace or unload one", add_parser},
        Command{"status", "policies with their counters, and loaded parsers", add_status},
        Command{"stats", "the kernel's counters that are not 0", add_stats},
        Command{"config", "check a configuration, show what it would change, apply it", add_config},
        Command{"reload", "have librad read its configuration again", add_reload},
        Command{"resume", "try a policy again that its breaker took back", add_resume},
        Command{"off", "nothing more is kept in the kernel, at once; without librad as well",
                add_off},
        Command{"on", "take off back", add_on},
        Command{"doctor", "what keeps Libra from working here, or makes it unsafe or slow",
                add_doctor},
        Command{"features", "what this kernel and its Libra can do", add_features},
    };
    return kCommands;
}

}  // namespace libra
