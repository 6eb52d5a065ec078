// The result of a run and its two forms: the JSON of `ringtail bench --json` (src/lab/result.ts) and a report for
// people (src/lab/report.ts). A run in which the generator, and not what it measured, decided the figures says so
// first.
#pragma once

#include <cstdint>
#include <string>

#include "lab/machine.h"
#include "lab/recorder.h"
#include "lab/workload.h"

namespace ringtail {

struct LoadReport {
  bool isDone = false;
  uint64_t read = 0;
  uint64_t written = 0;
};

struct ClusterFacts {
  // What was measured, in the place of a TCP connection's kind: "plain TCP".
  std::string link;
  uint32_t nodes = 0;
  uint32_t epoch = 0;
  uint32_t partitions = 0;
  uint32_t n = 0;
  uint32_t r = 0;
  uint32_t w = 0;
  std::string durability;
};

// All that a result is made of.
struct RunParts {
  const Workload& workload;
  const RunPlan& plan;
  const Recorder& recorder;
  UsageBetween usage;
  LoadReport load;
  Machine machine;
  ClusterFacts cluster;
  // Wall clock at the window's start.
  int64_t startedMs;
  uint64_t retries;
  // Whether the operations are done by the program itself, one at a time, so that its lateness is their queueing.
  bool isInProcess;
};

// Why the figures must not be published; empty: they may (src/lab/verdict.ts).
std::string decideVoid(const RunParts& parts);

std::string jsonOf(const RunParts& parts);
std::string reportOf(const RunParts& parts);

}  // namespace ringtail
