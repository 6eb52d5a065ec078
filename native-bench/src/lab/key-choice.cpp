// The formulas of Gray and others, in the order in which src/lab/key-choice.ts computes them: doubles then agree too.
#include "lab/key-choice.h"

#include <algorithm>
#include <cmath>

namespace ringtail {

namespace {

constexpr double exponent = 0.99;

// The last mixing step of MurmurHash3.
uint32_t scrambled(uint32_t rank) {
  uint32_t h = (rank + 1) * 0x9e3779b9;
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

}  // namespace

KeyChoice::KeyChoice(Distribution distribution, Rng rng, uint32_t keys)
    : distribution_(distribution), rng_(rng), keys_(keys) {
  if (distribution == Distribution::uniform) return;
  for (uint32_t i = 1; i <= keys; i += 1) zeta_ += std::pow(i, -exponent);
  power_ = 1 / (1 - exponent);
  second_ = 1 + std::pow(0.5, exponent);
  if (keys > 2) eta_ = (1 - std::pow(2.0 / keys, 1 - exponent)) / (1 - second_ / zeta_);
}

uint32_t KeyChoice::next() {
  return distribution_ == Distribution::uniform ? rng_.below(keys_) : scrambled(zipfianRank()) % keys_;
}

uint32_t KeyChoice::zipfianRank() {
  double u = rng_.fraction();
  double share = u * zeta_;
  if (share < 1) return 0;
  if (share < second_) return std::min(uint32_t{1}, keys_ - 1);
  double rank = std::floor(keys_ * std::pow(eta_ * u - eta_ + 1, power_));
  return static_cast<uint32_t>(std::min(rank, static_cast<double>(keys_ - 1)));
}

}  // namespace ringtail
