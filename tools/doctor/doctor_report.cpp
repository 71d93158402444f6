// SPDX-License-Identifier: GPL-2.0-only
#include "doctor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace libra::doctor {
namespace {

using nlohmann::json;

constexpr std::size_t kWidth = 100;
constexpr std::size_t kStateColumn = 8;
constexpr std::size_t kNameColumn = 12;
constexpr std::size_t kShownPlaces = 3;

enum class Colour { none, red, yellow, green, bold };

// What a configuration has in it is not to move the cursor.
std::string printable(std::string_view text) {
    std::string out(text);
    std::ranges::replace_if(
        out, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, '?');
    return out;
}

class Page {
  public:
    explicit Page(bool coloured) : coloured_(coloured) {}

    void title(std::string_view text) {
        if (!out_.empty())
            out_ += '\n';
        out_ += painted(printable(text), Colour::bold) + '\n';
    }

    // A word in the first column, and text beside it that is wrapped in its own.
    void row(std::string_view word, Colour colour, std::string_view name, std::string_view text) {
        out_ += "  " + painted(word, colour) + std::string(pad(word, kStateColumn), ' ');
        std::size_t indent = 2 + kStateColumn;
        if (!name.empty()) {
            out_ += std::string(name) + std::string(pad(name, kNameColumn), ' ');
            indent += kNameColumn;
        }
        wrapped(text, indent, indent);
    }

    // Below a row, in the column of its text.
    void more(std::string_view text, bool is_named) {
        const std::size_t indent = 2 + kStateColumn + (is_named ? kNameColumn : 0);
        out_ += std::string(indent, ' ');
        wrapped(text, indent, indent + 2);
    }

    void line(std::string_view text) { out_ += std::string(text) + '\n'; }

    std::string take() { return std::move(out_); }

  private:
    static std::size_t pad(std::string_view word, std::size_t width) {
        return word.size() < width ? width - word.size() : 1;
    }

    std::string painted(std::string_view text, Colour colour) const {
        if (!coloured_ || colour == Colour::none)
            return std::string(text);
        const char* code = colour == Colour::red      ? "31"
                           : colour == Colour::yellow ? "33"
                           : colour == Colour::green  ? "32"
                                                      : "1";
        return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
    }

    // Words are not cut: commands and paths are there to be copied.
    void wrapped(std::string_view text, std::size_t column, std::size_t indent) {
        const std::string clean = printable(text);
        std::string_view rest = clean;
        bool first = true;
        while (!rest.empty()) {
            const std::string_view word = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(rest.size(), word.size() + 1));
            if (!first && column + 1 + word.size() > kWidth) {
                out_ += '\n' + std::string(indent, ' ');
                column = indent;
            } else if (!first) {
                out_ += ' ';
                ++column;
            }
            out_ += word;
            column += word.size();
            first = false;
        }
        out_ += '\n';
    }

    bool coloured_;
    std::string out_;
};

Colour colour_of(State state) {
    return state == State::ok ? Colour::green : state == State::note ? Colour::yellow : Colour::red;
}

void show(Page& page, const std::vector<CheckResult>& results) {
    for (const CheckResult& result : results) {
        const Verdict& verdict = result.verdict;
        page.row(name_of(verdict.state), colour_of(verdict.state), result.id, verdict.says);
        if (!verdict.mend.empty())
            page.more("mend: " + verdict.mend, true);
    }
}

bool is_unsafe(const Finding& finding) {
    return (finding.rule->concerns & (kTokenUnsafe | kRequestsUnsafe)) != 0;
}

// "token and lazy mode"
std::string modes_of(unsigned concerns) {
    if (concerns & kTokenUnsafe)
        return "token mode";
    if (concerns & kRequestsUnsafe)
        return "token mode with --anchor-requests";
    if ((concerns & (kTokenSlow | kLazySlow)) == (kTokenSlow | kLazySlow))
        return "token and lazy mode";
    return concerns & kTokenSlow ? "token mode" : "lazy mode";
}

void show(Page& page, const Finding& finding, unsigned asked) {
    const bool unsafe = is_unsafe(finding);
    page.row(unsafe ? "unsafe" : "slow", unsafe ? Colour::red : Colour::yellow, "",
             finding.hit.at.text() + ": " + finding.hit.text);
    page.more(fmt::format("{} ({}): {}", modes_of(finding.rule->concerns & asked), finding.rule->id,
                          finding.rule->why),
              false);
    page.more("instead: " + finding.instead, false);
    if (!finding.cost.empty())
        page.more("costs: " + finding.cost, false);
    for (std::size_t i = 0; i < finding.places.size(); ++i) {
        if (i == kShownPlaces && finding.places.size() > kShownPlaces + 1) {
            page.more(fmt::format("and in {} more", finding.places.size() - i), false);
            break;
        }
        const Where& place = finding.places[i];
        page.more(fmt::format("in {}: {}", place.at.text(), place.text), false);
    }
}

