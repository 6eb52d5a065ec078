// The numbers are those of src/client/throttle.ts.
#include "client/throttle.h"

#include <algorithm>

namespace ringtail {

namespace {

constexpr int64_t slotUs = 20'000;
constexpr int64_t patience = 8;
constexpr int64_t answersPerRefusal = 4;

}  // namespace

void Throttle::RecentCount::advance(Instant now) {
  int64_t slot = now / slotUs;
  int64_t steps = std::min<int64_t>(slot - slot_, static_cast<int64_t>(counts_.size()));
  for (int64_t step = 1; step <= steps; step += 1) {
    int64_t& count = counts_[static_cast<size_t>(slot_ + step) % counts_.size()];
    sum_ -= count;
    count = 0;
  }
  slot_ = std::max(slot_, slot);
}

bool Throttle::holdsBack(Instant now, Rng& rng) {
  int64_t answered = answered_.sum(now);
  int64_t refused = refused_.sum(now);
  int64_t surplus = refused - answered / answersPerRefusal - patience;
  if (surplus <= 0 || static_cast<int64_t>(rng.below(static_cast<uint64_t>(refused + answered))) >= surplus) return false;
  refused_.add(now);
  return true;
}

}  // namespace ringtail
