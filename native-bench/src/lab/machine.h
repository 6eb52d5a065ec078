// The machine under a measurement: what it is, and what it did to the generator while it ran (src/lab/machine.ts). From
// Linux's /proc; what cannot be read there is unknown, a negative number.
#pragma once

#include <cstdint>
#include <string>

namespace ringtail {

struct Machine {
  uint32_t cpus = 0;
  std::string cpuModel;
  uint32_t memoryGiB = 0;
  std::string platform;
  double loadAverage = 0;
};

Machine thisMachine();

// What the process and the machine had used up at one moment.
struct Usage {
  int64_t cpuUs = 0;
  // Time in which the process could have run, but another had the CPU.
  double waitedUs = -1;
  double stolenTicks = -1;
  double allTicks = -1;
};

Usage usageNow();

struct UsageBetween {
  int64_t cpuUs = 0;
  double waitedUs = -1;
  // 0 to 1.
  double stealShare = -1;
};

UsageBetween usageBetween(const Usage& before, const Usage& after);

}  // namespace ringtail
