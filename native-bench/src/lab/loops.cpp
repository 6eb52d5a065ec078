// Each turn: send what is due, write, sleep until something happens, let time pass.
#include "lab/loops.h"

#include <algorithm>

namespace ringtail {

namespace {

constexpr int64_t secondUs = 1'000'000;
// Sends of one look: more wait for the next one, so that answers are read in between.
constexpr int burstMax = 64;
// Napping, a turn begins so long after the one before: what is due or has come by then is seen to together. A quarter of the
// lateness that voids a run. A wake-up costs a virtual machine some 40 us of CPU, which the nodes on it would have used.
constexpr int64_t napUs = 250;

}  // namespace

void Watch::look(Instant now) {
  if (now < next_ || hasEnded_) return;
  if (!hasBegun_) {
    hasBegun_ = true;
    before_ = usageNow();
  } else {
    recorder_.endInterval(now);
  }
  if (now >= recorder_.to) {
    hasEnded_ = true;
    after_ = usageNow();
    next_ = never;
    return;
  }
  next_ = std::min(next_ + secondUs, recorder_.to);
}

UsageBetween Watch::end(Instant now) {
  recorder_.endInterval(now);
  if (!hasEnded_) after_ = usageNow();
  return usageBetween(before_, after_);
}

void runOpenLoop(const LoopParts& parts, Arrivals arrivals, uint32_t inFlightMax, Pacing pacing) {
  Instant heldAt = -1;
  for (;;) {
    Instant now = clockNow();
    Instant begunAt = now;
    parts.watch.look(now);
    bool isFull = false;
    for (int sent = 0; sent < burstMax && arrivals.next() <= now && arrivals.next() < parts.until; sent += 1) {
      isFull = parts.traffic.inFlight() >= inFlightMax;
      if (isFull) {
        heldAt = now;
        break;
      }
      parts.traffic.send(now, arrivals.next(), arrivals.next() <= heldAt);
      arrivals.advance();
      now = clockNow();
    }
    parts.poller.endTurn();
    bool isOver = arrivals.next() >= parts.until;
    if (isOver && parts.traffic.inFlight() == 0 && now >= parts.until) return;
    Instant next = std::min(parts.client.nextTick(), parts.watch.next());
    // While too many are in flight, the next send waits for an answer and not for the clock.
    if (!isOver && !isFull) next = std::min(next, arrivals.next());
    if (isOver && now < parts.until) next = std::min(next, parts.until);
    if (pacing == Pacing::nap) sleepUntil(begunAt + napUs);
    parts.poller.wait(next, pacing);
    parts.client.tick(clockNow());
  }
}

void runClosedLoop(const LoopParts& parts, uint32_t clients) {
  uint32_t owed = clients;
  for (;;) {
    Instant now = clockNow();
    parts.watch.look(now);
    for (; owed > 0 && now < parts.until; owed -= 1) parts.traffic.send(now, now, false);
    parts.poller.endTurn();
    if (now >= parts.until && parts.traffic.inFlight() == 0) return;
    Instant next = std::min(parts.client.nextTick(), parts.watch.next());
    if (now < parts.until) next = std::min(next, parts.until);
    parts.poller.wait(next, Pacing::nap);
    parts.client.tick(clockNow());
    owed += parts.traffic.takeEnded();
  }
}

}  // namespace ringtail
