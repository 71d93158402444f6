# SPDX-License-Identifier: GPL-2.0-only
"""The systems that are compared: what runs in the proxy's place, and how it is attached."""

import contextlib
import os
import shutil
from dataclasses import dataclass

from harness import servers

from . import kernel_tls
from .transport import PYTHON, Server

# In the build directory of the role.
CLIENT = "bench/programs/libra-bench-client"
ORIGIN = "bench/programs/libra-bench-origin"
RELAY = "bench/peers/libra-bench-relay"
MALLOC = "userspace/malloc/libra-malloc.so"
PORT = 8080
ORIGIN_PORT = 8000


# /dev/libra, or memory as any other in the same layout: what the allocator does by itself.
DEVICE, ORDINARY = "device", "ordinary"


@dataclass(frozen=True)
class System:
    name: str
    kind: str               # nginx, haproxy, relay or direct
    variant: str = ""
    parser: str = ""        # attached with this one (token mode)
    scrub: bool = True      # and memory behind a VPI is cleared, as it is by default
    malloc: str = ""        # has the allocator, which takes memory from: DEVICE, ORDINARY
    min_block: int = 0      # for blocks from this size on; 0: its default
    keeps_heap: bool = False    # glibc gives no memory back to the kernel
    touched: bool = False   # it reads all payload, so little of it is left in the kernel
    reads: int = 0          # and of payload up to this size, or with chunks in it, all as well
    asked: tuple = ()       # options of the client
    beside: bool = False    # that is not for this proxy, but for something else beside it
    baseline: str = ""      # what its ratios are taken against
    peers: tuple = ()       # and what else it is compared with
    about: str = ""

    @property
    def family(self):
        """What is drawn and fitted together, but for those that are by themselves."""
        if self.touched:
            return "all payload read"
        return {"default": "default buffers", "large": "one large buffer",
                "ktls": "kernel TLS", "ktls12": "kernel TLS", "device": "TLS by a device"
                }.get(self.variant, "")

    @property
    def encrypts(self):
        """Who encrypts what it sends, or what is measured is something else; None: nobody."""
        return {"tls": kernel_tls.USER, "ktls": kernel_tls.SOFTWARE,
                "ktls12": kernel_tls.SOFTWARE, "device": kernel_tls.DEVICE}.get(self.variant)

    @property
    def in_kernel(self):
        """What is encrypted is copied, or not, where no system call shows it."""
        return self.encrypts not in (None, kernel_tls.USER)

    @property
    def on_device(self):
        return self.encrypts == kernel_tls.DEVICE

    @property
    def lazy(self):
        """Lazy mode is live: somebody has payload memory."""
        return self.malloc == DEVICE

    @property
    def libra(self):
        """Needs Libra in the kernel. The others do not pay for it: nothing is live."""
        return bool(self.parser) or self.lazy

    @property
    def charged(self):
        """Is its work charged to its process? A sockmap's is done by softirqs and kworkers."""
        return self.kind != "direct" and self.variant != "sockmap"


# nginx gives the memory of a large answer back to the kernel, or does not, as its luck with the
# heap will have it: hundreds of brk() in a few dozens of requests.
KEEP_HEAP = f"GLIBC_TUNABLES=glibc.malloc.trim_threshold={1 << 30}"
# A page: nginx's buffers, unless it is told otherwise. The allocator's default is 16 KB.
SMALL_BLOCKS = 4096
# HAProxy reads its first buffers anyhow, and chunks it copies into buffers without them.
HAPROXY_READS = 64 << 10
TLS, GZIP = "--tls", "--gzip"

# Of 16 to 256 KB the best for the HAProxy that copies and, from 256 KB payload on, close to
# the best with Libra as well; with 256 KB it mostly copies in user space, and faults.
HAPROXY_COPY_TUNING = "tune.bufsize 32768"

