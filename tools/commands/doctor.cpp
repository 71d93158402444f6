// SPDX-License-Identifier: GPL-2.0-only
// Works without librad, and says so if it does not run.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "client.h"
#include "commands.h"
#include "doctor/doctor_report.h"

namespace libra {
namespace {

using doctor::Question;

struct Options {
    Question question;
    bool token = false;
    bool lazy = false;
    std::string only;
};

void check(Options& options) {
    Question& question = options.question;
    if (options.token != options.lazy)
        question.modes = options.token ? doctor::kToken : doctor::kLazy;
    if (question.anchor_requests && !(question.modes & doctor::kToken))
        throw CLI::ValidationError("--anchor-requests", "is of token mode: not with --lazy alone");
    question.system = options.only != "proxies";
    question.proxies = options.only != "system";
}

Status reach_librad(const Session& session) {
    auto client = Client::connect(session.socket);
    if (!client)
        return std::move(client).error();
    const auto line = client->ask(StatusRequest{});
    if (!line)
        return line.error();
    if (const auto answer = parse_answer(*line); !answer)
        return answer.error();
    return Ok{};
}

int run_doctor(const Session& session, const Question& question) {
    const doctor::Surroundings around{doctor::Machine(), question.modes,
                                      [&session] { return reach_librad(session); }};
    const doctor::Diagnosis diagnosis = doctor::diagnose(question, around);
    if (session.json)
        fmt::print("{}\n", doctor::json_report(diagnosis, question));
    else
        fmt::print("{}", doctor::text_report(diagnosis, question, is_for_people(stdout)));
    if (diagnosis.is_broken())
        return kRefused;
    return diagnosis.is_partial() ? kUnreachable : kOk;
}

}  // namespace

Run add_doctor(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    Question& question = options->question;
    command.add_flag("--token", options->token, "only what is about token mode");
    command.add_flag("--lazy", options->lazy, "only what is about lazy mode");
    command.add_flag("--anchor-requests", question.anchor_requests,
                     "token mode for request bodies as well");
    command.add_option("--only", options->only, "system: this machine; proxies: configurations")
        ->check(CLI::IsMember({"system", "proxies"}));
    command
        .add_option("--nginx-conf", question.nginx,
                    "this configuration, or the output of nginx -T; repeatable")
        ->allow_extra_args(false);
    command
        .add_option("--haproxy-conf", question.haproxy,
                    "this file, or directory of *.cfg; repeatable, as -f of haproxy")
        ->allow_extra_args(false);
    command.final_callback([options = options.get()] { check(*options); });
    return [options](const Session& session) { return run_doctor(session, options->question); };
}

}  // namespace libra
