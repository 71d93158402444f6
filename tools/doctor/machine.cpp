// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include <algorithm>
#include <system_error>

#include "files.h"
#include "size.h"

namespace libra::doctor {
namespace {

namespace fs = std::filesystem;

// Modules' names have either, and lists of modules do not agree with /sys.
std::string with_underscores(std::string_view name) {
    std::string out(name);
    std::ranges::replace(out, '-', '_');
    return out;
}

}  // namespace

fs::path Machine::path(std::string_view name) const {
    return root_ / fs::path(name).relative_path();
}

bool Machine::exists(std::string_view name) const {
    return status(name).has_value();
}

std::optional<struct stat> Machine::status(std::string_view name) const {
    struct stat info {};
    if (stat(path(name).c_str(), &info))
        return {};
    return info;
}

std::string Machine::text(std::string_view name) const {
    std::string text = read_text(path(name).string());
    while (text.ends_with('\n'))
        text.pop_back();
    return text;
}

std::optional<std::uint64_t> Machine::number(std::string_view name) const {
    return parse_number(text(name));
}

std::vector<std::string> Machine::list(std::string_view name) const {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(path(name), error), end; !error && it != end;
         it.increment(error))
        names.push_back(it->path().filename().string());
    std::ranges::sort(names);
    return names;
}

std::string Machine::link(std::string_view name) const {
    std::error_code error;
    return fs::read_symlink(path(name), error).string();
}

std::optional<std::uint64_t> Machine::libra_sysctl(std::string_view name) const {
    return number(std::string("/proc/sys/net/libra/").append(name));
}

// Lines of modules.dep and modules.builtin begin with a path that ends in NAME.ko, or that and
// how it is compressed.
bool Machine::modules_list(std::string_view list, std::string_view name) const {
    const std::string wanted = with_underscores(name) + ".ko";
    const std::string all = text("/lib/modules/" + release() + "/" + std::string(list));
    std::string_view rest = all;
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        line = line.substr(0, line.find(':'));
        line.remove_prefix(line.rfind('/') + 1);
        const std::string file = with_underscores(line);
        if (file == wanted || file.starts_with(wanted + "."))
            return true;
    }
    return false;
}

Machine::Module Machine::module(std::string_view name) const {
    const std::string directory = "/sys/module/" + with_underscores(name);
    // What is built in has no state, and has no directory unless it has parameters.
    if (exists(directory + "/initstate"))
        return Module::loaded;
    if (exists(directory) || modules_list("modules.builtin", name))
        return Module::built_in;
    return modules_list("modules.dep", name) ? Module::loadable : Module::missing;
}

bool Machine::is_patched() const {
    static constexpr std::string_view kMember("\0icsk_libra\0", 12);
    return text("/sys/kernel/btf/vmlinux").find(kMember) != std::string::npos;
}

std::optional<std::uint64_t> labelled(const std::string& text, std::string_view label) {
    const std::size_t at = text.find(label);
    if (at == std::string::npos)
        return {};
    const std::size_t begin = text.find_first_not_of(" \t", at + label.size());
    if (begin == std::string::npos)
        return {};
    return parse_number(
        std::string_view(text).substr(begin, text.find_first_of(" \t\n", begin) - begin));
}

}  // namespace libra::doctor
