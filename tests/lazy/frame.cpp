// SPDX-License-Identifier: GPL-2.0-only
#include "frame.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <utility>

#include "arena.h"
#include "common/counters.h"
#include "common/fd.h"

namespace libra::test {
namespace {

using Clock = std::chrono::steady_clock;

enum Status { kOk = 0, kFailed = 1, kSkipped = 2 };

// Nothing of these may be left when a process has ended.
constexpr const char* kGauges[] = {"lazy_pages", "payload_pages", "payload_processes",
                                   "anchor_charge_live"};
constexpr auto kSettle = std::chrono::seconds(20);

// Where the running case and its children say why they failed.
int complaints = -1;

void complain(const std::string& text) {
    const std::string line = text + "\n";
    if (::write(complaints, line.data(), line.size()) < 0)
        std::cerr << line;
}

int guarded(void (*body)(void*), void* given) {
    try {
        body(given);
        return kOk;
    } catch (const Skipped& why) {
        complain(why.what());
        return kSkipped;
    } catch (const std::exception& error) {
        complain(error.what());
        return kFailed;
    }
}

struct Outcome {
    int status = kOk;
    std::string text;
};

void read_more(int fd, std::string& text) {
    char part[4096];
    ssize_t count = 0;
    while ((count = ::read(fd, part, sizeof(part))) > 0)
        text.append(part, static_cast<std::size_t>(count));
}

std::string describe(int status) {
    if (WIFSIGNALED(status))
        return std::string("killed by ") + ::strsignal(WTERMSIG(status));
    return "exit status " + std::to_string(WEXITSTATUS(status));
}

// What is left, in one line, when it had its time to go.
std::string left_behind() {
    const auto end = Clock::now() + kSettle;
    std::string left;
    do {
        left.clear();
        Counters now = read_counters();
        for (const char* name : kGauges) {
            if (!now.contains(name))
                return std::string("there is no counter ") + name;
            if (now[name] != 0)
                left += std::string(" ") + name + " " + std::to_string(now[name]);
        }
        if (left.empty())
            return left;
        ::usleep(10'000);
    } while (Clock::now() < end);
    return "left behind:" + left;
}

Outcome run(const Case& one) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return {kFailed, std::string("pipe: ") + std::strerror(errno)};
    std::cout.flush();
    const pid_t child = ::fork();
    if (child == 0) {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(ends[0]);
        complaints = ends[1];
        Case copy = one;
        std::_Exit(guarded(
            [](void* given) {
                auto* it = static_cast<Case*>(given);
                it->run(it->family);
            },
            &copy));
    }
    ::setpgid(child, child);
    ::close(ends[1]);

    Outcome outcome;
    const auto end = Clock::now() + std::chrono::seconds(setting().time_limit);
    int status = 0;
    bool late = false;
    while (::waitpid(child, &status, WNOHANG) == 0) {
        pollfd poll = {.fd = ends[0], .events = POLLIN, .revents = 0};
        ::poll(&poll, 1, 5);
        read_more(ends[0], outcome.text);
        if (Clock::now() > end) {
            late = true;
            ::kill(-child, SIGKILL);
            ::waitpid(child, &status, 0);
            break;
        }
    }
    ::kill(-child, SIGKILL);  // what the case forgot
    read_more(ends[0], outcome.text);
    ::close(ends[0]);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
    if (late)
        outcome.text += "did not end within " + std::to_string(setting().time_limit) + " s\n";
    else if (!WIFEXITED(status))
        outcome.text += describe(status) + "\n";
    if (!setting().plain) {
        if (const std::string left = left_behind(); !left.empty()) {
            outcome.status = kFailed;
            outcome.text += left + "\n";
        }
    }
    return outcome;
}

}  // namespace

Setting& setting() {
    static Setting it;
    return it;
}

std::vector<Case>& cases() {
    static std::vector<Case> all;
    return all;
}

Register::Register(const char* name, void (*run)(int), bool both_families) {
    if (!both_families) {
        cases().push_back({name, run, AF_INET});
        return;
    }
    cases().push_back({std::string(name) + ".v4", run, AF_INET});
    cases().push_back({std::string(name) + ".v6", run, AF_INET6});
}

void require_call(bool truth, const std::string& what) {
    if (!truth)
        throw Failed(what + ": " + std::strerror(errno));
}

void remark(const std::string& text) {
    complain(text);
}

pid_t Child::begin() {
    const pid_t pid = ::fork();
    require_call(pid >= 0, "fork");
    return pid;
}

int Child::guard(void (*body)(void*), void* given) {
    return guarded(body, given);
}

void Child::end(int status) {
    std::_Exit(status);
}

int Child::status() {
    int status = 0;
    const pid_t pid = std::exchange(pid_, 0);
    require_call(::waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

void Child::wait(const std::string& what) {
    const int end = status();
    require(WIFEXITED(end) && WEXITSTATUS(end) == 0, what + ": " + describe(end));
}

Child::~Child() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

int run_cases(const std::string& only) {
    // Never mapped, it keeps the hooks in place: to put them there takes a second each
    // time on an emulated machine.
    const Fd device(setting().plain ? -1 : open_device());
    const Fd arena(setting().plain ? -1 : new_arena(device.get(), kPage));
    int count = 0;
    int failed = 0;
    for (const Case& one : cases()) {
        if (one.name.find(only) == std::string::npos)
            continue;
        const auto begin = Clock::now();
        const Outcome outcome = run(one);
        const std::chrono::duration<double> took = Clock::now() - begin;
        ++count;
        failed += outcome.status != kOk && outcome.status != kSkipped;
        std::cout << (outcome.status == kOk || outcome.status == kSkipped ? "ok " : "not ok ")
                  << count << " - " << one.name;
        if (outcome.status == kSkipped)
            std::cout << " # SKIP " << outcome.text.substr(0, outcome.text.find('\n'));
        else
            std::cout << " (" << std::fixed << std::setprecision(1) << took.count() << " s)";
        std::cout << '\n';
        if (outcome.status != kSkipped) {
            std::istringstream lines(outcome.text);
            for (std::string line; std::getline(lines, line);)
                std::cout << "#   " << line << '\n';
        }
        std::cout.flush();
    }
    std::cout << "1.." << count << std::endl;
    return failed != 0 || count == 0 ? 1 : 0;
}

void list_cases() {
    for (const Case& one : cases())
        std::cout << one.name << '\n';
}

}  // namespace libra::test
