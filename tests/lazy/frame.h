// SPDX-License-Identifier: GPL-2.0-only
// Cases that register themselves. Each runs in a process of its own: one that dies,
// or hangs, fails alone, and what it leaves behind can be told from what it used.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace libra::test {

struct Setting {
    bool plain = false;     // ordinary memory: checks the cases themselves
    bool long_run = false;  // races for minutes, not seconds
    int time_limit = 120;   // seconds for a case
};
Setting& setting();

inline int rounds(int quick, int thorough) {
    return setting().long_run ? thorough : quick;
}

class Failed : public std::runtime_error {
    using std::runtime_error::runtime_error;
};
class Skipped : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Case {
    std::string name;
    void (*run)(int family);
    int family;
};
std::vector<Case>& cases();

struct Register {
    Register(const char* name, void (*run)(int), bool both_families);
};

// A case is a function of the family of its sockets: AF_INET, or either in turn.
#define LIBRA_CASE(name, both)                                       \
    static void case_##name(int family);                             \
    static const Register register_##name(#name, case_##name, both); \
    static void case_##name([[maybe_unused]] int family)
#define CASE(name) LIBRA_CASE(name, false)
#define CASE_OF_BOTH_FAMILIES(name) LIBRA_CASE(name, true)

inline void require(bool truth, const std::string& what) {
    if (!truth)
        throw Failed(what);
}

template <typename Got, typename Expected>
void require_equal(const Got& got, const Expected& expected, const std::string& what) {
    if (got == expected)
        return;
    std::ostringstream text;
    text << what << ": " << got << ", expected " << expected;
    throw Failed(text.str());
}

// For what a system call returned: says which errno it was.
void require_call(bool truth, const std::string& what);

// What a case has to tell that passes.
void remark(const std::string& text);

inline void skip(const std::string& why) {
    throw Skipped(why);
}

// A forked child that runs this and exits; what it has to complain of fails the case
// when it is waited for.
class Child {
  public:
    template <typename Body>
    explicit Child(Body body) : pid_(begin()) {
        if (pid_ == 0)
            end(guard([](void* given) { (*static_cast<Body*>(given))(); }, &body));
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    pid_t pid() const { return pid_; }
    void wait(const std::string& what);  // throws Failed if it did not end well
    int status();                        // waits; as waitpid() has it

  private:
    static pid_t begin();
    static int guard(void (*body)(void*), void* given);
    [[noreturn]] static void end(int status);

    pid_t pid_;
};

// Runs them all, or those whose name has this in it; the exit status.
int run_cases(const std::string& only);
void list_cases();

}  // namespace libra::test
