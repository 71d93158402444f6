// SPDX-License-Identifier: GPL-2.0-only
// What doctor and features say, for people and for programs. libractl.8 documents both.
#pragma once

#include <string>

#include "diagnosis.h"
#include "feature_list.h"

namespace libra::doctor {

// Grows when a field goes away or means something else; new ones do not count.
inline constexpr int kReportVersion = 1;

std::string text_report(const Diagnosis& diagnosis, const Question& question, bool coloured);
std::string json_report(const Diagnosis& diagnosis, const Question& question);

std::string text_features(const Machine& machine, bool coloured);
std::string json_features(const Machine& machine);

}  // namespace libra::doctor
