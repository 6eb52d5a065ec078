// What is asked, and how load is made: the fields of `bench --json` under "workload" (src/lab/workloads.ts, result.ts).
#pragma once

#include <cstdint>
#include <string>

#include "lab/key-choice.h"
#include "net/poller.h"

namespace ringtail {

struct Workload {
  std::string name = "a";
  uint32_t readPercent = 50;
  uint32_t keys = 100'000;
  uint32_t keyBytes = 16;
  uint32_t valueBytes = 1'024;
  Distribution distribution = Distribution::zipfian;
  std::string bucket = "bench";
  // Empty: the bucket's.
  std::string durability;
  // 0: the bucket's.
  uint32_t r = 0;
  uint32_t w = 0;
};

struct RunPlan {
  bool isOpenLoop = false;
  uint32_t clients = 64;
  uint32_t rate = 0;
  bool isPoisson = true;
  Pacing pacing = Pacing::nap;
  int64_t durationUs = 20'000'000;
  int64_t warmUpUs = 5'000'000;
  uint32_t connections = 1;
  uint32_t inFlightMax = 16'384;
  uint32_t seed = 1;
  bool throttles = true;
};

// By the schema's `Durability`: 1 memory, 2 buffered, 3 one-durable, 4 durable; empty for another number.
const char* durabilityName(uint32_t durability);
// 0: no such name.
uint32_t durabilityOf(const std::string& name);
const char* distributionName(Distribution distribution);
const char* pacingName(Pacing pacing);

}  // namespace ringtail
