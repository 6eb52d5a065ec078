// /proc/self/schedstat, /proc/stat, /proc/cpuinfo, and what the C library knows.
#include "lab/machine.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace ringtail {

namespace {

std::string cpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

int64_t microsecondsOf(const timeval& time) { return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; }

}  // namespace

Machine thisMachine() {
  Machine machine;
  machine.cpus = static_cast<uint32_t>(sysconf(_SC_NPROCESSORS_ONLN));
  machine.cpuModel = cpuModel();
  struct sysinfo facts {};
  sysinfo(&facts);
  double bytes = static_cast<double>(facts.totalram) * facts.mem_unit;
  machine.memoryGiB = static_cast<uint32_t>(std::lround(bytes / 1073741824.0));
#if defined(__x86_64__)
  machine.platform = "linux x64";
#elif defined(__aarch64__)
  machine.platform = "linux arm64";
#else
  machine.platform = "linux";
#endif
  getloadavg(&machine.loadAverage, 1);
  return machine;
}

Usage usageNow() {
  Usage usage;
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  usage.cpuUs = microsecondsOf(used.ru_utime) + microsecondsOf(used.ru_stime);
  // Nanoseconds on a CPU, nanoseconds waiting for one, time slices.
  std::ifstream schedule("/proc/self/schedstat");
  double ran = 0;
  double waited = 0;
  if (schedule >> ran >> waited) usage.waitedUs = waited / 1'000;
  // "cpu user nice system idle iowait irq softirq steal ..."
  std::ifstream stat("/proc/stat");
  std::string label;
  double ticks[8] = {};
  stat >> label;
  for (double& tick : ticks) stat >> tick;
  if (!stat) return usage;
  usage.allTicks = 0;
  for (double tick : ticks) usage.allTicks += tick;
  usage.stolenTicks = ticks[7];
  return usage;
}

UsageBetween usageBetween(const Usage& before, const Usage& after) {
  UsageBetween between;
  between.cpuUs = after.cpuUs - before.cpuUs;
  if (before.waitedUs >= 0 && after.waitedUs >= 0) between.waitedUs = after.waitedUs - before.waitedUs;
  double all = after.allTicks - before.allTicks;
  if (before.allTicks >= 0 && after.allTicks >= 0 && all > 0) {
    between.stealShare = (after.stolenTicks - before.stolenTicks) / all;
  }
  return between;
}

}  // namespace ringtail
