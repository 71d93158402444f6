// SPDX-License-Identifier: GPL-2.0-only
#include "passing.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace libra {

Result<std::vector<PassingDomain>> parse_passing(const std::string& text) {
    std::vector<PassingDomain> domains;
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string first;
        words >> first;
        if (first == "domain") {
            PassingDomain domain;
            std::string clients;
            std::string upstreams;
            words >> domain.domain >> clients >> domain.clients >> upstreams >> domain.upstreams;
            if (words && clients == "clients" && upstreams == "upstreams") {
                domains.push_back(std::move(domain));
                continue;
            }
        } else if ((first == "client" || first == "upstream") && !domains.empty()) {
            PassingConnection connection;
            connection.role = first;
            words >> connection.peer >> connection.local >> connection.reason >> connection.seconds;
            if (words) {
                words >> connection.said;  // a kernel of before does not tell
                domains.back().oldest.push_back(std::move(connection));
                continue;
            }
        }
        return Error(fmt::format("line '{}' is not understood", line), EPROTO);
    }
    return domains;
}

Result<std::vector<PassingDomain>> read_passing(const char* path) {
    std::ifstream file(path);
    if (!file)
        return std::vector<PassingDomain>{};
    std::stringstream text;
    text << file.rdbuf();
    auto domains = parse_passing(text.str());
    if (!domains)
        return std::move(domains).error().context(path);
    return domains;
}

}  // namespace libra