# +libra is token mode, +lazy lazy mode, +malloc what of the latter is not Libra's doing.
#
# nginx-pass: attached, and every stream passes. The policy names the parser "tls", to
# which the first byte of HTTP is no record header, in either direction: PASS, for good.
# That is what an operator gets who attaches a listener with traffic that the parser
# does not know, and the receive and send paths of an attached socket are all there.
SYSTEMS = (
    System("direct", "direct", about="no proxy: the proxy's namespace forwards packets"),
    System("nginx", "nginx", about="proxy_buffers 16 64k"),
    System("nginx+libra", "nginx", parser="http1", baseline="nginx",
           about="the same nginx, attached"),
    System("nginx+libra-noscrub", "nginx", parser="http1", scrub=False, baseline="nginx",
           peers=("nginx+libra",), about="the same, attached with --no-scrub"),
    System("nginx-pass", "nginx", parser="tls", baseline="nginx",
           about="the same nginx, attached; the parser passes at the first byte"),
    System("nginx-beside", "nginx", parser="tls", beside=True, baseline="nginx",
           about="the same nginx, not attached; librad runs, with a policy for others"),
    System("nginx-untrimmed", "nginx", keeps_heap=True, peers=("nginx",),
           about="the same nginx, of which glibc keeps what it frees (malloc.trim_threshold)"),
    System("nginx-untrimmed+libra", "nginx", parser="http1", keeps_heap=True,
           baseline="nginx-untrimmed", peers=("nginx",), about="the same, attached"),
    System("nginx+malloc", "nginx", malloc=ORDINARY, baseline="nginx",
           about="the same nginx with the allocator, over ordinary memory: not Libra's doing"),
    System("nginx+lazy", "nginx", malloc=DEVICE, baseline="nginx",
           peers=("nginx+malloc", "nginx+libra", "haproxy-splice", "relay-splice"),
           about="the same nginx with the allocator, over payload memory: lazy mode"),
    System("nginx-lazy-beside", "nginx", malloc=DEVICE, beside=True, baseline="nginx",
           about="the same nginx as it is, while another process has payload memory"),
    System("nginx-default", "nginx", "default", about="default buffers: one page for the header, "
           "8 of one for the body; connections to the origin are kept"),
    System("nginx-default+malloc", "nginx", "default", malloc=ORDINARY, min_block=SMALL_BLOCKS,
           baseline="nginx-default",
           about="the same with the allocator for blocks from a page on, over ordinary memory"),
    System("nginx-default+lazy", "nginx", "default", malloc=DEVICE, min_block=SMALL_BLOCKS,
           baseline="nginx-default", peers=("nginx-default+malloc",),
           about="the same over payload memory: lazy mode"),
    System("nginx-large", "nginx", "large",
           about="proxy_buffering off, and one buffer that takes a whole answer of 1 MB"),
    System("nginx-large+malloc", "nginx", "large", malloc=ORDINARY, baseline="nginx-large",
           about="the same with the allocator, over ordinary memory"),
    System("nginx-large+lazy", "nginx", "large", malloc=DEVICE, baseline="nginx-large",
           peers=("nginx-large+malloc",), about="the same over payload memory: lazy mode"),
    System("nginx-gzip", "nginx", "gzip", touched=True, asked=(GZIP,),
           about="nginx compresses every answer, of bytes that hardly become fewer"),
    System("nginx-gzip+lazy", "nginx", "gzip", malloc=DEVICE, touched=True, asked=(GZIP,),
           baseline="nginx-gzip", about="the same in lazy mode"),
    System("nginx-sub", "nginx", "sub", touched=True,
           about="nginx searches every answer (sub_filter) for what is not in it"),
    System("nginx-sub+malloc", "nginx", "sub", malloc=ORDINARY, touched=True,
           baseline="nginx-sub", about="the same with the allocator, over ordinary memory"),
    System("nginx-sub+lazy", "nginx", "sub", malloc=DEVICE, touched=True, baseline="nginx-sub",
           peers=("nginx-sub+malloc",), about="the same over payload memory: lazy mode"),
    System("nginx-tls", "nginx", "tls", touched=True, asked=(TLS,),
           about="nginx encrypts every answer in user space (OpenSSL)"),
    System("nginx-tls+lazy", "nginx", "tls", malloc=DEVICE, touched=True, asked=(TLS,),
           baseline="nginx-tls", about="the same in lazy mode"),
    System("nginx-ktls", "nginx", "ktls", asked=(TLS,), peers=("nginx-tls",),
           about="the kernel encrypts every answer, in software (OpenSSL's option KTLS)"),
    System("nginx-ktls+libra", "nginx", "ktls", parser="http1", asked=(TLS,),
           baseline="nginx-ktls", peers=("nginx-tls", "nginx+libra"),
           about="the same, attached (net.libra.tls)"),
    System("nginx-ktls12", "nginx", "ktls12", asked=(TLS,),
           about="nginx-ktls with what a device is given: TLS 1.2, AES-128-GCM"),
    System("nginx-ktls12+libra", "nginx", "ktls12", parser="http1", asked=(TLS,),
           baseline="nginx-ktls12", peers=("nginx+libra",),
           about="the same, attached (net.libra.tls)"),
    System("nginx-device", "nginx", "device", asked=(TLS,), peers=("nginx-ktls12",),
           about="a network device encrypts every answer (TLS 1.2, AES-128-GCM)"),
    System("nginx-device+libra", "nginx", "device", parser="http1", asked=(TLS,),
           baseline="nginx-device", peers=("nginx-ktls12+libra", "nginx+libra"),
           about="the same, attached (net.libra.tls)"),
    System("haproxy", "haproxy", "copy", about=HAPROXY_COPY_TUNING),
    System("haproxy-splice", "haproxy", "splice", baseline="haproxy",
           about="option splice-request, splice-response; default buffers"),
    System("haproxy+libra", "haproxy", "copy", parser="http1", baseline="haproxy",
           about="the HAProxy that copies, attached"),
    System("haproxy+libra-noscrub", "haproxy", "copy", parser="http1", scrub=False,
           baseline="haproxy", peers=("haproxy+libra",), about="the same, with --no-scrub"),
    System("haproxy+malloc", "haproxy", "copy", malloc=ORDINARY, baseline="haproxy",
           about="the HAProxy that copies with the allocator, over ordinary memory"),
    System("haproxy+lazy", "haproxy", "copy", malloc=DEVICE, baseline="haproxy",
           reads=HAPROXY_READS,
           peers=("haproxy+malloc", "haproxy-splice", "haproxy+libra"),
           about="the HAProxy that copies with the allocator, over payload memory: lazy mode"),
    System("haproxy-default", "haproxy", "default", about="default buffers, of 16 KB"),
    System("haproxy-default+malloc", "haproxy", "default", malloc=ORDINARY,
           baseline="haproxy-default", about="the same with the allocator, over ordinary memory"),
    System("haproxy-default+lazy", "haproxy", "default", malloc=DEVICE, reads=HAPROXY_READS,
           baseline="haproxy-default", peers=("haproxy-default+malloc",),
           about="the same over payload memory: lazy mode"),
    System("relay-copy", "relay", "copy", about="minimal L4 relay: recv, send"),
    System("relay-splice", "relay", "splice", baseline="relay-copy",
           about="minimal L4 relay: splice through a pipe"),
    System("relay-sockmap", "relay", "sockmap", baseline="relay-copy", about=
           "minimal L4 relay: a BPF sockmap redirects, the L4 bound; its process does nothing"),
)
NAMES = tuple(system.name for system in SYSTEMS)
BY_NAME = {system.name: system for system in SYSTEMS}

