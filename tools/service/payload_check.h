// SPDX-License-Identifier: GPL-2.0-only
// Does the payload of a service stay in the kernel? What its processes and the kernel's counters
// say, and what that means in words.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host.h"
#include "processes.h"
#include "protocol.h"

namespace libra::service {

struct Counters {
    std::map<std::string, std::uint64_t> values;
    std::uint64_t octets = 0;      // that the namespace has received, over IP
    std::uint64_t octets_out = 0;  // that it has sent, headers and all
    // What the sockets of the service have sent since the first look, where that can be told.
    std::optional<std::uint64_t> sent;

    std::uint64_t operator[](const std::string& name) const;
};

// Of the network namespace of this process.
Result<Counters> read_counters(const Host& host, pid_t pid);

enum class Verdict {
    stays,        // of what is sent, enough was left in the kernel meanwhile
    idle,         // nothing to be seen yet
    copied,       // traffic, and too little of it is sent from the kernel
    no_memory,    // the library is there, payload memory is not
    not_loaded,   // some process, or all, is without the library
    not_running,  // no process
};

struct Sighting {
    Verdict verdict = Verdict::not_running;
    std::size_t processes = 0;
    std::size_t with_library = 0;
    std::size_t with_payload = 0;
    double seconds = 0;
    bool others =
        false;  // have payload memory in this network namespace: its counters are theirs, too
    std::map<std::string, std::uint64_t> moved;  // counters
    std::uint64_t octets = 0;
    std::uint64_t sent = 0;        // by the service, or in its network namespace:
    bool sent_by_service = false;  // what is not known of the service is taken from all,
    std::optional<double> share;   // and this, of the bytes sent, is then the least it can be
};

// Less than this, and it is not worth to be called attached: headers of a few responses, or one
// location of many, are more than that.
inline constexpr double kEnoughShare = 0.10;

// Looks at them until enough is seen to stay, or for this long. They come and go meanwhile.
Result<Sighting> watch(const Host& host, const std::function<std::vector<pid_t>()>& list_processes,
                       const std::filesystem::path& library, std::chrono::seconds limit);

// What there was to see between two looks.
Sighting judge(const std::vector<Preloaded>& processes, const Counters& before,
               const Counters& now);

// One sentence, or a few.
std::string words_for(const Sighting& sighting, const std::string& unit);
Json to_json(const Sighting& sighting);

// Who is right to take it for attached.
bool good(Verdict verdict);

}  // namespace libra::service
