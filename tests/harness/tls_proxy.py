# SPDX-License-Identifier: GPL-2.0-only
"""nginx that ends TLS before an HTTP origin, with a policy for both sides, and what it did."""

import contextlib
import ssl

from . import ktls, libra, servers
from .matrix import certificate
from .raw_http import RawClient

ORIGIN, LISTEN = 8001, 8101
SHARE = 0.95    # of payload, from 256 KB on
LARGE = 256 << 10
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
KTLS = "ssl_conf_command Options KTLS;"

NGINX = """
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;
        {options}
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_max_temp_file_size 0;
            {directives}
        }}
        {more}
    }}
"""


@contextlib.contextmanager
def nginx(env, name, options=KTLS, config="b", host="127.0.0.1", more=""):
    """more: of its server block."""
    with servers.start_nginx(name, env.path(name), NGINX.format(
            host=host, port=LISTEN, origin=ORIGIN, pem=certificate(env), options=options,
            directives=servers.NGINX_CONFIGS[config], more=more), LISTEN) as process:
        yield process


@contextlib.contextmanager
def policy(env, host="127.0.0.1", options=()):
    """For both sides."""
    rule = env.daemon.ctl("attach", "--domain", "1", "--mode", "token", "--parser", "http1", *options,
                          "--listen", f"{host}:{LISTEN}", "--upstream",
                          f"127.0.0.1:{ORIGIN}").stdout.strip()
    try:
        yield
    finally:
        env.daemon.ctl("detach", rule)


def client(version, host="127.0.0.1"):
    """One that speaks this version only; None: no TLS."""
    return RawClient(f"{host}:{LISTEN}", tls=version is not None,
                     version=version and VERSIONS[version])


def kernel_encrypts():
    """Connections that did so far, by software or by a device."""
    counts = ktls.counters()
    return counts["TlsTxSw"] + counts["TlsTxDevice"]


class Counted:
    """What Libra's counters went up by."""

    def __init__(self):
        self._before = libra.counters()

    def __getitem__(self, name):
        return libra.counters()[name] - self._before[name]


def bodies(env, sizes):
    """What the origin has, by name."""
    whole = {}
    for size in sizes:
        with open(env.reference(size), "rb") as content:
            whole[size] = content.read()
    return whole


def check_exact(case, env, by, path, name=None):
    """One answer, which has to be that of this name."""
    response = by.get(path)
    case.equal(response.status, 200, f"{path}: status")
    case.check(response.body == env.bodies[name or path.strip("/")], f"{path}: other bytes arrived")