# As tests/harness/servers.py has it, but with a keep-alive cache as large as the load:
# with a smaller one, connecting to the origin would be measured.
NGINX = """
    upstream origin {{
        server {upstream};
        keepalive {connections};
        keepalive_requests 100000000;
    }}
    server {{
        listen {listen} backlog=4096{tls};
        client_max_body_size 0;
{server}
        location / {{
            proxy_pass http://origin;
            proxy_max_temp_file_size 0;
{directives}
        }}
    }}
"""
# To the origin as in the configurations of the tests; the buffers are nginx's own.
NGINX_DEFAULT = """
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
"""
# The buffer holds the header as well. The others only have to be valid beside it.
NGINX_LARGE = NGINX_DEFAULT + """
            proxy_buffering off;
            proxy_buffer_size 1028k;
            proxy_buffers 16 128k;
            proxy_busy_buffers_size 1028k;
"""
NGINX_GZIP = """
            gzip on;
            gzip_types *;
            gzip_proxied any;
            gzip_comp_level 1;
"""
NGINX_SUB = """
            sub_filter "not in it" "";
            sub_filter_types *;
            sub_filter_once off;
"""
NGINX_TLS = """
            ssl_certificate {dir}/certificate;
            ssl_certificate_key {dir}/key;
            {options}
"""
# Devices are given TLS 1.2 only, by Linux 6.12.
TLS12 = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256; " \
        "ssl_conf_command Options KTLS;"
