# SPDX-License-Identifier: GPL-2.0-only
"""More unmodified proxies, each with as little configuration as it runs with.

They have no policy of Libra: what they show is what payload memory is to programs
that allocate, drop their rights and start helpers in ways of their own.
"""

import os
import socket

from .process import Process
from .servers import find_program, ready

APACHE = """
ServerRoot {dir}
ServerName proxy
DefaultRuntimeDir {dir}
PidFile {dir}/pid
ErrorLog /dev/stderr
Listen 127.0.0.1:{port}
{modules}
User www-data
Group www-data
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MaxKeepAliveRequests 0
ProxyPass / http://127.0.0.1:{upstream}/
"""
APACHE_MODULES = ("mpm_event", "authz_core", "proxy", "proxy_http")

VARNISH = """
vcl 4.1;
backend origin { .host = "127.0.0.1"; .port = "@upstream@"; }
sub vcl_recv {
    if (req.method != "GET" || req.url ~ "[02468]$") { return (pass); }
    return (hash);
}
sub vcl_backend_response { set beresp.ttl = 1h; }
"""
VARNISH_OPTIONS = ("-p", "thread_pools=1", "-p", "thread_pool_min=20", "-p", "vsl_space=1M",
                   "-p", "cc_command=exec gcc -O0 -fpic -shared -o %o %s", "-s", "malloc,128m")

LIGHTTPD = """
server.document-root = "{dir}"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ("mod_proxy")
server.upload-dirs = ("{dir}")
server.stream-response-body = 2
server.chunkqueue-chunk-sz = 16384
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {upstream})))
"""
# It passes what it has read to SSL_write() as it lies there, but for the ends of its buffers.
LIGHTTPD_TLS = """
server.modules += ("mod_openssl")
server.chunkqueue-chunk-sz := 65536
ssl.engine = "enable"
ssl.pemfile = "{pem}"
ssl.openssl.ssl-conf-cmd = ("Options" => "KTLS")
"""

# socat passes all that it has read to SSL_write() as it lies there. Whether OpenSSL gives its keys
# to the kernel is not for it to say.
OPENSSL_KTLS = """
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = ktls
[ktls]
Options = KTLS
"""
SOCAT_BUFFER = 256 << 10

SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=proxy no-vhost
cache_peer 127.0.0.1 parent {upstream} 0 no-query no-digest originserver
never_direct allow all
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
pinger_enable off
dns_nameservers 127.0.0.1
max_filedescriptors 1024
shutdown_lifetime 0 seconds
"""


def _written(directory, name, text):
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    return path


def _start(name, directory, port, command, environment):
    return ready(Process(name, command, os.path.join(directory, "log"), environment), port)


def start_apache(directory, port, upstream, environment=None):
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                        for name in APACHE_MODULES)
    conf = _written(directory, "apache.conf", APACHE.format(
        dir=directory, port=port, upstream=upstream, modules=modules))
    return _start("apache", directory, port,
                  [find_program("apache2"), "-DFOREGROUND", "-f", conf], environment)


def start_varnish(directory, port, upstream, environment=None, lock=True):
    """It caches what has no even digit at the end of its path, and passes all else.

    lock: it may lock its log in memory, and does if it may."""
    vcl = _written(directory, "proxy.vcl", VARNISH.replace("@upstream@", str(upstream)))
    return _start("varnish", directory, port,
                  ([] if lock else [find_program("prlimit"), "--memlock=0"]) +
                  [find_program("varnishd"), "-F", "-f", vcl, "-a", f"127.0.0.1:{port}",
                   "-n", os.path.join(directory, "work"), *VARNISH_OPTIONS], environment)


def start_lighttpd(directory, port, upstream, environment=None, pem=None):
    """pem: it ends TLS, and the kernel encrypts what it sends."""
    text = LIGHTTPD.format(dir=directory, port=port, upstream=upstream)
    conf = _written(directory, "lighttpd.conf",
                    text + LIGHTTPD_TLS.format(pem=pem) if pem else text)
    return _start("lighttpd", directory, port,
                  [find_program("lighttpd"), "-D", "-f", conf], environment)


def start_socat(directory, port, upstream, pem, environment=None):
    """It ends TLS, and the kernel encrypts what it sends."""
    conf = _written(directory, "openssl.cnf", OPENSSL_KTLS)
    return _start("socat", directory, port, [
        find_program("socat"), "-b", str(SOCAT_BUFFER),
        f"OPENSSL-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,cert={pem},verify=0",
        f"TCP:127.0.0.1:{upstream}"], {**(environment or {}), "OPENSSL_CONF": conf})


def start_squid(directory, port, upstream, environment=None):
    """Squid looks for its origin once when it starts: somebody else is there for so long."""
    conf = _written(directory, "squid.conf", SQUID.format(
        port=port, upstream=upstream))
    with socket.create_server(("127.0.0.1", upstream)):
        return _start("squid", directory, port,
                      [find_program("squid"), "-N", "-f", conf], environment)


def start_go(build, directory, port, upstream, environment=None):
    """A static binary: whatever is in its environment, its memory is Go's own."""
    os.makedirs(directory, exist_ok=True)
    binary = os.path.join(build, "tests/goproxy/libra-goproxy")
    if not os.access(binary, os.X_OK):
        raise RuntimeError(f"{binary} is missing: install golang-go and build it (cmake)")
    return _start("go", directory, port,
                  [binary, f"127.0.0.1:{port}", f"127.0.0.1:{upstream}"], environment)
