// SPDX-License-Identifier: GPL-2.0-only
// Parsers in the kernel, and those that outlive their librad. Needs what kernel_refusals.cpp
// does, and a BPF file system at /sys/fs/bpf.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "parser_set.h"

namespace libra {
namespace {

ParserObject built_in(const char* name) {
    auto object = builtin_parser(name);
    EXPECT_TRUE(object);
    return std::move(object).value();
}

// As an older librad would have it.
ParserObject older(const char* name) {
    ParserObject object = built_in(name);
    object.info.version = "0.1";
    object.build = "another";
    return object;
}

KnownParser told(const ParserBackend& parsers, std::string_view name) {
    for (const KnownParser& parser : parsers.list()) {
        if (parser.info.name == name)
            return parser;
    }
    return {};
}

TEST(Parsers, AreRegisteredOnceAndComeBack) {
    const ParserObject object = built_in("http1");
    {
        ParserSet first;
        const auto status = first.begin({object});
        ASSERT_TRUE(status) << status.error().message();
        ParserSet second;
        const auto refused = second.begin({object});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().message(),
                  "parser http1 is already registered in this kernel; stop the other librad first");
        EXPECT_TRUE(second.list().empty());
    }
    ParserSet again;
    const auto status = again.begin({object});
    EXPECT_TRUE(status) << status.error().message();
}

class PinnedParsers : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "libra-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override {
        const auto removed = Pins::remove(kPins);
        EXPECT_TRUE(removed) << removed.error().message();
        std::filesystem::remove_all(directory_);
    }

    // A librad's; it ends when the lambda returns.
    template <typename What>
    void with_parsers(const std::vector<ParserObject>& objects, What&& what) {
        const auto pins = Pins::open(kPins);
        ASSERT_TRUE(pins) << pins.error().message();
        ParserSet parsers(*pins, ParserState(state()));
        const auto status = parsers.begin(objects);
        ASSERT_TRUE(status) << status.error().message();
        what(parsers);
    }

    std::string write(const char* name, const ParserObject& object) const {
        const std::string path = directory_ / name;
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(object.elf.data()),
                   static_cast<std::streamsize>(object.elf.size()));
        return path;
    }

    std::string state() const { return directory_ / "parsers"; }

    static constexpr const char* kPins = "/sys/fs/bpf/libra-unit";
    std::filesystem::path directory_;
};

TEST_F(PinnedParsers, GoOnUntouched) {
    KnownParser before;
    with_parsers({built_in("http1")}, [&](ParserSet& parsers) { before = told(parsers, "http1"); });
    EXPECT_NE(before.id, 0U);
    with_parsers({built_in("http1")},
                 [&](ParserSet& parsers) { EXPECT_EQ(told(parsers, "http1"), before); });
}

TEST_F(PinnedParsers, OfAnOlderLibradAreReplaced) {
    with_parsers({older("http1"), older("raw")}, [](ParserSet&) {});
    with_parsers({built_in("http1")}, [&](ParserSet& parsers) {
        EXPECT_EQ(told(parsers, "http1").info, built_in("http1").info);
        EXPECT_EQ(told(parsers, "raw").info.version, "0.1");  // nobody asked for it
    });
    with_parsers({}, [&](ParserSet& parsers) {
        EXPECT_EQ(told(parsers, "http1").build, built_in("http1").build);
    });
}

TEST_F(PinnedParsers, OfALibradThatToldNothingAreReplaced) {
    KnownParser before;
    with_parsers({built_in("http1"), built_in("raw")},
                 [&](ParserSet& parsers) { before = told(parsers, "http1"); });
    ASSERT_TRUE(std::filesystem::remove(state()));
    with_parsers({built_in("http1")}, [&](ParserSet& parsers) {
        EXPECT_NE(told(parsers, "http1").id, before.id);
        EXPECT_EQ(told(parsers, "http1").info, before.info);
        EXPECT_EQ(told(parsers, "raw").info.version, "unknown");
    });
}

TEST_F(PinnedParsers, WhatAClientLoadedAndReplacedGoesOn) {
    const std::string file = write("tls.o", built_in("tls"));
    const std::string other = write("http1.o", built_in("http1"));
    std::vector<KnownParser> before;
    with_parsers({built_in("http1")}, [&](ParserSet& parsers) {
        EXPECT_FALSE(parsers.load(other)) << "its name is taken";
        const auto loaded = parsers.load(file);
        ASSERT_TRUE(loaded) << loaded.error().message();
        const auto replaced = parsers.replace("http1", other);
        ASSERT_TRUE(replaced) << replaced.error().message();
        EXPECT_EQ(replaced->origin, other);
        before = parsers.list();
    });
    std::filesystem::remove(file);
    std::filesystem::remove(other);
    with_parsers({older("http1")}, [&](ParserSet& parsers) {
        EXPECT_EQ(told(parsers, "http1").origin, other);
        EXPECT_EQ(told(parsers, "tls").origin, file);
        EXPECT_EQ(parsers.list().size(), before.size());
        ASSERT_TRUE(parsers.unload("tls"));
    });
    with_parsers({}, [&](ParserSet& parsers) { EXPECT_EQ(parsers.names().size(), 1U); });
}

// The state file is written first; without it nothing is done.
TEST_F(PinnedParsers, StayAsTheyAreWhenTheDiskIsFull) {
    const std::string file = write("tls.o", built_in("tls"));
    const std::string other = write("http1.o", built_in("http1"));
    with_parsers({built_in("http1")}, [&](ParserSet& parsers) {
        const auto before = parsers.list();
        std::filesystem::create_directories(state() + ".new/in the way");
        const auto loaded = parsers.load(file);
        ASSERT_FALSE(loaded);
        EXPECT_NE(loaded.error().message().find("cannot keep in "), std::string::npos)
            << loaded.error().message();
        EXPECT_FALSE(parsers.replace("http1", other));
        EXPECT_EQ(parsers.list(), before);
        std::filesystem::remove_all(state() + ".new");
        const auto retried = parsers.load(file);
        EXPECT_TRUE(retried) << retried.error().message();
    });
}

TEST_F(PinnedParsers, StayAsTheyAreWhenTheBpfFileSystemIsReadOnly) {
    const std::string file = write("tls.o", built_in("tls"));
    ASSERT_EQ(mkdir(kPins, 0700) && errno != EEXIST ? errno : 0, 0);
    ASSERT_EQ(mount("bpf", kPins, "bpf", 0, nullptr), 0) << errno;
    with_parsers({built_in("http1")}, [&](ParserSet& parsers) {
        const auto before = parsers.list();
        ASSERT_EQ(mount(nullptr, kPins, nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0) << errno;
        const auto loaded = parsers.load(file);
        ASSERT_FALSE(loaded);
        EXPECT_NE(loaded.error().message().find("Read-only file system"), std::string::npos)
            << loaded.error().message();
        const auto unloaded = parsers.unload("http1");
        ASSERT_FALSE(unloaded);
        EXPECT_NE(unloaded.error().message().find("Read-only file system"), std::string::npos)
            << unloaded.error().message();
        EXPECT_EQ(parsers.list(), before);
        ASSERT_EQ(mount(nullptr, kPins, nullptr, MS_REMOUNT, nullptr), 0) << errno;
        const auto retried = parsers.load(file);
        EXPECT_TRUE(retried) << retried.error().message();
    });
    EXPECT_EQ(umount(kPins), 0) << errno;
}

}  // namespace
}  // namespace libra
