// SPDX-License-Identifier: GPL-2.0-only
//
// What must hold of the HTTP/1 parser's answers whatever comes in: payload is
// never announced where the strict reference sees none, and no lenient parser
// reads a message that was announced in another way. The second is what keeps a
// proxy with Libra from helping a request smuggler.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "conversation.h"
#include "http1_reference.h"

// Where payload may be, by the strict reference that is fed the same bytes.
class AllowedPayload {
  public:
    void feed(bool request, std::string_view bytes);

    // Whether the reference sees it as well.
    bool allows(bool request, const Answer& answer) const;

    bool empty(bool request) const { return sides_[request].payload.empty(); }

  private:
    struct Side {
        std::string bytes;
        std::uint64_t position = 0;
        Body inside = Body::none;
        bool behind_data = false;
        bool lost = false;
        std::vector<Answer> payload;
    };

    bool step(bool request, Side& side);
    bool header(bool request, Side& side, std::string_view text);
    bool chunk(Side& side, std::string_view text);

    std::array<Side, 2> sides_;  // 0: responses, 1: requests
    std::deque<Asked> asked_;
    bool waiting_ = false;  // for what the last request asked for
    bool tunnel_ = false;
};

// Calls @check with each parser that is to agree.
using ForEachLeniency = std::function<void(const std::function<void(const Leniency&)>& check)>;

// The first disagreement about the messages of @talk, in words; empty when there
// is none.
std::string lenient_disagreement(const Conversation& talk, libra_role role,
                                 const ForEachLeniency& for_each);

// The first answer in @talk that is payload but not in @allowed, in words.
std::string forbidden_payload(const Conversation& talk, libra_role role,
                              const AllowedPayload& allowed);
