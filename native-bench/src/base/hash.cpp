// MurmurHash3 x86_128 as its author wrote it; test/vectors/ of the project hold it to the TypeScript implementation.
#include "base/hash.h"

namespace ringtail {

namespace {

constexpr uint32_t c1 = 0x239b961b;
constexpr uint32_t c2 = 0xab0e9789;
constexpr uint32_t c3 = 0x38b34ae5;
constexpr uint32_t c4 = 0xa1e38b93;

uint32_t rotated(uint32_t word, int by) { return word << by | word >> (32 - by); }

uint32_t scrambled(uint32_t word, uint32_t first, int by, uint32_t second) {
  return rotated(word * first, by) * second;
}

uint32_t avalanche(uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

}  // namespace

Hash64 murmur3(Bytes bytes, uint32_t seed) {
  uint32_t h1 = seed;
  uint32_t h2 = seed;
  uint32_t h3 = seed;
  uint32_t h4 = seed;
  const uint8_t* at = bytes.data;
  size_t left = bytes.size;
  for (; left >= 16; left -= 16, at += 16) {
    h1 ^= scrambled(readLe32(at), c1, 15, c2);
    h1 = (rotated(h1, 19) + h2) * 5 + 0x561ccd1b;
    h2 ^= scrambled(readLe32(at + 4), c2, 16, c3);
    h2 = (rotated(h2, 17) + h3) * 5 + 0x0bcaa747;
    h3 ^= scrambled(readLe32(at + 8), c3, 17, c4);
    h3 = (rotated(h3, 15) + h4) * 5 + 0x96cd1c35;
    h4 ^= scrambled(readLe32(at + 12), c4, 18, c1);
    h4 = (rotated(h4, 13) + h1) * 5 + 0x32ac3b17;
  }
  // The tail, padded with zeros: a word of zeros changes nothing.
  uint8_t tail[16] = {};
  if (left > 0) std::memcpy(tail, at, left);
  h1 ^= scrambled(readLe32(tail), c1, 15, c2);
  h2 ^= scrambled(readLe32(tail + 4), c2, 16, c3);
  h3 ^= scrambled(readLe32(tail + 8), c3, 17, c4);
  h4 ^= scrambled(readLe32(tail + 12), c4, 18, c1);

  auto length = static_cast<uint32_t>(bytes.size);
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 ^ length) + h2 + h3 + h4;
  uint32_t f1 = avalanche(h1);
  uint32_t f2 = avalanche(h2 + h1);
  uint32_t f3 = avalanche(h3 + h1);
  uint32_t f4 = avalanche(h4 + h1);
  uint32_t high = f1 + f2 + f3 + f4;
  return Hash64{high, f2 + high};
}

Buffer fullKeyOf(Bytes bucket, Bytes key) {
  Buffer full;
  full.reserve(1 + bucket.size + key.size);
  full.push_back(static_cast<uint8_t>(bucket.size));
  full.insert(full.end(), bucket.data, bucket.data + bucket.size);
  full.insert(full.end(), key.data, key.data + key.size);
  return full;
}

}  // namespace ringtail
