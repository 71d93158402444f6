// SPDX-License-Identifier: GPL-2.0-only

// A reverse proxy as Go's standard library makes it: a static binary that knows no
// LD_PRELOAD, with system calls of its own.
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: libra-goproxy LISTEN UPSTREAM")
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: os.Args[2]})
	log.Fatal(http.ListenAndServe(os.Args[1], proxy))
}
