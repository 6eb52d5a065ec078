// TCP sockets by address "host:port": non-blocking, without Nagle's delay.
#pragma once

#include <cstdint>
#include <string>

namespace ringtail {

// Begins to connect. Returns the socket, or -1 with `why` set.
int dial(const std::string& address, std::string& why);

// Listens on a port of 127.0.0.1. Returns the socket, or -1 with `why` set.
int listenOn(uint16_t port, std::string& why);

// Takes one connection that waits; -1: none.
int acceptOne(int listener);

}  // namespace ringtail
