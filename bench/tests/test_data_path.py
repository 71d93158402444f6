# SPDX-License-Identifier: GPL-2.0-only
"""Figures of another data path are refused, unless somebody said why they stand."""

import copy
import os
import tempfile
import unittest

import test_report
from libra_bench import data_path
from libra_bench.error import BenchError

FILES = {
    "kernel-patches/new/net/libra/send.c": "int shared;\n",
    "kernel-patches/new/net/libra/token/tx.c": "int token;\n",
    "kernel-patches/new/net/libra/lazy/tx.c": "int lazy;\n",
    "kernel-patches/hooks/0001-net.patch": "Subject: a\n--- a/f\n+++ b/f\n+int hook;\n",
}


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for path, text in FILES.items():
            self.write(path, text)
        self.before = self.now()

    def write(self, path, text):
        whole = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="ascii") as out:
            out.write(text)

    def now(self):
        return data_path.fingerprints(self.folder.name)

    def changed(self):
        now = self.now()
        return [mode for mode in now if now[mode] != self.before[mode]]

    def test_what_does_not_count(self):
        self.write("kernel-patches/new/net/libra/send.c",
                   "/* why,\n * at length */\nint  shared; // so\n")
        self.write("kernel-patches/new/net/libra/token/tx_test.c", "int test;\n")
        self.write("kernel-patches/hooks/0001-net.patch",
                   "Subject: b\n--- a/f\n+++ b/f\n+int hook;\n")
        self.assertEqual(self.changed(), [])

    def test_what_counts(self):
        for path, text, modes in (
                ("kernel-patches/new/net/libra/token/tx.c", "long token;\n", ["token"]),
                ("kernel-patches/new/net/libra/token/tx.c", 'char *token = "/* no comment */";\n',
                 ["token"]),
                ("kernel-patches/new/net/libra/lazy/new.c", "int more;\n", ["lazy"]),
                ("kernel-patches/new/net/libra/send.c", "long shared;\n", ["token", "lazy"]),
                ("kernel-patches/hooks/0001-net.patch", "+++ b/f\n+int other;\n",
                 ["token", "lazy"]),
                ("bpf/http1.h", "int parser;\n", ["token"])):
            with self.subTest(path=path):
                self.setUp()
                self.write(path, text)
                self.assertEqual(self.changed(), modes)

    def test_a_string_is_no_comment(self):
        path = "kernel-patches/new/net/libra/token/tx.c"
        self.write(path, 'char *a = "/* 1 */";\n')
        one = self.now()
        self.write(path, 'char *a = "/* 2 */";\n')
        self.assertNotEqual(self.now()["token"], one["token"])


class Results(unittest.TestCase):
    NOW = {"token": "1" * 16, "lazy": "2" * 16}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.result = copy.deepcopy(test_report.result())
        self.result["configuration"]["data_path"] = dict(self.NOW)

    def since(self):
        return data_path.since(self.result, self.folder.name, self.NOW)

    def says(self, text):
        with open(os.path.join(self.folder.name, data_path.STANDS), "w", encoding="ascii") as out:
            out.write(text)

    def test_of_this_data_path(self):
        self.assertEqual(data_path.modes(self.result), ["token"])
        self.assertEqual(self.since(), [])

    def test_of_another_mode(self):
        self.result["configuration"]["data_path"]["lazy"] = "old"
        self.assertEqual(self.since(), [])

    def test_of_an_older_one(self):
        for measured in ({}, {"token": "old"}):
            self.result["configuration"]["data_path"] = measured
            with self.assertRaisesRegex(BenchError, 'fingerprint = "1{16}"'):
                self.since()

    def test_said_why(self):
        self.result["configuration"]["data_path"] = {"token": "old"}
        self.says(f'[token]\nfingerprint = "{self.NOW["token"]}"\nwhy = "a printk"\n')
        self.assertEqual(self.since(), [("token", "a printk")])
        for text in (f'[token]\nfingerprint = "{"3" * 16}"\nwhy = "a printk"\n',
                     f'[token]\nfingerprint = "{self.NOW["token"]}"\nwhy = " "\n',
                     f'[lazy]\nfingerprint = "{self.NOW["token"]}"\nwhy = "a printk"\n',
                     "[token\n"):
            self.says(text)
            with self.assertRaises(BenchError):
                self.since()


if __name__ == "__main__":
    unittest.main()
