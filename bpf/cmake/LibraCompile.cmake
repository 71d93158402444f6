# SPDX-License-Identifier: GPL-2.0-only
#
# How BPF code of Libra's is compiled, in this tree and by who has the package libra-dev
# alone: both include this file.
#
# libra_bpf_command(CLANG SOURCE OBJECT [FLAGS flag...] [DEPENDS what...]): OBJECT is made
# from SOURCE, and again when a header changes that it includes.

set(LIBRA_CLANG clang CACHE STRING "The clang (14 or later) that compiles BPF objects")
find_program(LIBRA_CLANG_PATH ${LIBRA_CLANG} NO_CACHE)
if(NOT LIBRA_CLANG_PATH)
    message(FATAL_ERROR "${LIBRA_CLANG} not found: apt-get install clang, or pass -DLIBRA_CLANG=")
endif()

# BPF_PROG() declares a parameter that most programs leave alone. An object has the names of
# its sources in its type information; where these lie is nobody's business.
set(LIBRA_BPF_FLAGS -target bpf -mcpu=v3 -O2 -g
    -Wall -Wextra -Wno-unused-parameter -Werror)

function(libra_bpf_command clang source object)
    cmake_parse_arguments(PARSE_ARGV 3 arg "" "" "FLAGS;DEPENDS")
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    get_filename_component(name ${source} NAME)
    add_custom_command(
        OUTPUT ${object}
        COMMAND ${clang} ${LIBRA_BPF_FLAGS} ${arg_FLAGS}
            -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
            -MD -MF ${object}.d -MT ${object}
            -c ${source} -o ${object}
        DEPENDS ${source} ${arg_DEPENDS}
        DEPFILE ${object}.d
        COMMENT "Compiling ${name}"
        VERBATIM)
endfunction()
