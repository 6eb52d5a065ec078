// Unsigned 32-bit arithmetic throughout, as `Math.imul` and `| 0` give it in the TypeScript original.
#include "base/rng.h"

namespace ringtail {

namespace {

uint32_t splitmix32(uint32_t& state) {
  state += 0x9e3779b9;
  uint32_t z = state;
  z = (z ^ (z >> 16)) * 0x21f0aaad;
  z = (z ^ (z >> 15)) * 0x735a2d97;
  return z ^ (z >> 15);
}

uint32_t rotated(uint32_t word, int by) { return word << by | word >> (32 - by); }

}  // namespace

Rng::Rng(uint32_t seed) : origin_(seed) {
  a_ = splitmix32(seed);
  b_ = splitmix32(seed);
  c_ = splitmix32(seed);
  d_ = splitmix32(seed);
}

uint32_t Rng::u32() {
  uint32_t result = rotated(b_ * 5, 7) * 9;
  uint32_t t = b_ << 9;
  c_ ^= a_;
  d_ ^= b_;
  b_ ^= c_;
  a_ ^= d_;
  c_ ^= t;
  d_ = rotated(d_, 11);
  return result;
}

uint32_t Rng::below(uint64_t limit) {
  constexpr uint64_t range = uint64_t{1} << 32;
  uint64_t fence = range - range % limit;
  for (;;) {
    uint32_t value = u32();
    if (value < fence) return static_cast<uint32_t>(value % limit);
  }
}

double Rng::fraction() {
  // In this order: the JavaScript original draws the high part first.
  double high = u32();
  double low = u32() >> 11;
  return (high * 0x200000 + low) / 9007199254740992.0;
}

Rng Rng::fork(const char* name) const {
  uint32_t h = origin_ ^ 0x811c9dc5;
  for (const char* at = name; *at != 0; at += 1) h = (h ^ static_cast<uint8_t>(*at)) * 0x01000193;
  return Rng(h);
}

}  // namespace ringtail
