// SPDX-License-Identifier: GPL-2.0-only
#include "fake_host.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace libra::service {
namespace {

namespace fs = std::filesystem;

// show answers from UNIT.plain, or from UNIT.attached while the drop-in is there.
constexpr const char* kSystemctl = R"(#!/bin/sh
top=TOP
shift 3
word=$1
last=
for each; do last=$each; done
case $word in
daemon-reload) echo "$word" >>"$top/told" ;;
restart) echo "$word $last" >>"$top/told" ;;
esac
if [ -e "$top/fail-$word" ]; then
    echo "it was told to fail" >&2
    exit 1
fi
case $word in
show)
    file=$top/$last.plain
    [ ! -e "$top/etc/$last.d/libra.conf" ] || [ ! -e "$top/$last.attached" ] || file=$top/$last.attached
    if [ ! -e "$file" ]; then
        echo "Id=$last"
        echo "LoadState=not-found"
        exit 0
    fi
    case $* in
    *--value*) name=${3#--property=}; sed -n "s/^$name=//p" "$file" ;;
    *) grep -v -e ^Environment= -e ^ExecStart= "$file" ;;
    esac ;;
show-environment) cat "$top/manager" ;;
esac
exit 0
)";

std::string in_directory(std::string text, const fs::path& directory) {
    return text.replace(text.find("TOP"), 3, directory.string());
}

fs::path make_directory() {
    std::string name = (fs::temp_directory_path() / "libra-host-XXXXXX").string();
    if (!mkdtemp(name.data()))
        throw std::runtime_error("mkdtemp");
    return name;
}

}  // namespace

FakeHost::FakeHost() : systemd(""), directory_(make_directory()) {
    for (const char* each : {"etc", "run", "proc", "cgroup"})
        fs::create_directory(directory_ / each);
    host.root = directory_;
    host.units = directory_ / "etc";
    host.runtime_units = directory_ / "run";
    host.proc = directory_ / "proc";
    host.cgroups = directory_ / "cgroup";
    host.device = "/dev/null";  // a character device that everybody may open
    write("systemctl", in_directory(kSystemctl, directory_));
    write("manager", "LANG=C\nPATH=/bin\n");
    chmod(path("systemctl").c_str(), 0755);
    systemd = Systemctl(path("systemctl").string());
}

FakeHost::~FakeHost() {
    std::error_code error;
    fs::remove_all(directory_, error);
}

void FakeHost::write(const std::string& name, const std::string& text) const {
    fs::create_directories(path(name).parent_path());
    std::ofstream(path(name)) << text;
}

std::string FakeHost::read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path(name)).rdbuf();
    return text.str();
}

void FakeHost::unit(const std::string& name, const std::string& plain,
                    const std::string& attached) const {
    write(name + ".plain", plain);
    if (!attached.empty())
        write(name + ".attached", attached);
}

void FakeHost::fail(const std::string& word) const {
    write("fail-" + word, "");
}

std::vector<std::string> FakeHost::told() const {
    std::vector<std::string> all;
    std::istringstream lines(read("told"));
    for (std::string line; std::getline(lines, line);)
        all.push_back(line);
    return all;
}

}  // namespace libra::service
