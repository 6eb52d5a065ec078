// The result for people, line by line as src/lab/report.ts prints it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "lab/percentiles.h"
#include "lab/result.h"

namespace ringtail {

namespace {

using Row = std::vector<std::string>;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string whole(double value) {
  std::string digits = fixed(value, 0);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string whole(uint64_t value) { return whole(static_cast<double>(value)); }

std::string askedLines(const Workload& workload, const RunPlan& plan) {
  std::string load = plan.isOpenLoop ? "open loop, " + whole(uint64_t{plan.rate}) + " operations/s, " +
                                           (plan.isPoisson ? "poisson" : "constant") + " arrivals, pacing " +
                                           pacingName(plan.pacing)
                                     : "closed loop, " + std::to_string(plan.clients) + " clients";
  return "workload    " + workload.name + ": " + std::to_string(workload.readPercent) + " % gets, " +
         std::to_string(100 - workload.readPercent) + " % puts; " + whole(uint64_t{workload.keys}) + " keys of " +
         std::to_string(workload.keyBytes) + " bytes, values of " + whole(uint64_t{workload.valueBytes}) + " bytes, " +
         distributionName(workload.distribution) + "; bucket " + workload.bucket + "\nload        " + load + "; " +
         fixed(static_cast<double>(plan.durationUs) / 1e6, 1) + " s after " +
         fixed(static_cast<double>(plan.warmUpUs) / 1e6, 1) + " s of warm-up; " + std::to_string(plan.connections) +
         " connection" + (plan.connections == 1 ? "" : "s") + " per node; seed " + std::to_string(plan.seed) + "\n";
}

std::string measuredLine(const ClusterFacts& cluster) {
  std::string text = "measured    " + cluster.link;
  // A floor without a network has neither nodes nor a ring.
  if (cluster.nodes == 0) return text + ", " + std::to_string(cluster.n) + " copies, " + cluster.durability + "\n";
  return text + ": " + std::to_string(cluster.nodes) + " nodes, n=" + std::to_string(cluster.n) +
         " r=" + std::to_string(cluster.r) + " w=" + std::to_string(cluster.w) + ", " + cluster.durability +
         "; epoch " + std::to_string(cluster.epoch) + ", " + std::to_string(cluster.partitions) + " partitions\n";
}

std::string machineLine(const Machine& machine) {
  return "machine     " + std::to_string(machine.cpus) + " CPUs (" + machine.cpuModel + "), " +
         std::to_string(machine.memoryGiB) + " GiB, " + machine.platform + ", load average " +
         fixed(machine.loadAverage, 2) + "\n";
}

std::string errorText(const Recorder& recorder) {
  std::string text;
  for (Status code = 1; code < statusCount; code += 1) {
    if (recorder.errorCounts[code] == 0) continue;
    text += (text.empty() ? "" : ", ") + (errorName(code) + (" " + whole(recorder.errorCounts[code])));
  }
  return text.empty() ? "none" : text;
}

std::string outcomeLines(const RunParts& parts) {
  const Recorder& recorder = parts.recorder;
  auto windowUs = static_cast<double>(recorder.to - recorder.from);
  auto answered = static_cast<double>(recorder.answeredInside);
  auto cpuUs = static_cast<double>(parts.usage.cpuUs);
  std::string text = "throughput  " + whole(answered / windowUs * 1e6) + " operations/s";
  if (parts.plan.isOpenLoop) text += " of " + whole(uint64_t{parts.plan.rate}) + "/s asked for";
  text += "\noperations  " + whole(recorder.gets.operations + recorder.puts.operations) + ": " +
          whole(recorder.gets.operations) + " gets, " + whole(recorder.puts.operations) +
          " puts; errors: " + errorText(recorder) + "; retries " + whole(parts.retries) + "\n";
  text += "generator   " + fixed(cpuUs / std::max(1.0, answered), 1) + " us of CPU per operation, " +
          fixed(100 * cpuUs / windowUs, 0) + " % of one CPU";
  if (parts.usage.waitedUs >= 0) text += ", waited " + whole(parts.usage.waitedUs / 1'000) + " ms for a CPU";
  if (parts.usage.stealShare >= 0) text += ", steal " + fixed(100 * parts.usage.stealShare, 1) + " %";
  text += "\n";
  if (recorder.siblingsMost > 1) {
    auto gets = static_cast<double>(std::max<uint64_t>(1, recorder.gets.operations));
    text += "siblings    " + fixed(static_cast<double>(recorder.siblings) / gets, 3) + " per get, at most " +
            std::to_string(recorder.siblingsMost) + "\n";
  }
  if (recorder.blindPuts > 0) text += "contexts    none was known for " + whole(recorder.blindPuts) + " puts\n";
  return text;
}

Row rowOf(const std::string& name, const Histogram& histogram) {
  Percentiles percentiles = percentilesOf(histogram);
  Row row = {name, whole(histogram.count())};
  for (size_t i = 0; i < percentileCount; i += 1) {
    row.push_back(hasTooFew(histogram.count(), i) ? "-" : fixed(percentiles.ms[i], 3));
  }
  row.push_back(histogram.count() == 0 ? "-" : fixed(percentiles.maxMs, 3));
  return row;
}

std::vector<Row> tableOf(const Recorder& recorder, bool isOpenLoop) {
  Row heading = {"", "samples"};
  for (const char* name : percentileNames) heading.push_back(name);
  heading.push_back("max");
  Histogram all = recorder.gets.response;
  all.add(recorder.puts.response);
  if (!isOpenLoop) {
    return {heading, rowOf("get", recorder.gets.response), rowOf("put", recorder.puts.response), rowOf("all", all)};
  }
  Histogram service = recorder.gets.service;
  service.add(recorder.puts.service);
  return {heading,
          rowOf("get response", recorder.gets.response),
          rowOf("get service", recorder.gets.service),
          rowOf("put response", recorder.puts.response),
          rowOf("put service", recorder.puts.service),
          rowOf("all response", all),
          rowOf("all service", service),
          rowOf("lateness", recorder.lateness)};
}

std::string textOf(const std::vector<Row>& table) {
  std::vector<size_t> widths(table[0].size());
  for (const Row& row : table) {
    for (size_t i = 0; i < row.size(); i += 1) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : table) {
    for (size_t i = 0; i < row.size(); i += 1) {
      std::string padding(widths[i] - row[i].size(), ' ');
      text += i == 0 ? row[i] + padding : "  " + padding + row[i];
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string reportOf(const RunParts& parts) {
  std::string voided = decideVoid(parts);
  std::string text = voided.empty() ? "" : "VOIDED: " + voided + "\n";
  text += askedLines(parts.workload, parts.plan) + measuredLine(parts.cluster) + machineLine(parts.machine);
  text += outcomeLines(parts);
  text += "\nmilliseconds\n" + textOf(tableOf(parts.recorder, parts.plan.isOpenLoop));
  text += "-  fewer than 100 samples lie beyond it\n";
  text += parts.plan.isOpenLoop
              ? "response: from the intended start; service: from the send; lateness: the generator's own\n"
              : "a closed loop: stalls are left out of these latencies; --rate shows them\n";
  return text;
}

}  // namespace ringtail
