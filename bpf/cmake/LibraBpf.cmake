# SPDX-License-Identifier: GPL-2.0-only
#
# libra_bpf_object(NAME): NAME.bpf.c of the current folder becomes
# NAME.bpf.o and the skeleton NAME.skel.h (struct NAME_bpf) in the current build
# folder. Linking libra_bpf_NAME gives a C++ target that skeleton, libbpf, and
# the headers shared with BPF.
#
# Needs LIBRA_KTOOLS and LIBRA_VMLINUX, see the top CMakeLists.txt.

set(LIBRA_CLANG clang CACHE STRING "The clang (14 or later) that compiles BPF objects")
find_program(LIBRA_CLANG_PATH ${LIBRA_CLANG} NO_CACHE)
if(NOT LIBRA_CLANG_PATH)
    message(FATAL_ERROR "${LIBRA_CLANG} not found: apt-get install clang, or pass -DLIBRA_CLANG=")
endif()

set(LIBRA_BPFTOOL ${LIBRA_KTOOLS}/bin/bpftool)
set(LIBRA_VMLINUX_H ${CMAKE_BINARY_DIR}/bpf/vmlinux.h)

if(NOT TARGET libra_vmlinux_h)  # once, however many folders include this
    # Through a temporary file: a dump that failed must not look like a header.
    add_custom_command(
        OUTPUT ${LIBRA_VMLINUX_H}
        COMMAND ${LIBRA_BPFTOOL} btf dump file ${LIBRA_VMLINUX} format c > ${LIBRA_VMLINUX_H}.tmp
        COMMAND ${CMAKE_COMMAND} -E rename ${LIBRA_VMLINUX_H}.tmp ${LIBRA_VMLINUX_H}
        DEPENDS ${LIBRA_VMLINUX} ${LIBRA_BPFTOOL}
        COMMENT "Generating vmlinux.h"
        VERBATIM)
    add_custom_target(libra_vmlinux_h DEPENDS ${LIBRA_VMLINUX_H})
endif()

# BPF_PROG() declares a parameter that most programs leave alone.
set(LIBRA_BPF_FLAGS -target bpf -mcpu=v3 -O2 -g
    -Wall -Wextra -Wno-unused-parameter -Werror)

function(libra_bpf_compile clang source object)
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    get_filename_component(name ${source} NAME)
    add_custom_command(
        OUTPUT ${object}
        COMMAND ${clang} ${LIBRA_BPF_FLAGS}
            -I${CMAKE_BINARY_DIR}/bpf
            -I${PROJECT_SOURCE_DIR}/kernel-patches/new/include/uapi
            -isystem ${LIBRA_KTOOLS}/include
            -MD -MF ${object}.d -MT ${object}
            -c ${source} -o ${object}
        DEPENDS ${source} ${LIBRA_VMLINUX_H} libra_vmlinux_h
        DEPFILE ${object}.d
        COMMENT "Compiling ${name}"
        VERBATIM)
endfunction()

function(libra_bpf_object name)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${name})

    libra_bpf_compile(${LIBRA_CLANG_PATH} ${source} ${out}.bpf.raw.o)

    # "gen object" drops the DWARF, so that the skeleton embeds code and BTF only.
    add_custom_command(
        OUTPUT ${out}.bpf.o ${out}.skel.h
        COMMAND ${LIBRA_BPFTOOL} gen object ${out}.bpf.o ${out}.bpf.raw.o
        COMMAND ${LIBRA_BPFTOOL} gen skeleton ${out}.bpf.o name ${name}_bpf > ${out}.skel.h.tmp
        COMMAND ${CMAKE_COMMAND} -E rename ${out}.skel.h.tmp ${out}.skel.h
        DEPENDS ${out}.bpf.raw.o ${LIBRA_BPFTOOL}
        COMMENT "Generating ${name}.skel.h"
        VERBATIM)
    add_custom_target(libra_bpf_${name}_object ALL DEPENDS ${out}.bpf.o ${out}.skel.h)

    add_library(libra_bpf_${name} INTERFACE)
    add_dependencies(libra_bpf_${name} libra_bpf_${name}_object)
    target_include_directories(libra_bpf_${name} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
    target_link_libraries(libra_bpf_${name} INTERFACE libra_libbpf libra_uapi)
endfunction()
