// The monotonic clock, in whole microseconds, and the one unit of time in this program. `Instant` is a point on it;
// differences are plain microseconds too, and names end in `Us`.
#pragma once

#include <cstdint>
#include <ctime>

namespace ringtail {

using Instant = int64_t;

constexpr Instant never = INT64_MAX;

inline Instant clockNow() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<Instant>(at.tv_sec) * 1'000'000 + at.tv_nsec / 1'000;
}

// A signal may end it early; an instant that has passed ends it at once.
inline void sleepUntil(Instant until) {
  timespec at{};
  at.tv_sec = static_cast<time_t>(until / 1'000'000);
  at.tv_nsec = static_cast<long>(until % 1'000'000 * 1'000);
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

}  // namespace ringtail
