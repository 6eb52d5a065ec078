// Recorder: what a run has measured (src/lab/recorder.ts). Only operations whose intended start lies in the measured
// window count, and they count whenever their answer comes. Response time runs from the intended start, service time
// from the send; histograms are merged, percentiles never averaged.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "lab/histogram-log.h"
#include "lab/histogram.h"
#include "wire/errors.h"

namespace ringtail {

struct KindRecord {
  Histogram response;
  // Empty in a closed loop.
  Histogram service;
  uint64_t operations = 0;
  uint64_t errors = 0;
};

class Recorder {
 public:
  // `log` may be null.
  Recorder(Instant windowFrom, Instant windowTo, bool isOpenLoop, HistogramLog* log)
      : from(windowFrom), to(windowTo), isOpenLoop_(isOpenLoop), log_(log), intervalFrom_(windowFrom) {}

  // Whether an operation due at that instant counts.
  bool counts(Instant intended) const { return intended >= from && intended < to; }

  // `held`: it is late because too many were in flight, which is no lateness of the generator.
  void sent(Instant intended, Instant sentAt, bool held);
  void answered(bool isGet, Instant intended, Instant sentAt, Instant now);
  void failed(bool isGet, Instant intended, Status code);
  void sawSiblings(Instant intended, uint32_t count);
  void sentBlind(Instant intended) { blindPuts += counts(intended) ? 1 : 0; }
  // Ends an interval of the log; about once a second, and once at the end.
  void endInterval(Instant now);

  const Instant from;
  const Instant to;
  KindRecord gets;
  KindRecord puts;
  Histogram lateness;
  std::array<uint64_t, statusCount> errorCounts{};
  // Answers that came inside the window, whenever their operation was due.
  uint64_t answeredInside = 0;
  uint64_t heldBack = 0;
  uint64_t blindPuts = 0;
  uint64_t siblings = 0;
  uint32_t siblingsMost = 0;

 private:
  bool isOpenLoop_;
  HistogramLog* log_;
  Instant intervalFrom_;
  Histogram intervalGets_;
  Histogram intervalPuts_;
};

}  // namespace ringtail
