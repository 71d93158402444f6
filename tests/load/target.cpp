// SPDX-License-Identifier: GPL-2.0-only
#include "target.h"

#include <netdb.h>

#include <cstring>
#include <memory>

#include "common/error.h"

namespace libra::load {

using test::Error;

Target resolve(const std::string& url) {
    static const std::string scheme = "http://";
    if (url.rfind(scheme, 0) != 0)
        throw Error("bad URL '" + url + "': it must start with http://");

    Target target;
    const auto slash = url.find('/', scheme.size());
    target.host =
        url.substr(scheme.size(), slash == std::string::npos ? slash : slash - scheme.size());
    target.path = slash == std::string::npos ? "/" : url.substr(slash);

    std::string name = target.host;
    std::string port = "80";
    const auto bracket = name.find(']');  // [v6]:port
    const auto colon = name.find(':', bracket == std::string::npos ? 0 : bracket);
    if (colon != std::string::npos) {
        port = name.substr(colon + 1);
        name.resize(colon);
    }
    if (bracket != std::string::npos) {
        if (name.front() != '[' || name.back() != ']')
            throw Error("bad URL '" + url + "': an IPv6 address is written [address]:port");
        name = name.substr(1, name.size() - 2);
    }
    if (name.empty() || port.empty())
        throw Error("bad URL '" + url + "': no host or no port");

    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int failure = ::getaddrinfo(name.c_str(), port.c_str(), &hints, &found))
        throw Error("cannot resolve " + name + ":" + port + ": " + ::gai_strerror(failure));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> guard(found, &::freeaddrinfo);
    std::memcpy(&target.address, found->ai_addr, found->ai_addrlen);
    target.address_size = found->ai_addrlen;
    return target;
}

}  // namespace libra::load
