// What the floors hold instead of real data: one record of the size that Ringtail would keep for a value, and what goes
// with it. Same bytes on the wire and in the engine as the real thing, but nobody merges or checks them.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace ringtail {

constexpr size_t recordHeaderBytes = 8;

// A sealed record (schema/README.md) with one sibling of this value, written by node `number` over an earlier write.
Buffer sealedRecord(Bytes value, uint32_t number);

// A context that names `number` as the node that answered first. Its tag is not right: no node of Ringtail takes it.
Buffer sampleContext(uint32_t number, uint32_t epoch);

}  // namespace ringtail
