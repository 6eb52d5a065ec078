// Poller: the one epoll set of a process, and what must be written at the end of a turn. It sleeps with microsecond
// precision: epoll_wait's milliseconds are far too coarse for a schedule of arrivals.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace ringtail {

// Something with a file descriptor in the set.
class Pollable {
 public:
  virtual ~Pollable() = default;
  virtual void onEvents(uint32_t events) = 0;
  // The turn ends: write what was queued.
  virtual void onTurnEnd() {}
};

// How a wait for a later instant is spent: asleep to the microsecond, awake, or asleep to the millisecond.
enum class Pacing { nap, spin, timer };

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void add(int fd, uint32_t events, Pollable* pollable);
  void change(int fd, uint32_t events, Pollable* pollable);
  // Before the descriptor is closed. Events of this turn that it still has are dropped.
  void remove(int fd, Pollable* pollable);

  // `pollable` is told when this turn ends. Ask once per turn.
  void wantTurnEnd(Pollable* pollable) { turnEnds_.push_back(pollable); }
  void endTurn();

  // Sleeps until something happens or `until` has come, and tells who is concerned.
  void wait(Instant until, Pacing pacing);

 private:
  static constexpr int eventsMax = 64;

  int wait(void* events, Instant until, Pacing pacing);

  int epoll_;
  bool hasPreciseWait_ = true;
  // Those whose events this turn still holds, and those to be told of its end; a null stands for one that was removed.
  std::vector<Pollable*> due_;
  std::vector<Pollable*> turnEnds_;
};

}  // namespace ringtail
