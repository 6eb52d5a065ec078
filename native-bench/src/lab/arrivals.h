// When operations of an open loop are due: a schedule fixed before anything is sent (src/lab/arrivals.ts). Poisson, as
// many independent users make them, or evenly spaced.
#pragma once

#include <cmath>

#include "base/clock.h"
#include "base/rng.h"

namespace ringtail {

class Arrivals {
 public:
  // `rate` is in operations per second; the first arrival is one gap after `start`.
  Arrivals(bool isPoisson, double rate, Rng rng, Instant start)
      : isPoisson_(isPoisson), meanGapUs_(1e6 / rate), rng_(rng), at_(static_cast<double>(start)) {
    advance();
  }

  // When the next operation is due.
  Instant next() const { return static_cast<Instant>(std::floor(at_)); }
  // That operation is taken: on to the one after it.
  void advance() { at_ += (isPoisson_ ? -std::log(1 - rng_.fraction()) : 1.0) * meanGapUs_; }

 private:
  bool isPoisson_;
  double meanGapUs_;
  Rng rng_;
  // Kept with its fraction: rounding each gap would change the rate.
  double at_;
};

}  // namespace ringtail
