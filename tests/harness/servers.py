# SPDX-License-Identifier: GPL-2.0-only
"""The unmodified programs under test: an nginx origin, nginx and HAProxy as proxies."""

import os
import shutil

from . import netns
from .process import Process

# Of each program here: worker processes of nginx, threads of HAProxy (--workers).
workers = 1

NGINX_COMMON = """
{main}
daemon {daemon};
user root;
worker_processes {workers};
pid {dir}/pid;
error_log stderr warn;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    gzip off;
    keepalive_requests 1000000;
    keepalive_timeout 600s;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
{http}
}}
"""

NGINX_ORIGIN = """
    sendfile {sendfile};
    tcp_nopush on;
    default_type application/octet-stream;
    server {{
        {listens}
        root {root};
        {extra}
    }}
"""

NGINX_PROXY = """
    upstream origin {{
        server {upstream};
        keepalive 64;
    }}
    server {{
        listen {listen};
        location / {{
            proxy_pass http://origin;
            proxy_max_temp_file_size 0;
            {directives}
        }}
    }}
"""

NGINX_KEEPALIVE = """
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_cache off;
            proxy_store off;
            gunzip off;
            ssi off;
            proxy_force_ranges off;
            proxy_buffers 16 64k;
            proxy_busy_buffers_size {busy};
            proxy_buffer_size {buffer};
            proxy_buffering {buffering};
"""

HAPROXY = """
global
    nbthread {workers}
    maxconn {connections}
    {tuning}
defaults
    mode http
    timeout connect 20s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 600s
listen proxy
    bind {listen}
    server origin {upstream}
"""

# Files that hold what the proxy has not sent yet would take payload out of
# the kernel's sight, hence proxy_max_temp_file_size 0 even in config a.
NGINX_CONFIGS = {
    "a": "",  # default buffers, HTTP/1.0 to the origin
    "b": NGINX_KEEPALIVE.format(buffering="on", buffer="16k", busy="512k"),
    "c": NGINX_KEEPALIVE.format(buffering="off", buffer="512k", busy="512k"),
}
HAPROXY_CONFIGS = {
    "a": "",  # default bufsize
    "b": "tune.bufsize 262144",
}
# (program, config), in the order in which they are shown
PROXIES = [("nginx", name) for name in NGINX_CONFIGS] + \
          [("haproxy", name) for name in HAPROXY_CONFIGS]


def _port(address):
    return int(address.rsplit(":", 1)[1])


def find_program(name):
    path = shutil.which(name, path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
    if path is None:
        raise RuntimeError(f"{name} is not installed: apt-get install {name}")
    return path


def start_nginx(name, directory, http, port, main="", connections=1024, environment=None,
                daemon=False):
    """An nginx with this text in its http block, ready when it listens on the port.

    daemon: what is returned has ended by then, and left a pid file in the directory."""
    os.makedirs(directory, exist_ok=True)
    conf = os.path.join(directory, "nginx.conf")
    with open(conf, "w", encoding="ascii") as out:
        out.write(NGINX_COMMON.format(dir=directory, http=http, main=main, workers=workers,
                                      connections=connections, daemon="on" if daemon else "off"))
    process = Process(name, [find_program("nginx"), "-p", directory, "-e", "stderr", "-c", conf],
                      os.path.join(directory, "log"), environment)
    if daemon:
        process.wait(60)  # until its child listens
        return process
    return ready(process, port)


def ready(process, port):
    """The process, when it listens on the port."""
    try:
        netns.wait_listening(process, port)
    except BaseException:
        process.stop()
        raise
    return process


def start_origin(directory, root, addresses, sendfile=True, extra=""):
    """An nginx that serves the files in root on each of the addresses; extra is for its
    server."""
    listens = " ".join(f"listen {address};" for address in addresses)
    return start_nginx("origin", directory, NGINX_ORIGIN.format(
        listens=listens, root=root, sendfile="on" if sendfile else "off", extra=extra),
                       _port(addresses[-1]))


def start_proxy(directory, program, config, listen, upstream, extra="", connections=512,
                environment=None):
    """A proxy in one of the PROXIES configurations; extra is for nginx's location."""
    name = f"{program} {config}"
    if program == "nginx":
        return start_nginx(name, directory, NGINX_PROXY.format(
            listen=listen, upstream=upstream,
            directives=NGINX_CONFIGS[config] + extra), _port(listen.split()[0]),
            connections=2 * connections, environment=environment)
    text = HAPROXY.format(listen=listen, upstream=upstream, tuning=HAPROXY_CONFIGS[config],
                          connections=connections, workers=workers)
    return start_haproxy(name, directory, text, _port(listen.split()[0]), environment)


def start_haproxy(name, directory, text, port, environment=None):
    """A HAProxy with this configuration, ready when it listens on the port."""
    os.makedirs(directory, exist_ok=True)
    conf = os.path.join(directory, "haproxy.cfg")
    with open(conf, "w", encoding="ascii") as out:
        out.write(text)
    process = Process(name, [find_program("haproxy"), "-q", "-db", "-f", conf],
                      os.path.join(directory, "log"), environment)
    return ready(process, port)
