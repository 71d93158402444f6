// SPDX-License-Identifier: GPL-2.0-only
// librad's answers as text for people. Fields that are missing or of another
// type (a librad of another version) show as empty or 0.
#pragma once

#include <string>
#include <vector>

#include "protocol.h"

namespace libra {

using Row = std::vector<std::string>;

// In columns, each as wide as it has to be.
std::string table(const std::vector<Row>& rows);

std::string report_status(const Json& answer);

// What a configuration changed, or would change: a line for each policy.
std::string report_changes(const Json& answer);
std::string report_parsers(const Json& answer);

// Counters that are not zero, or all of them.
std::string report_stats(const Json& answer, bool all);

}  // namespace libra
