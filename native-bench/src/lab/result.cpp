// The result as JSON, field by field as src/lab/result.ts has it; "generator.name" and "retries" are this bench's own.
#include "lab/result.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/json.h"
#include "lab/percentiles.h"

namespace ringtail {

namespace {

double rounded(double value, int digits) {
  double scale = std::pow(10, digits);
  return std::round(value * scale) / scale;
}

double count(uint64_t value) { return static_cast<double>(value); }

std::string isoDate(int64_t ms) {
  time_t seconds = static_cast<time_t>(ms / 1'000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char date[40];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(ms % 1'000));
  return text;
}

void percentileFields(JsonWriter& json, const Percentiles& percentiles) {
  for (size_t i = 0; i < percentileCount; i += 1) json.number(percentileNames[i], percentiles.ms[i]);
  json.number("max", percentiles.maxMs);
}

void percentileObject(JsonWriter& json, const char* name, const Percentiles& percentiles) {
  json.beginObject(name);
  percentileFields(json, percentiles);
  json.endObject();
}

Histogram merged(const Histogram& a, const Histogram& b) {
  Histogram sum = a;
  sum.add(b);
  return sum;
}

void textOrNull(JsonWriter& json, const char* name, const std::string& value) {
  if (value.empty()) {
    json.null(name);
  } else {
    json.text(name, value);
  }
}

void numberOrNull(JsonWriter& json, const char* name, double value, int digits) {
  if (value < 0) {
    json.null(name);
  } else {
    json.number(name, rounded(value, digits));
  }
}

void workloadObject(JsonWriter& json, const Workload& workload, const RunPlan& plan) {
  json.beginObject("workload");
  json.text("name", workload.name);
  json.number("readPercent", workload.readPercent);
  json.number("keys", workload.keys);
  json.number("keyBytes", workload.keyBytes);
  json.number("valueBytes", workload.valueBytes);
  json.text("distribution", distributionName(workload.distribution));
  json.text("bucket", workload.bucket);
  textOrNull(json, "durability", workload.durability);
  json.number("r", workload.r);
  json.number("w", workload.w);
  json.text("mode", plan.isOpenLoop ? "open" : "closed");
  if (plan.isOpenLoop) {
    json.null("clients");
    json.number("rate", plan.rate);
    json.text("arrivals", plan.isPoisson ? "poisson" : "constant");
    json.text("pacing", pacingName(plan.pacing));
  } else {
    json.number("clients", plan.clients);
    json.null("rate");
    json.null("arrivals");
    json.null("pacing");
  }
  json.number("durationSeconds", static_cast<double>(plan.durationUs) / 1e6);
  json.number("warmUpSeconds", static_cast<double>(plan.warmUpUs) / 1e6);
  json.number("connections", plan.connections);
  json.number("inFlightMax", plan.inFlightMax);
  json.number("seed", plan.seed);
  json.endObject();
}

void kindObject(JsonWriter& json, const char* name, const KindRecord& kind, bool isOpenLoop) {
  Percentiles response = percentilesOf(kind.response);
  json.beginObject(name);
  json.number("operations", count(kind.operations));
  json.number("errors", count(kind.errors));
  percentileFields(json, response);
  percentileObject(json, "serviceMs", isOpenLoop ? percentilesOf(kind.service) : response);
  json.endObject();
}

void generatorObject(JsonWriter& json, const RunParts& parts) {
  auto windowUs = static_cast<double>(parts.recorder.to - parts.recorder.from);
  auto cpuUs = static_cast<double>(parts.usage.cpuUs);
  json.beginObject("generator");
  json.text("name", "native-bench");
  json.number("cpuUsPerOperation", rounded(cpuUs / std::max(1.0, count(parts.recorder.answeredInside)), 1));
  json.number("cpuShare", rounded(cpuUs / windowUs, 3));
  numberOrNull(json, "waitedForCpuMs", parts.usage.waitedUs / 1'000, 1);
  numberOrNull(json, "stealShare", parts.usage.stealShare, 4);
  json.endObject();
}

void environmentObject(JsonWriter& json, const RunParts& parts) {
  json.beginObject("environment");
  json.beginObject("machine");
  json.number("cpus", parts.machine.cpus);
  json.text("cpuModel", parts.machine.cpuModel);
  json.number("memoryGiB", parts.machine.memoryGiB);
  json.text("platform", parts.machine.platform);
  json.text("node", "native-bench, compiler " __VERSION__);
  json.number("loadAverage", parts.machine.loadAverage);
  json.endObject();
  json.beginObject("cluster");
  json.number("nodes", parts.cluster.nodes);
  json.number("epoch", parts.cluster.epoch);
  json.number("partitions", parts.cluster.partitions);
  json.number("n", parts.cluster.n);
  json.number("r", parts.cluster.r);
  json.number("w", parts.cluster.w);
  json.text("durability", parts.cluster.durability);
  json.endObject();
  json.text("startedAt", isoDate(parts.startedMs));
  json.endObject();
}

}  // namespace

std::string jsonOf(const RunParts& parts) {
  const Recorder& recorder = parts.recorder;
  bool isOpenLoop = parts.plan.isOpenLoop;
  uint64_t operations = recorder.gets.operations + recorder.puts.operations;
  auto seconds = static_cast<double>(recorder.to - recorder.from) / 1e6;
  Percentiles all = percentilesOf(merged(recorder.gets.response, recorder.puts.response));
  Percentiles service = isOpenLoop ? percentilesOf(merged(recorder.gets.service, recorder.puts.service)) : all;
  JsonWriter json;
  json.beginObject();
  workloadObject(json, parts.workload, parts.plan);
  json.number("operations", count(operations));
  json.number("errors", count(recorder.gets.errors + recorder.puts.errors));
  json.number("throughput", rounded(count(recorder.answeredInside) / seconds, 1));
  percentileObject(json, "latencyMs", all);
  kindObject(json, "get", recorder.gets, isOpenLoop);
  kindObject(json, "put", recorder.puts, isOpenLoop);
  textOrNull(json, "voided", decideVoid(parts));
  percentileObject(json, "serviceMs", service);
  percentileObject(json, "latenessMs", percentilesOf(recorder.lateness));
  json.beginArray("tooFewSamples");
  for (size_t i = 0; i < percentileCount; i += 1) {
    if (hasTooFew(operations, i)) json.text("", percentileNames[i]);
  }
  json.endArray();
  json.beginObject("errorsByCode");
  for (Status code = 1; code < statusCount; code += 1) {
    if (recorder.errorCounts[code] > 0) json.number(errorName(code), count(recorder.errorCounts[code]));
  }
  json.endObject();
  json.beginObject("siblings");
  json.number("mean", rounded(count(recorder.siblings) / std::max(1.0, count(recorder.gets.operations)), 3));
  json.number("max", recorder.siblingsMost);
  json.endObject();
  json.number("blindPuts", count(recorder.blindPuts));
  json.number("retries", count(parts.retries));
  generatorObject(json, parts);
  if (parts.load.isDone) {
    json.beginObject("load");
    json.number("read", count(parts.load.read));
    json.number("written", count(parts.load.written));
    json.endObject();
  } else {
    json.null("load");
  }
  environmentObject(json, parts);
  json.endObject();
  return json.document();
}

}  // namespace ringtail
