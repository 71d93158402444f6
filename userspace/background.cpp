// SPDX-License-Identifier: GPL-2.0-only
#include "background.h"

#include <fcntl.h>
#include <signal.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace libra {
namespace {

// sd-daemon(3): "<4>a warning". systemd adds name and time.
class JournalSink final : public spdlog::sinks::base_sink<std::mutex> {
  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const auto& text = message.payload;
        fprintf(stderr, "<%d>%.*s\n", priority(message.level), static_cast<int>(text.size()),
                text.data());
    }
    void flush_() override {}

  private:
    static int priority(spdlog::level::level_enum level) {
        switch (level) {
            case spdlog::level::critical:
            case spdlog::level::err:
                return LOG_ERR;
            case spdlog::level::warn:
                return LOG_WARNING;
            case spdlog::level::info:
                return LOG_INFO;
            default:
                return LOG_DEBUG;
        }
    }
};

// systemd says which file its journal is; the log may have been sent elsewhere since.
bool stderr_is_journal() {
    const char* stream = getenv("JOURNAL_STREAM");
    unsigned long long device = 0;
    unsigned long long inode = 0;
    struct stat info {};
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

}  // namespace

// A log that nobody reads any more does not end it.
Result<UniqueFd> watch_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    struct sigaction hangup {};
    if (sigaction(SIGHUP, nullptr, &hangup))
        return Error::from_errno("cannot ask about signals");
    if (hangup.sa_handler != SIG_IGN)  // it is with nohup, and would be an event all the same
        sigaddset(&signals, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &signals, nullptr))
        return Error::from_errno("cannot block signals");
    UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
        return Error::from_errno("cannot watch signals");
    return fd;
}

int next_signal(const UniqueFd& signals) {
    signalfd_siginfo info{};
    return read(signals.get(), &info, sizeof(info)) == sizeof(info)
               ? static_cast<int>(info.ssi_signo)
               : 0;
}

Result<UniqueFd> every_second() {
    UniqueFd fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const timespec second = {.tv_sec = 1, .tv_nsec = 0};
    const itimerspec when = {.it_interval = second, .it_value = second};
    if (!fd || timerfd_settime(fd.get(), 0, &when, nullptr))
        return Error::from_errno("cannot make a timer");
    return fd;
}

void log_to_stderr(bool verbose) {
    if (stderr_is_journal()) {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("librad", std::make_shared<JournalSink>()));
    } else {
        spdlog::set_default_logger(spdlog::stderr_color_st("librad"));
        spdlog::set_pattern("librad: %v");
    }
    spdlog::set_level(verbose ? spdlog::level::debug : spdlog::level::info);
}

Status go_to_background() {
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null)
        return Error::from_errno("/dev/null");
    const pid_t pid = fork();
    if (pid < 0)
        return Error::from_errno("cannot fork");
    if (pid > 0)
        _exit(EXIT_SUCCESS);  // no destructors: the child owns everything now
    setsid();
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        dup2(null.get(), fd);
    const auto level = spdlog::get_level();
    spdlog::set_default_logger(
        spdlog::syslog_logger_mt("librad-syslog", "librad", LOG_PID, LOG_DAEMON));
    spdlog::set_pattern("%v");
    spdlog::set_level(level);
    return Ok{};
}

}  // namespace libra
