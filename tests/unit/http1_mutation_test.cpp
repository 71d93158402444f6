// SPDX-License-Identifier: GPL-2.0-only
//
// Random damage to the vectors. Two properties must hold whatever comes in:
// payload is never announced where the strict reference sees none, and no
// lenient parser reads a message that was announced in another way. The second
// is what keeps a proxy with Libra from helping a request smuggler.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <random>

#include "conversation.h"
#include "http1_reference.h"
#include "http1_vectors.h"

namespace {

struct Piece {
    bool request;
    std::string text;
};

class Mutator {
  public:
    explicit Mutator(unsigned seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return n ? random_() % n : 0; }

    void damage(std::string& text) {
        static const std::vector<std::string> kPieces = {
            "\r",
            "\n",
            "\r\n",
            "\n\n",
            "\r\n\r\n",
            std::string(1, '\0'),
            " ",
            "\t",
            ":",
            ",",
            "0",
            "9",
            "-",
            "\x80",
            "HEAD ",
            "CONNECT ",
            "HTTP/1.0",
            "101",
            "204",
            "304",
            "Content-Length: 3\r\n",
            "content-length:7\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Upgrade: x\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"};
        const std::size_t at = below(text.size() + 1);
        const std::size_t run = 1 + below(below(8) ? 3 : 60);
        const std::string piece = kPieces[below(kPieces.size())];
        switch (below(6)) {
            case 0:
                text.insert(at, piece);
                break;
            case 1:
                text.replace(at, piece.size(), piece);
                break;
            case 2:
                text.erase(at, run);
                break;
            case 3:
                text.insert(at, text.substr(below(text.size()), run));
                break;
            case 4:
                if (at < text.size())
                    text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
                break;
            default:
                if (at < text.size())
                    text[at] = static_cast<char>(below(256));
        }
    }

  private:
    std::mt19937 random_;
};

// One side of the strict reference; see allowed_payload().
struct Side {
    std::string bytes;
    std::uint64_t position = 0;
    bool lost = false;
};

// Where payload may be, per side (0: responses, 1: requests).
std::array<std::vector<Answer>, 2> allowed_payload(const std::vector<Piece>& pieces) {
    std::array<std::vector<Answer>, 2> allowed;
    std::array<Side, 2> sides;
    std::deque<bool> heads;
    for (const Piece& piece : pieces) {
        Side& side = sides[piece.request];
        side.bytes += piece.text;
        while (!side.lost && side.position < side.bytes.size()) {
            if (!piece.request && heads.empty()) {
                side.lost = true;
                break;
            }
            const auto message = strict_message(std::string_view(side.bytes).substr(side.position),
                                                piece.request, !piece.request && heads.front());
            if (!message)
                break;  // incomplete, or never
            if (piece.request)
                heads.push_back(message->head);
            else if (!message->interim)
                heads.pop_front();
            side.position += message->header;
            if (message->body)
                allowed[piece.request].push_back(
                    {LIBRA_PAYLOAD, HTTP1_BODY, side.position, message->body});
            side.position += message->body;
        }
    }
    return allowed;
}

// Calls @check(leniency) for every mixture.
template <typename F>
void for_each_leniency(F check) {
    for (unsigned bits = 0; bits < 64; bits++)
        check(Leniency{.lf_ends_line = (bits & 1) != 0,
                       .cr_ends_line = (bits & 2) != 0,
                       .blank_line_may_hold_spaces = (bits & 4) != 0,
                       .names_are_trimmed = (bits & 8) != 0,
                       .nul_ends_text = (bits & 16) != 0,
                       .last_length_wins = (bits & 32) != 0});
}

// Every message of one direction, read by every lenient parser. @heads: which
// requests are HEAD, filled by requests and used up by responses.
void expect_lenient_parsers_agree(const Conversation::Stream& stream, bool request,
                                  std::deque<bool>& heads) {
    for (std::size_t i = 0; i < stream.answers.size(); i++) {
        const Answer& a = stream.answers[i];
        if (a.verdict == LIBRA_PASS || a.event == HTTP1_BODY)
            continue;
        const std::string_view text = std::string_view(stream.bytes).substr(a.start);
        Message announced{.header = a.length,
                          .head = request && text.starts_with("HEAD "),
                          .interim = a.event == HTTP1_INTERIM};
        ASSERT_TRUE(request || !heads.empty()) << "answers no request: " << text;
        const bool head = !request && heads.front();
        if (request)
            heads.push_back(announced.head);
        else if (!announced.interim)
            heads.pop_front();

        if (i + 1 < stream.answers.size() && stream.answers[i + 1].event == HTTP1_BODY)
            announced.body = stream.answers[i + 1].length;
        else if (a.length == text.size())
            continue;  // whether a body follows was not asked yet
        for_each_leniency([&](const Leniency& how) {
            const auto other = lenient_message(text, request, head, how);
            if (other) {
                EXPECT_EQ(*other, announced) << "read differently: " << text;
            }
        });
    }
}

void try_one(const Vector& v, const std::vector<Piece>& pieces, Mutator& random) {
    Conversation talk(v.role, v.flags | LIBRA_F_ANCHOR_REQUESTS);
    for (const Piece& piece : pieces) {
        std::string_view rest = piece.text;
        while (!rest.empty()) {
            const std::size_t n = 1 + random.below(rest.size());
            talk.feed(direction(v.role, piece.request), rest.substr(0, n));
            rest.remove_prefix(n);
        }
    }
    ASSERT_EQ(talk.complaint(), "");

    const auto allowed = allowed_payload(pieces);
    std::deque<bool> heads;
    for (const bool request : {true, false}) {
        const auto& stream = talk[direction(v.role, request)];
        for (const Answer& a : stream.answers) {
            if (a.verdict == LIBRA_PAYLOAD) {
                EXPECT_NE(std::find(allowed[request].begin(), allowed[request].end(), a),
                          allowed[request].end())
                    << "payload of " << a.length << " bytes at " << a.start << " of "
                    << stream.bytes;
            }
        }
        expect_lenient_parsers_agree(stream, request, heads);
    }
}

TEST(Http1Mutation, NoPayloadThatAnotherParserDoubts) {
    constexpr int kRounds = 60;
    Mutator random(20240229);
    for (const Vector& v : http1_vectors()) {
        std::vector<Piece> pieces;
        std::size_t size = 0;
        for (const Step& step : v.steps) {
            pieces.push_back({step.request, text_of(step)});
            size += pieces.back().text.size();
        }
        if (size > 8192)
            continue;
        for (int round = 0; round < kRounds; round++) {
            auto damaged = pieces;
            for (std::size_t n = random.below(4); n > 0; n--)
                random.damage(damaged[random.below(damaged.size())].text);
            SCOPED_TRACE(v.name + " round " + std::to_string(round));
            try_one(v, damaged, random);
            if (HasFailure())
                return;
        }
    }
}

// The reference must not be empty-handed, or the property above says nothing.
TEST(Http1Mutation, ReferenceSeesThePayloadOfTheVectors) {
    for (const Vector& v : http1_shape_vectors()) {
        std::vector<Piece> pieces;
        for (const Step& step : v.steps)
            pieces.push_back({step.request, text_of(step)});
        const auto allowed = allowed_payload(pieces);
        for (const Step& step : v.steps)
            for (const Segment& s : step.segments)
                if (s.verdict == LIBRA_PAYLOAD) {
                    EXPECT_FALSE(allowed[step.request].empty()) << v.name;
                }
    }
}

}  // namespace
