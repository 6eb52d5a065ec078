// Statuses of replies: 0, or an error's number (schema/README.md, "Statuses"), and what this client makes of them.
#pragma once

#include <cstdint>

namespace ringtail {

using Status = uint8_t;

constexpr Status statusOk = 0;
constexpr Status invalidArgument = 1;
constexpr Status quorumNotMet = 4;
constexpr Status deadlineExceeded = 5;
constexpr Status overloaded = 6;
constexpr Status nodeStopping = 8;
constexpr Status wrongCluster = 9;
constexpr Status protocolMismatch = 12;
constexpr Status connectionLost = 13;
constexpr Status storageFailed = 15;
constexpr Status wrongOwner = 18;
constexpr Status notSynced = 19;
constexpr Status expired = 20;
// One more than the highest number in use.
constexpr int statusCount = 21;

// The stable name; a number from a newer node reads as PROTOCOL_MISMATCH, as in the SDK.
const char* errorName(Status status);
// Whether the same request may succeed when tried again.
bool isRetryable(Status status);
// Whether the failure says something about the node that was asked, and nothing about the others.
bool concernsNodeOnly(Status status);

}  // namespace ringtail
