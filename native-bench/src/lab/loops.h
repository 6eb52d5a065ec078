// The two ways to make load, and what happens beside it at fixed instants.
//
// An open loop sends what the schedule says is due, whatever became of what was sent before, so that a stall is felt by
// every operation that should have begun meanwhile. A closed loop keeps so many operations in flight: it shows what a
// cluster can do, not how it feels.
#pragma once

#include "lab/arrivals.h"
#include "lab/machine.h"
#include "lab/recorder.h"
#include "lab/traffic.h"

namespace ringtail {

// Takes usage at both ends of the window, and ends an interval of the log every second in between.
class Watch {
 public:
  explicit Watch(Recorder& recorder) : recorder_(recorder), next_(recorder.from) {}

  // When to look again.
  Instant next() const { return next_; }
  void look(Instant now);
  UsageBetween end(Instant now);

 private:
  Recorder& recorder_;
  Instant next_;
  bool hasBegun_ = false;
  bool hasEnded_ = false;
  Usage before_;
  Usage after_;
};

struct LoopParts {
  Poller& poller;
  Client& client;
  Traffic& traffic;
  Watch& watch;
  Instant until;
};

// Both return when the last operation has ended.
void runOpenLoop(const LoopParts& parts, Arrivals arrivals, uint32_t inFlightMax, Pacing pacing);
void runClosedLoop(const LoopParts& parts, uint32_t clients);

}  // namespace ringtail