TLS_OPTIONS = {
    "tls": "ssl_protocols TLSv1.3;",
    "ktls": "ssl_protocols TLSv1.3; ssl_conf_command Options KTLS;",
    "ktls12": TLS12,
    "device": TLS12,
}
NGINX_CONFIGS = {
    # nginx's own buffer for an upload, of two pages, is less than what the library takes.
    "": servers.NGINX_CONFIGS["b"] + "            client_body_buffer_size 64k;\n",
    "default": NGINX_DEFAULT,
    "large": NGINX_LARGE,
    "gzip": servers.NGINX_CONFIGS["b"] + NGINX_GZIP,
    "sub": servers.NGINX_CONFIGS["b"] + NGINX_SUB,
    "tls": servers.NGINX_CONFIGS["b"],
    "ktls": servers.NGINX_CONFIGS["b"],
    "ktls12": servers.NGINX_CONFIGS["b"],
    "device": servers.NGINX_CONFIGS["b"],
}
# Has payload memory, as long as it lasts, and says so by listening.
NEIGHBOUR = """
import socket, time
block = bytearray(1 << 20)
listener = socket.create_server(("127.0.0.1", {port}))
time.sleep(1e6)
"""
NEIGHBOUR_PORT = 8081
# It splices what its buffer has not taken yet, so the buffers stay as small as they are
# by default; the pipes are as large as the buffers of the variant that copies.
HAPROXY_SPLICE = """    option splice-request
    option splice-response
"""
HAPROXY_SPLICE_TUNING = """tune.pipesize 262144
    maxpipes 4096"""


def nginx_text(variant, directory, listen, upstream, connections):
    tls = variant in TLS_OPTIONS
    http = NGINX.format(listen=listen, upstream=upstream, connections=connections,
                        tls=" ssl" * tls, directives=NGINX_CONFIGS[variant],
                        server=NGINX_TLS.format(
                            dir=directory, options=TLS_OPTIONS[variant]) if tls else "")
    return servers.NGINX_COMMON.format(dir=directory, http=http, daemon="off", workers=1,
                                       main="worker_rlimit_nofile 65536;",
                                       connections=4 * connections + 64)


def haproxy_text(variant, listen, upstream, connections):
    # Ample: HAProxy closes connections to the origin instead of keeping them once a quarter
    # of the descriptors that follow from this is in use (tune.pool-high-fd-ratio).
    maxconn = 16 * connections + 1024
    tuning = {"splice": HAPROXY_SPLICE_TUNING, "copy": HAPROXY_COPY_TUNING, "default": ""}[variant]
    return servers.HAPROXY.format(listen=listen, upstream=upstream, tuning=tuning, workers=1,
                                  connections=maxconn) + \
        (HAPROXY_SPLICE if variant == "splice" else "")


def program(name):
    """Where Debian has it; the path is the same on each host."""
    return shutil.which(name, path="/usr/sbin:/usr/bin") or f"/usr/sbin/{name}"


