# SPDX-License-Identifier: GPL-2.0-only
"""When a run counts as encrypted by the kernel, or by a device."""

import types
import unittest

from libra_bench import kernel_tls, remote
from libra_bench.error import BenchError
from libra_bench.kernel_tls import DEVICE, SOFTWARE, USER

NIC = {"tx_tls_encrypted_packets": 10, "tx_tls_encrypted_bytes": 1000, "rx_packets": 7}


def at(accepted=0, software=0, device=0, sent=0, **nic):
    return {"tls": {SOFTWARE: software, DEVICE: device}, "nic": nic, "accepted": accepted,
            "sent": sent}


def more(**counts):
    return {name: NIC[name] + counts.get(name, 0) for name in NIC}


ENCRYPTED = more(tx_tls_encrypted_packets=9, tx_tls_encrypted_bytes=9000)


class Problem(unittest.TestCase):
    def check(self, wanted, before, after, said):
        found = kernel_tls.problem(wanted, before, after)
        if said is None:
            self.assertIsNone(found)
        else:
            self.assertIn(said, found or "nothing")

    def test_user_space(self):
        self.check(USER, at(3, 3), at(9, 3), None)
        self.check(USER, at(3, 3), at(9, 4), "1 of 6 connections were encrypted in software")

    def test_software(self):
        self.check(SOFTWARE, at(3, 3), at(5, 5), None)
        self.check(SOFTWARE, at(3, 3), at(5, 3), "0 of 2")
        self.check(SOFTWARE, at(), at(8, 1), "OpenSSL encrypted in user space")
        self.check(SOFTWARE, at(3, 3), at(6, 5, 1), "1 of 3 connections were encrypted by the device")

    def test_somebody_elses_connection(self):
        self.check(SOFTWARE, at(), at(41, 40), None)

    def test_a_device_and_its_driver_agree(self):
        self.check(DEVICE, at(**NIC), at(4, 0, 4, 10_000, **ENCRYPTED), None)
        self.check(DEVICE, at(**NIC), at(4, 0, 4, 10_000, **NIC), "encrypted 0 of")
        self.check(DEVICE, at(**NIC), at(4, 0, 4, 20_000, **ENCRYPTED), "encrypted 9000 of")
        self.check(DEVICE, at(), at(4, 0, 4, 9, rx_packets=9), "does not count")
        self.check(DEVICE, at(**NIC), at(4, 0, 1, 10_000, **ENCRYPTED), "user space")
        self.check(DEVICE, at(**NIC), at(4, 4, 0, 10_000, **ENCRYPTED), "4 of 4 connections were "
                                                                        "encrypted in software")
        self.check(DEVICE, at(**NIC), at(4, 1, 3, 10_000, **ENCRYPTED), "1 of 4")

    def test_a_driver_counts_by_queue(self):
        queues = {"tx0_tls_encrypted_packets": 0, "tx1_tx_tls_encrypted_packets": 5,
                  "tx1_tx_tls_encrypted_bytes": 1}
        moved = {**queues, "tx1_tx_tls_encrypted_packets": 6, "tx1_tx_tls_encrypted_bytes": 900}
        self.check(DEVICE, at(**queues), at(1, 0, 1, 1000, **moved), None)


class Host:
    """A proxy's, of which one device has the offload in this state."""

    uname = ("Linux", "host", "6.12.1")

    def __init__(self, state, tls=True):
        self.state, self.tls = state, tls
        self.switched = []
        self.accepted = 4

    def run(self, argv, check=True):
        text, status = "", 0
        if argv[:2] == ["ethtool", "-k"]:
            text = f"Features for {argv[2]}:\n{kernel_tls.FEATURE}: {self.state}\n"
        elif argv[:2] == ["ethtool", "-K"]:
            self.switched.append(argv[-1])
        elif argv == ["cat", kernel_tls.SNMP]:
            text = "Tcp: ActiveOpens PassiveOpens\nTcp: 1 " + str(self.accepted)
            self.accepted += 1
        elif argv[:2] == ["test", "-e"]:
            status = 0 if self.tls else 1
        return {"stdout": text, "stderr": "", "status": status}

    def call(self, _name, **_arguments):
        return self.tls


class Missing(unittest.TestCase):
    def lacks(self, *state, tls=True):
        return list(remote.missing("proxy", Host(*state), "eth1", tls))

    def test_what_a_card_lacks(self):
        self.assertEqual(self.lacks("on"), [])
        self.assertEqual(self.lacks("off"),
                         ["proxy: eth1 has tls-hw-tx-offload off: ethtool -K eth1 "
                          "tls-hw-tx-offload on"])
        self.assertIn("it takes a card", self.lacks("off [fixed]")[0])
        self.assertIn("modprobe tls", self.lacks("on", False)[0])

    def test_who_does_not_encrypt_needs_none(self):
        self.assertEqual(self.lacks("off [fixed]", False, tls=False), [])


class Encrypting(unittest.TestCase):
    def enter(self, host, encrypts, device="eth1"):
        place = types.SimpleNamespace(proxy=host, tls_device=device)
        system = types.SimpleNamespace(name="x", encrypts=encrypts, parser="")
        with kernel_tls.encrypting(place, system):
            pass

    def test_the_device_is_as_before(self):
        for encrypts, state, switched in ((SOFTWARE, "on", ["off", "on"]), (DEVICE, "on", []),
                                          (SOFTWARE, "off [fixed]", [])):
            host = Host(state)
            with self.assertRaisesRegex(BenchError, "user space"):
                self.enter(host, encrypts)
            self.assertEqual(host.switched, switched)

    def test_no_device(self):
        with self.assertRaisesRegex(BenchError, "no device"):
            self.enter(Host("on"), DEVICE, device="")


if __name__ == "__main__":
    unittest.main()
