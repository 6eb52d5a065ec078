// The random generator of src/base/rng.ts, number for number: xoshiro128** (Blackman and Vigna) seeded through
// splitmix32. With the same seed and the same forks, this generator draws the keys that `ringtail bench` draws.
#pragma once

#include <cstdint>

namespace ringtail {

class Rng {
 public:
  explicit Rng(uint32_t seed);

  uint32_t u32();
  // Uniform in 0..limit-1; `limit` is 1..2^32.
  uint32_t below(uint64_t limit);
  // Uniform in [0, 1), with 53 random bits.
  double fraction();
  // An independent stream: it depends on the seed and the name alone.
  Rng fork(const char* name) const;

 private:
  uint32_t origin_;
  uint32_t a_;
  uint32_t b_;
  uint32_t c_;
  uint32_t d_;
};

}  // namespace ringtail
