// SPDX-License-Identifier: GPL-2.0-only
#include "commands.h"

#include <array>

namespace libra {

std::span<const Command> commands() {
    static constexpr std::array kCommands{
        Command{"attach", "give a service payload memory, or add a policy for new connections",
                add_attach},
        Command{"detach", "take either back", add_detach},
        Command{"run", "run a program with payload memory", add_run},
        Command{"parser", "parsers: which there are; load, replace or unload one", add_parser},
        Command{"explain", "why a connection, or a service, is accelerated or not", add_explain},
        Command{"status", "policies with their counters, and loaded parsers", add_status},
        Command{"stats", "the kernel's counters that are not 0", add_stats},
        Command{"checked", "whether messages that were copied left as they came, and which did not",
                add_checked},
        Command{"top", "services, what stays in the kernel, and what was copied, live", add_top},
        Command{"trace", "follow what happens, in words", add_trace},
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
