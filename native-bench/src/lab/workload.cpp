// The words of the command line and of the JSON.
#include "lab/workload.h"

namespace ringtail {

namespace {

constexpr const char* durabilities[] = {"", "memory", "buffered", "one-durable", "durable"};
constexpr uint32_t durabilityCount = 5;

}  // namespace

const char* durabilityName(uint32_t durability) { return durabilities[durability < durabilityCount ? durability : 0]; }

uint32_t durabilityOf(const std::string& name) {
  for (uint32_t i = 1; i < durabilityCount; i += 1) {
    if (name == durabilities[i]) return i;
  }
  return 0;
}

const char* distributionName(Distribution distribution) {
  return distribution == Distribution::uniform ? "uniform" : "zipfian";
}

const char* pacingName(Pacing pacing) {
  switch (pacing) {
    case Pacing::spin:
      return "spin";
    case Pacing::timer:
      return "timer";
    default:
      return "nap";
  }
}

}  // namespace ringtail
