module libra-goproxy

go 1.19
