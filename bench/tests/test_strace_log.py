# SPDX-License-Identifier: GPL-2.0-only
"""What is counted in a strace log."""

import unittest

from libra_bench import strace_log

LOG = """\
123 epoll_wait(9, [{events=EPOLLIN, data=0x1}], 512, 65000) = 1
123 recvfrom(3, ""..., 1024, 0, NULL, NULL) = 80
123 readv(5, [{iov_base=""..., iov_len=65536}], 1) = 65536
[pid   123] writev(3, [{iov_base=""..., iov_len=65616}], 2) = 65616
123 recvfrom(3, 0x5, 1024, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
123 recvfrom(3, ""..., 1024, MSG_TRUNC, NULL, NULL) = 1000
123 splice(3, NULL, 4, NULL, 65536, SPLICE_F_MOVE) = 65536
123 sendto(3, ""..., 10, 0, NULL, 0 <unfinished ...>
123 <... sendto resumed>) = 10
123 --- SIGCHLD {si_signo=SIGCHLD} ---
123 exit_group(0) = ?
"""


class Log(unittest.TestCase):
    def test_counts(self):
        seen = strace_log.parse(LOG)
        self.assertEqual(seen["calls"]["recvfrom"], 3)
        self.assertEqual(seen["calls"]["sendto"], 1)
        self.assertEqual(seen["total"], 9)
        self.assertEqual(seen["copied"], {"in": 80 + 65536, "out": 65616 + 10})


if __name__ == "__main__":
    unittest.main()
