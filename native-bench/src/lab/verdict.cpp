// Whether a run may be published: the decision of src/lab/verdict.ts, in its words.
#include <algorithm>
#include <cstdio>

#include "lab/result.h"

namespace ringtail {

namespace {

constexpr double latenessMaxUs = 1'000;
constexpr double throughputShareMin = 0.99;
constexpr double stealShareMax = 0.01;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void addReason(std::string& reasons, const std::string& reason) { reasons += (reasons.empty() ? "" : "; ") + reason; }

// What kept the generator: others that had the CPU, its own work, or neither.
std::string causeOf(const RunParts& parts) {
  auto windowUs = static_cast<double>(std::max<int64_t>(1, parts.recorder.to - parts.recorder.from));
  auto cpuUs = static_cast<double>(parts.usage.cpuUs);
  std::string busy = "its process used " + fixed(100 * cpuUs / windowUs, 0) + " % of a CPU";
  if (parts.usage.waitedUs < 0) return busy;
  std::string why = "the machine paused it";
  if (cpuUs > windowUs / 2) why = "its own loop was busy";
  if (parts.usage.waitedUs > windowUs / 50) why = "the machine's CPUs were taken";
  std::string waited = fixed(100 * parts.usage.waitedUs / windowUs, 0);
  return why + " (" + busy + " and waited " + waited + " % of the time for one)";
}

void addOpenLoopReasons(const RunParts& parts, std::string& reasons) {
  const Recorder& recorder = parts.recorder;
  auto latenessUs = static_cast<double>(recorder.lateness.valueAt(99.9));
  if (latenessUs > latenessMaxUs && !parts.isInProcess) {
    addReason(reasons, "the generator sent late, " + fixed(latenessUs / 1'000, 2) +
                           " ms at p99.9 (allowed: 1 ms): " + causeOf(parts));
  }
  auto scheduled = static_cast<double>(recorder.gets.operations + recorder.puts.operations + recorder.gets.errors +
                                       recorder.puts.errors);
  auto answered = static_cast<double>(recorder.answeredInside);
  if (answered >= scheduled * throughputShareMin) return;
  addReason(reasons, "only " + fixed(100 * answered / std::max(1.0, scheduled), 1) + " % of the " +
                         std::to_string(parts.plan.rate) +
                         " operations per second asked for were answered (needed: 99 %)");
}

}  // namespace

std::string decideVoid(const RunParts& parts) {
  const Recorder& recorder = parts.recorder;
  std::string reasons;
  if (recorder.gets.operations + recorder.puts.operations == 0) addReason(reasons, "no operation succeeded");
  if (recorder.heldBack > 0) {
    addReason(reasons, std::to_string(recorder.heldBack) + " operations had to wait because " +
                           std::to_string(parts.plan.inFlightMax) + " were in flight (--in-flight-max)");
  }
  if (parts.plan.isOpenLoop) addOpenLoopReasons(parts, reasons);
  if (parts.usage.stealShare > stealShareMax) {
    addReason(reasons, "other virtual machines took " + fixed(100 * parts.usage.stealShare, 1) +
                           " % of the CPUs (allowed: 1 %)");
  }
  return reasons;
}

}  // namespace ringtail
