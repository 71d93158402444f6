// SPDX-License-Identifier: GPL-2.0-only
//
// Random damage to the vectors; what must hold all the same is in
// http1_properties.h.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "conversation.h"
#include "http1_properties.h"
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
            "0\r\n\r\n",
            "\r\n3;a=b\r\n",
            "5\r\nhello\r\n",
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

// Some of the mixtures of leniency, others each time, and the most lenient one.
void some_leniencies(Mutator& random, const std::function<void(const Leniency&)>& check) {
    constexpr unsigned kAll = 1U << Leniency::kCount;
    check(Leniency(0));
    check(Leniency(kAll - 1));
    for (int i = 0; i < 32; i++)
        check(Leniency(static_cast<unsigned>(random.below(kAll))));
}

void try_one(const Vector& v, const std::vector<Piece>& pieces, Mutator& random) {
    Conversation talk(kHttp1, v.role, v.flags | LIBRA_F_ANCHOR_REQUESTS);
    AllowedPayload allowed;
    for (const Piece& piece : pieces) {
        std::string_view rest = piece.text;
        while (!rest.empty()) {
            const std::size_t n = 1 + random.below(rest.size());
            talk.feed(direction(v.role, piece.request), rest.substr(0, n));
            rest.remove_prefix(n);
        }
        allowed.feed(piece.request, piece.text);
    }
    ASSERT_EQ(talk.complaint(), "");
    EXPECT_EQ(forbidden_payload(talk, v.role, allowed), "");
    EXPECT_EQ(lenient_disagreement(talk, v.role,
                                   [&](const auto& check) { some_leniencies(random, check); }),
              "");
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
        AllowedPayload allowed;
        for (const Piece& piece : pieces)
            allowed.feed(piece.request, piece.text);
        for (const Step& step : v.steps)
            for (const Segment& s : step.segments)
                if (s.anchored == LIBRA_PAYLOAD || s.anchored == LIBRA_PAYLOAD_PART ||
                    s.anchored == LIBRA_PAYLOAD_UNTIL_CLOSE) {
                    EXPECT_FALSE(allowed.empty(step.request)) << v.name;
                }
    }
}

}  // namespace
