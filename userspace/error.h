// SPDX-License-Identifier: GPL-2.0-only
// The one error type: a message that gathers context on its way up, and the
// errno it came from, if any. std::expected is C++23; this is what we need of it.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace libra {

class Error {
  public:
    explicit Error(std::string message, int code = 0) : message_(std::move(message)), code_(code) {}

    // "what: Permission denied"
    static Error from_errno(std::string_view what, int code = errno) {
        return Error(std::string(what) + ": " + std::generic_category().message(code), code);
    }

    // Puts where it happened in front of what happened.
    Error context(std::string_view where) && {
        message_.insert(0, std::string(where) + ": ");
        return std::move(*this);
    }

    const std::string& message() const { return message_; }
    int code() const { return code_; }

  private:
    std::string message_;
    int code_;
};

template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }

    T& value() & { return *std::get_if<0>(&state_); }
    const T& value() const& { return *std::get_if<0>(&state_); }
    T&& value() && { return std::move(*std::get_if<0>(&state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& { return *std::get_if<1>(&state_); }
    Error error() && { return std::move(*std::get_if<1>(&state_)); }

  private:
    std::variant<T, Error> state_;
};

struct Ok {};
using Status = Result<Ok>;

}  // namespace libra