def proxy_command(root, name):
    """nginx or HAProxy: the installed one or, if `root` names another root file system, the one
    there with its own loader and libraries, and nothing of what is installed."""
    if not root:
        return [program(name)]
    return [f"{root}/lib64/ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path",
            f"{root}/usr/lib/x86_64-linux-gnu", f"{root}/usr/sbin/{name}"]


@dataclass(frozen=True)
class Service:
    """What is asked, and how."""
    address: str
    options: tuple = ()     # of the client


def start_origin(topology):
    return Server(topology.origin, "origin", [
        os.path.join(topology.build["origin"], ORIGIN),
        "--listen", f"{topology.origin_address}:{ORIGIN_PORT}"],
        ORIGIN_PORT, topology.pins["origin"])


@contextlib.contextmanager
def running(topology, libra, system, connections):
    """The system, ready: yields (its server or None, the service to ask)."""
    upstream = f"{topology.origin_address}:{ORIGIN_PORT}"
    if not system.parser:
        libra.quiet()
    if system.kind == "direct":
        yield None, Service(upstream)
        return
    listen = f"{topology.proxy_address}:{PORT}"
    with contextlib.ExitStack() as stack:
        before = []     # what stands in front of the proxy's command
        if system.parser:
            sides = ("192.0.2.1:1", "192.0.2.2:1") if system.beside else (listen, upstream)
            before += stack.enter_context(libra.attached(system.parser, *sides, system.scrub))
        if system.encrypts:
            stack.enter_context(kernel_tls.encrypting(topology, system))
        if system.keeps_heap:
            before += ["env", KEEP_HEAP]
        if system.malloc:
            before += allocator(topology, system.malloc, system.min_block)
        if system.beside:
            if system.lazy:
                stack.enter_context(_neighbour(topology, before))
            before = []
        yield stack.enter_context(
            _proxy(topology, system, before, listen, upstream, connections)), \
            Service(listen, system.asked)
        # The proxy ends before the policy: with no socket left, nothing is left to detach.


def allocator(topology, memory, min_block=0):
    """What stands in front of the command of who is to have it."""
    return ["env", f"LD_PRELOAD={os.path.join(topology.build['proxy'], MALLOC)}",
            *([f"LIBRA_MALLOC_MIN={min_block}"] if min_block else []),
            *(["LIBRA_MALLOC_DEVICE=none"] if memory == ORDINARY else [])]


def _neighbour(topology, before):
    return Server(topology.proxy, "neighbour",
                  [*before, PYTHON, "-c", NEIGHBOUR.format(port=NEIGHBOUR_PORT)], NEIGHBOUR_PORT)


def _certificate(host, directory):
    """Of the proxy's own; once, and for all its starts."""
    key, certificate = (os.path.join(directory, name) for name in ("key", "certificate"))
    if not host.call("exists", path=certificate):
        host.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=proxy",
                  "-keyout", key, "-out", certificate])


def _proxy(topology, system, before, listen, upstream, connections):
    host, pin = topology.proxy, topology.pins["proxy"]
    directory = host.path(system.name)
    host.call("mkdir", path=directory)
    if system.kind == "nginx":
        path = os.path.join(directory, "nginx.conf")
        host.write(path, nginx_text(system.variant, directory, listen, upstream, connections))
        if TLS in system.asked:
            _certificate(host, directory)
        argv = [*proxy_command(topology.root, "nginx"), "-p", directory, "-e", "stderr", "-c", path]
    elif system.kind == "haproxy":
        path = os.path.join(directory, "haproxy.cfg")
        host.write(path, haproxy_text(system.variant, listen, upstream, connections))
        argv = [*proxy_command(topology.root, "haproxy"), "-q", "-db", "-f", path]
    else:
        argv = [os.path.join(topology.build["proxy"], RELAY),
                "--mode", system.variant, "--listen", listen, "--upstream", upstream]
    return Server(host, system.name, [*before, *argv], PORT, pin, processes=1 + (system.kind == "nginx"))
