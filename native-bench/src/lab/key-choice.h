// Which key comes next, draw for draw as in src/lab/key-choice.ts: uniform, or YCSB's zipfian generator (Gray and
// others, SIGMOD 1994) over ranks that are scrambled by a hash without a seed, so that the same keys are hot for every
// generator.
#pragma once

#include <cstdint>

#include "base/rng.h"

namespace ringtail {

enum class Distribution { uniform, zipfian };

class KeyChoice {
 public:
  KeyChoice(Distribution distribution, Rng rng, uint32_t keys);

  // A key's index.
  uint32_t next();

 private:
  uint32_t zipfianRank();

  Distribution distribution_;
  Rng rng_;
  uint32_t keys_;
  double zeta_ = 0;
  double power_ = 0;
  double second_ = 0;
  double eta_ = 0;
};

}  // namespace ringtail