void show(Page& page, const ProxyReport& report, unsigned asked) {
    page.title(report.proxy.title() +
               (report.proxy.pid || report.proxy.configuration.empty() ? "" : " (not running)"));
    if (!report.proxy.note.empty())
        page.row("note", Colour::yellow, "", report.proxy.note);
    show(page, report.checks);
    for (const std::string& problem : report.problems)
        page.row("unread", Colour::red, "", problem);
    for (const Finding& finding : report.findings)
        show(page, finding, asked);
    if (!report.files.empty() && !report.forwards)
        page.row("note", Colour::yellow, "",
                 "nothing in it has an upstream: Libra is for what is forwarded");
    else if (report.findings.empty() && report.problems.empty() && !report.files.empty())
        page.row("ok", Colour::green, "", "nothing to complain of");
}

std::string count_of(std::size_t count, const char* what) {
    return fmt::format("{} {}", count, what);
}

std::string summary(const Diagnosis& diagnosis) {
    std::size_t bad = 0;
    std::size_t unsafe = 0;
    std::size_t slow = 0;
    const auto count = [&bad](const std::vector<CheckResult>& results) {
        bad += static_cast<std::size_t>(std::ranges::count_if(
            results, [](const CheckResult& one) { return one.verdict.state == State::bad; }));
    };
    count(diagnosis.system);
    for (const ProxyReport& report : diagnosis.proxies) {
        count(report.checks);
        for (const Finding& finding : report.findings)
            ++(is_unsafe(finding) ? unsafe : slow);
    }
    std::string out = fmt::format("{}, {}, {}", count_of(bad, "bad"), count_of(unsafe, "unsafe"),
                                  count_of(slow, "slow"));
    if (diagnosis.unasked)
        out += fmt::format("; {} more with --anchor-requests", diagnosis.unasked);
    if (diagnosis.is_partial())
        out += "; not all could be read";
    return out;
}

// What a configuration has in it is in any encoding.
std::string line_of(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json json_results(const std::vector<CheckResult>& results) {
    json out = json::array();
    for (const CheckResult& result : results)
        out.push_back({{"check", result.id},
                       {"state", name_of(result.verdict.state)},
                       {"says", result.verdict.says},
                       {"mend", result.verdict.mend}});
    return out;
}

json json_finding(const Finding& finding, unsigned asked) {
    json concerns = json::array();
    for (const ConcernName& name : concern_names()) {
        if (finding.rule->concerns & asked & name.concern)
            concerns.push_back(name.name);
    }
    json places = json::array();
    for (const Where& place : finding.places)
        places.push_back({{"file", place.at.file}, {"line", place.at.line}, {"text", place.text}});
    return {{"rule", finding.rule->id},    {"concerns", std::move(concerns)},
            {"file", finding.hit.at.file}, {"line", finding.hit.at.line},
            {"text", finding.hit.text},    {"default", finding.hit.by_default},
            {"why", finding.rule->why},    {"instead", finding.instead},
            {"cost", finding.cost},        {"places", std::move(places)}};
}

}  // namespace

std::string text_report(const Diagnosis& diagnosis, const Question& question, bool coloured) {
    Page page(coloured);
    if (question.system) {
        page.title("System");
        show(page, diagnosis.system);
    }
    for (const ProxyReport& report : diagnosis.proxies)
        show(page, report, question.concerns());
    if (question.proxies && diagnosis.proxies.empty())
        page.line("\nneither nginx nor HAProxy is installed, or runs");
    page.line("\n" + summary(diagnosis));
    return page.take();
}

std::string json_report(const Diagnosis& diagnosis, const Question& question) {
    json proxies = json::array();
    for (const ProxyReport& report : diagnosis.proxies) {
        json findings = json::array();
        for (const Finding& finding : report.findings)
            findings.push_back(json_finding(finding, question.concerns()));
        const Proxy& proxy = report.proxy;
        proxies.push_back({{"program", proxy.program},
                           {"pid", proxy.pid},
                           {"configuration", proxy.configuration},
                           {"files", report.files},
                           {"note", proxy.note},
                           {"problems", report.problems},
                           {"forwards", report.forwards},
                           {"checks", json_results(report.checks)},
                           {"findings", std::move(findings)}});
    }
    return line_of({{"version", kReportVersion},
                    {"broken", diagnosis.is_broken()},
                    {"partial", diagnosis.is_partial()},
                    {"unasked", diagnosis.unasked},
                    {"system", json_results(diagnosis.system)},
                    {"proxies", std::move(proxies)}});
}

std::string text_features(const Machine& machine, bool coloured) {
    std::size_t width = 0;
    for (const Feature& feature : features())
        width = std::max(width, std::string_view(feature.what).size());
    Page page(coloured);
    for (const Feature& feature : features()) {
        const Answer answer = feature.look(machine);
        std::string line = fmt::format("{:<{}}", feature.what, width);
        if (answer.why.empty())
            line.erase(line.find_last_not_of(' ') + 1);
        page.row(answer.is_there ? "yes" : "no", answer.is_there ? Colour::green : Colour::red, "",
                 answer.why.empty() ? line : line + "  " + answer.why);
    }
    return page.take();
}

std::string json_features(const Machine& machine) {
    json list = json::array();
    for (const Feature& feature : features()) {
        const Answer answer = feature.look(machine);
        list.push_back({{"feature", feature.id},
                        {"what", feature.what},
                        {"available", answer.is_there},
                        {"why", answer.why}});
    }
    return line_of({{"version", kReportVersion}, {"features", std::move(list)}});
}

}  // namespace libra::doctor
