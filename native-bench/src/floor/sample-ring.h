// The ring of the loopback floor: so many nodes on one port after the other, each on a "host" of its own, who own the
// partitions in turn; n = 3, r = w = 2.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace ringtail {

constexpr uint32_t sampleEpoch = 1;
constexpr uint32_t sampleReplicas = 3;
constexpr uint32_t sampleQuorum = 2;

// A `RingState` message.
Buffer sampleRing(uint32_t nodes, uint16_t basePort);

}  // namespace ringtail
