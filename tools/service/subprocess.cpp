// SPDX-License-Identifier: GPL-2.0-only
#include "subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstring>
#include <utility>

#include "unique_fd.h"

namespace libra::service {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOutput = 8U << 20;

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        return Error::from_errno("pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

class FileActions {
  public:
    FileActions() { posix_spawn_file_actions_init(&actions_); }
    ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;

    posix_spawn_file_actions_t* get() { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_{};
};

// Signals that are held back here are not to be held back there.
class Attributes {
  public:
    Attributes() {
        posix_spawnattr_init(&attributes_);
        sigset_t none;
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
    }
    ~Attributes() { posix_spawnattr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;

    posix_spawnattr_t* get() { return &attributes_; }

  private:
    posix_spawnattr_t attributes_{};
};

// What is said is read by programs, so in English.
std::vector<std::string> plain_environment() {
    std::vector<std::string> variables;
    for (char** each = environ; *each; ++each) {
        const std::string_view variable(*each);
        if (!variable.starts_with("LC_") && !variable.starts_with("LANG") &&
            !variable.starts_with("SYSTEMD_COLORS=") && !variable.starts_with("SYSTEMD_PAGER="))
            variables.emplace_back(variable);
    }
    variables.emplace_back("LC_ALL=C");
    return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

// False at its end.
bool read_some(int fd, std::string& into) {
    std::array<char, 16384> buffer{};
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0)
        return errno == EINTR;
    if (got > 0 && into.size() < kMaxOutput)
        into.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0;
}

// False if time is up first.
bool read_both(int out, int err, Output& into, Clock::time_point end) {
    std::array<pollfd, 2> waits{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
    while (waits[0].fd >= 0 || waits[1].fd >= 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0)
            return false;
        if (poll(waits.data(), waits.size(), static_cast<int>(left)) < 0)
            continue;
        for (auto& [wait, text] : {std::pair<pollfd&, std::string&>(waits[0], into.out),
                                   std::pair<pollfd&, std::string&>(waits[1], into.err)}) {
            if (wait.fd >= 0 && wait.revents && !read_some(wait.fd, text))
                wait.fd = -1;
        }
    }
    return true;
}

int status_of(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string Output::complaint() const {
    const auto end = err.find_last_not_of(" \n");
    if (end == std::string::npos)
        return fmt::format("it said nothing, exit status {}", status);
    return err.substr(0, end + 1);
}

Result<Output> run_program(const std::vector<std::string>& command, std::chrono::seconds limit) {
    auto out = make_pipe();
    if (!out)
        return std::move(out).error();
    auto err = make_pipe();
    if (!err)
        return std::move(err).error();

    FileActions actions;
    posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(actions.get(), out->write.get(), 1);
    posix_spawn_file_actions_adddup2(actions.get(), err->write.get(), 2);
    Attributes attributes;
    auto words = command;
    auto variables = plain_environment();
    pid_t child = 0;
    const int error = posix_spawnp(&child, words.at(0).c_str(), actions.get(), attributes.get(),
                                   pointers_to(words).data(), pointers_to(variables).data());
    if (error != 0)
        return Error::from_errno(words[0], error);
    out->write = UniqueFd();
    err->write = UniqueFd();

    Output output;
    const bool in_time = read_both(out->read.get(), err->read.get(), output, Clock::now() + limit);
    if (!in_time)
        kill(child, SIGKILL);
    output.status = status_of(child);
    if (!in_time)
        return Error(
            fmt::format("{} took longer than {} s", fmt::join(command, " "), limit.count()),
            ETIMEDOUT);
    return output;
}

}  // namespace libra::service
