// Throttle: a client that is told OVERLOADED again and again asks less, as the SDK does (src/client/throttle.ts, which
// says why).
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/rng.h"

namespace ringtail {

class Throttle {
 public:
  // A node has answered, well or badly, but for OVERLOADED.
  void onAnswer(Instant now) { answered_.add(now); }
  void onOverloaded(Instant now) { refused_.add(now); }
  // Whether a request should fail here and now.
  bool holdsBack(Instant now, Rng& rng);

 private:
  // How often something happened in the last while: one number per slot of time.
  class RecentCount {
   public:
    void add(Instant now) {
      advance(now);
      counts_[static_cast<size_t>(slot_) % counts_.size()] += 1;
      sum_ += 1;
    }
    int64_t sum(Instant now) {
      advance(now);
      return sum_;
    }

   private:
    void advance(Instant now);

    std::array<int64_t, 10> counts_{};
    int64_t sum_ = 0;
    int64_t slot_ = 0;
  };

  RecentCount answered_;
  // By nodes, and here.
  RecentCount refused_;
};

}  // namespace ringtail
