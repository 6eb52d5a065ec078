// The percentiles that are reported, in milliseconds, and which of them have too few samples.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "lab/histogram.h"

namespace ringtail {

constexpr size_t percentileCount = 5;
constexpr const char* percentileNames[percentileCount] = {"p50", "p90", "p99", "p99.9", "p99.99"};
constexpr double percentileValues[percentileCount] = {50, 90, 99, 99.9, 99.99};

struct Percentiles {
  std::array<double, percentileCount> ms{};
  double maxMs = 0;
};

inline Percentiles percentilesOf(const Histogram& histogram) {
  Percentiles percentiles;
  percentiles.maxMs = static_cast<double>(histogram.max()) / 1'000;
  for (size_t i = 0; i < percentileCount; i += 1) {
    // A percentile is the upper end of its bucket, which may lie above the largest value.
    int64_t us = std::min(histogram.valueAt(percentileValues[i]), histogram.max());
    percentiles.ms[i] = static_cast<double>(us) / 1'000;
  }
  return percentiles;
}

// Whether fewer than 100 of so many samples lie beyond the percentile.
inline bool hasTooFew(uint64_t samples, size_t percentile) {
  double beyond = static_cast<double>(samples) * std::round((100 - percentileValues[percentile]) * 1'000) / 100'000;
  return beyond < 100;
}

}  // namespace ringtail
