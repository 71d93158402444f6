// SPDX-License-Identifier: GPL-2.0-only
// What is asked of a proxy's configuration, and what was found.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "files.h"

namespace libra::doctor {

// What a rule is about. Bits: one rule can be about several.
enum Concern : unsigned {
    kTokenUnsafe = 1,     // the proxy reads or edits payload that is not in its memory
    kRequestsUnsafe = 2,  // the same for request bodies: with --anchor-requests only
    kTokenSlow = 4,       // exact, and token mode gains less than it could, or nothing
    kLazySlow = 8,        // the same for lazy mode
};
inline constexpr unsigned kTokenConcerns = kTokenUnsafe | kRequestsUnsafe | kTokenSlow;
inline constexpr unsigned kLazyConcerns = kLazySlow;

struct ConcernName {
    Concern concern;
    const char* name;  // in JSON
    const char* title;
};
std::span<const ConcernName> concern_names();

struct Rule {
    const char* id;
    unsigned concerns;
    const char* why;
    const char* instead;  // what to write; in nginx's, @ is the handler's module: proxy, fastcgi
};

// Where a rule was broken.
struct Hit {
    Position at;
    std::string text;  // the directive as it is written, or what is so because none is
    bool by_default = false;
};
using Hits = std::vector<Hit>;

struct Where {
    Position at;
    std::string text;

    bool operator==(const Where&) const = default;
};

struct Finding {
    const Rule* rule = nullptr;
    Hit hit;
    std::string instead;
    std::string cost;           // what the advice takes, in memory; may be ""
    std::vector<Where> places;  // in which it is in effect
};

// One finding for each thing that is written, or not written, whatever the number of places.
class Findings {
  public:
    void add(const Rule& rule, Hit hit, std::string instead, std::string cost, Where place);

    std::vector<Finding> take() { return std::move(findings_); }

  private:
    std::vector<Finding> findings_;
};

}  // namespace libra::doctor
