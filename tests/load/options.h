// SPDX-License-Identifier: GPL-2.0-only
// What the user asked for; the names are those of the command line.
#pragma once

#include <cstdint>
#include <string>

namespace libra::load {

struct Options {
    std::string url;
    std::string reference;
    std::string method = "GET";
    unsigned connections = 1;
    std::uint64_t requests = 0;     // attempts; 0: until `duration` is over
    double duration = 0;            // seconds; no request starts later
    double timeout = 30;            // seconds per request
    bool close = false;             // one request per connection
    std::uint64_t abort_after = 0;  // body bytes after which the client vanishes; 0: never
    double abort_fraction = 1;      // share of the requests that vanish
    bool abort_reset = false;       // vanish with RST instead of FIN
    bool gzip = false;              // ask for gzip, and accept nothing else
    std::uint64_t read_rate = 0;    // bytes per second and connection; 0: as they come
    int receive_buffer = 0;         // SO_RCVBUF; 0: the system's
    int status = 200;
};

}  // namespace libra::load
