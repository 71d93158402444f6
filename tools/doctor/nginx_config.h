// SPDX-License-Identifier: GPL-2.0-only
// An nginx configuration as a tree, with what it includes in its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "files.h"

namespace libra::doctor {

struct NginxDirective {
    std::string name;
    std::vector<std::string> arguments;  // of a block of Lua, that as the last one
    Position at;
    bool has_block = false;
    std::vector<NginxDirective> block;

    // As it was written, in one line and without quotes: "location /shop".
    std::string text() const;
};

struct NginxConfig {
    std::vector<NginxDirective> main;
    std::vector<std::string> files;     // in the order in which they were read
    std::vector<std::string> problems;  // what could not be read or understood: FILE[:LINE]: what
};

// What nginx would read from this file. It goes on behind what it does not understand as far as
// that is possible, and says so.
NginxConfig read_nginx_config(const Files& files, const std::string& path);

// The output of nginx -T, also with its standard error before it: a file behind each line
// "# configuration file PATH:", of which the first is the main one.
bool is_nginx_dump(std::string_view text);
NginxConfig read_nginx_dump(std::string_view text);

}  // namespace libra::doctor
