// SPDX-License-Identifier: GPL-2.0-only
#include "interval.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <array>
#include <csignal>
#include <cstdio>

namespace libra {

Result<EndSignals> EndSignals::create() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&signals, number);
    if (sigprocmask(SIG_BLOCK, &signals, nullptr) || std::signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return Error::from_errno("cannot hold signals back");
    UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
        return Error::from_errno("cannot ask for signals");
    return EndSignals(std::move(fd));
}

EndSignals::Woken EndSignals::wait(std::chrono::milliseconds time, int fd) const {
    std::array<pollfd, 2> asked = {pollfd{.fd = fd_.get(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = fd, .events = POLLIN, .revents = 0}};
    const int ready = poll(asked.data(), asked.size(), static_cast<int>(time.count()));
    if (ready < 0 || asked[0].revents)
        return Woken::end;
    return asked[1].revents ? Woken::readable : Woken::time;
}

bool flush_output() {
    return std::fflush(stdout) == 0 && !std::ferror(stdout);
}

}  // namespace libra
