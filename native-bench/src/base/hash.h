// The ring's hash of a key: MurmurHash3 x86_128 (Austin Appleby), seed 0, its first 64 bits, as in src/base/hash.ts.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace ringtail {

struct Hash64 {
  uint32_t high;
  uint32_t low;
};

Hash64 murmur3(Bytes bytes, uint32_t seed);

// The bytes that are hashed and stored: u8 length of the bucket, the bucket, the key (src/base/full-key.ts).
Buffer fullKeyOf(Bytes bucket, Bytes key);

}  // namespace ringtail
