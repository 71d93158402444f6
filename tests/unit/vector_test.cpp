// SPDX-License-Identifier: GPL-2.0-only
//
// Every vector, whole and cut at every byte: the answers must not depend on how
// the stream arrives.
#include <gtest/gtest.h>

#include <ostream>

#include "conversation.h"
#include "http1_vectors.h"
#include "redis_vectors.h"
#include "tls_vectors.h"

void PrintTo(const Answer& a, std::ostream* os) {
    *os << "{verdict " << a.verdict << ", event " << a.event << ", at " << a.start << ", length "
        << a.length << "}";
}

void PrintTo(const Vector& v, std::ostream* os) {
    *os << v.name;
}

namespace {

struct Expected {
    std::vector<Answer> answers;
    std::uint64_t size = 0;
    std::uint64_t message = 0;  // where the header begins that is waited for
    bool waiting = false;
};

std::array<Expected, 2> expected_of(const Vector& v) {
    std::array<Expected, 2> all;
    for (const Step& step : v.steps) {
        const libra_dir dir = direction(v.role, step.request);
        Expected& e = all[dir];
        for (const Segment& s : step.segments) {
            if (s.verdict == LIBRA_NEED_MORE) {
                e.waiting = true;
                e.message = e.size;
            } else if (s.verdict) {
                // What ends the waiting answers for the whole header.
                const std::uint64_t start = e.waiting ? e.message : e.size;
                const int event = s.verdict == LIBRA_PASS ? s.event : kAnyEvent;
                // A client that is not understood will be sent what is not; but
                // what is only copied is understood.
                const bool both = s.verdict == LIBRA_PASS && s.anchored == LIBRA_PASS &&
                                  dir == LIBRA_INGRESS && v.role == LIBRA_ROLE_PASSIVE &&
                                  v.parser == &kHttp1;
                e.answers.push_back({both ? LIBRA_PASS_BOTH : s.verdict, event, start, s.length});
                e.waiting = false;
            }
            e.size += s.bytes.size();
        }
    }
    return all;
}

void check(const Vector& v, const Conversation& talk) {
    ASSERT_EQ(talk.complaint(), "");
    const auto expected = expected_of(v);
    for (libra_dir dir : {LIBRA_INGRESS, LIBRA_EGRESS}) {
        SCOPED_TRACE(dir == LIBRA_INGRESS ? "ingress" : "egress");
        std::vector<Answer> answers = talk[dir].answers;
        for (Answer& a : answers)
            if (a.verdict != LIBRA_PASS && a.verdict != LIBRA_PASS_BOTH)
                a.event = kAnyEvent;  // vectors name the event of a PASS only
        EXPECT_EQ(answers, expected[dir].answers);
        EXPECT_EQ(talk[dir].wanted != 0, expected[dir].waiting);
    }
}

class ParserVector : public testing::TestWithParam<Vector> {};

TEST_P(ParserVector, Whole) {
    const Vector& v = GetParam();
    Conversation talk(*v.parser, v.role, v.flags);
    for (const Step& step : v.steps)
        talk.feed(direction(v.role, step.request), text_of(step));
    check(v, talk);
}

TEST_P(ParserVector, ByteByByte) {
    const Vector& v = GetParam();
    Conversation talk(*v.parser, v.role, v.flags);
    for (const Step& step : v.steps)
        for (const char c : text_of(step))
            talk.feed(direction(v.role, step.request), {&c, 1});
    check(v, talk);
}

TEST_P(ParserVector, CutAtEveryByte) {
    const Vector& v = GetParam();
    for (std::size_t at = 0; at < v.steps.size(); at++) {
        const std::size_t size = text_of(v.steps[at]).size();
        // Long vectors are about limits; there a cut is as good as the next.
        const std::size_t stride = size > 8192 ? 997 : 1;
        for (std::size_t cut = 1; cut < size; cut += stride) {
            SCOPED_TRACE("step " + std::to_string(at) + " cut at " + std::to_string(cut));
            Conversation talk(*v.parser, v.role, v.flags);
            for (std::size_t i = 0; i < v.steps.size(); i++) {
                const libra_dir dir = direction(v.role, v.steps[i].request);
                const std::string text = text_of(v.steps[i]);
                const std::string_view view = text;
                if (i != at) {
                    talk.feed(dir, view);
                } else {
                    talk.feed(dir, view.substr(0, cut));
                    talk.feed(dir, view.substr(cut));
                }
            }
            check(v, talk);
            if (HasFatalFailure() || HasNonfatalFailure())
                return;
        }
    }
}

// The same conversation seen from the other end: only who copies request
// bodies differs.
TEST_P(ParserVector, OtherRole) {
    Vector v = GetParam();
    v.role = v.role == LIBRA_ROLE_PASSIVE ? LIBRA_ROLE_ACTIVE : LIBRA_ROLE_PASSIVE;
    v.flags |= LIBRA_F_ANCHOR_REQUESTS;
    for (Step& step : v.steps)
        for (Segment& s : step.segments)
            s.verdict = s.anchored;
    Conversation talk(*v.parser, v.role, v.flags);
    for (const Step& step : v.steps)
        talk.feed(direction(v.role, step.request), text_of(step));
    check(v, talk);
}

const auto kName = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Http1, ParserVector, testing::ValuesIn(http1_vectors()), kName);
INSTANTIATE_TEST_SUITE_P(Redis, ParserVector, testing::ValuesIn(redis_vectors()), kName);
INSTANTIATE_TEST_SUITE_P(Tls, ParserVector, testing::ValuesIn(tls_vectors()), kName);

}  // namespace

std::string text_of(const Step& step) {
    std::string text;
    for (const Segment& s : step.segments)
        text += s.bytes;
    return text;
}

std::vector<Vector> of_parser(const HostParser& parser, std::vector<Vector> vectors) {
    for (Vector& v : vectors)
        v.parser = &parser;
    return vectors;
}
