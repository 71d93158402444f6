// SPDX-License-Identifier: GPL-2.0-only
// Lines of "kind key=value ...", as the kernel's libra_sockets and libra_payload have them. A
// key that is not asked for is ignored: a later kernel may say more.
#pragma once

#include <charconv>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace libra {

class ProcLine {
  public:
    static Result<ProcLine> parse(std::string_view line);

    const std::string& kind() const { return kind_; }

    // Empty if there is no such key.
    std::string text(std::string_view key) const;

    // 0 if there is no such key, or it is no number of this type.
    template <typename T>
    T number(std::string_view key) const {
        const auto it = fields_.find(key);
        return it == fields_.end() ? T{} : parse_number<T>(it->second).value_or(T{});
    }

    // Of "1,2,3"; what is no number is left out.
    template <typename T>
    std::vector<T> numbers(std::string_view key) const {
        std::vector<T> values;
        const std::string all = text(key);
        for (std::string_view rest = all; !rest.empty();) {
            const auto one = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(one.size() + 1, rest.size()));
            if (const auto value = parse_number<T>(one))
                values.push_back(*value);
        }
        return values;
    }

  private:
    template <typename T>
    static std::optional<T> parse_number(std::string_view text) {
        T value{};
        const char* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, value);
        if (parsed.ec != std::errc() || parsed.ptr != end)
            return std::nullopt;
        return value;
    }

    std::string kind_;
    std::map<std::string, std::string, std::less<>> fields_;
};

// The lines behind the title "NAME VERSION", which has to be this one.
Result<std::vector<ProcLine>> parse_proc_lines(std::string_view text, std::string_view title);

// The whole of a file of /proc, of which no more than so much is believed.
inline constexpr std::size_t kProcFileMax = 256UL << 20;
Result<std::string> read_proc_file(const std::string& path, std::size_t limit = kProcFileMax);

// What somebody else has chosen, as the name of a task, for a terminal, and for JSON, which is
// UTF-8: a question mark stands for each byte that is not printable ASCII.
std::string harmless(std::string_view text);

}  // namespace libra
