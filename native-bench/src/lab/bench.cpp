// ringtail-native-bench: load on a cluster, or on anything that speaks its protocol, without a garbage collector beside
// the measurement. One run: connect, load phase, warm-up, the measured window, and the wait for what is still in
// flight.
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

#include "base/fail.h"
#include "lab/loops.h"
#include "lab/options.h"
#include "lab/output.h"
#include "lab/priority.h"

namespace ringtail {

namespace {

constexpr const char* about = "ringtail-native-bench: load on a cluster, with a percentile report";

int64_t wallMs() {
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  return int64_t{at.tv_sec} * 1'000 + at.tv_nsec / 1'000'000;
}

uint32_t freshSeed() {
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  return static_cast<uint32_t>(at.tv_nsec) ^ static_cast<uint32_t>(at.tv_sec) * 0x9e3779b9;
}

ClientOptions clientOptionsOf(const Options& options) {
  ClientOptions client;
  client.seedNodes = options.seedNodes;
  client.connectionsPerNode = options.plan.connections;
  client.inFlightMax = options.plan.inFlightMax < 256 ? 256 : options.plan.inFlightMax;
  client.bucket = options.workload.bucket;
  client.throttles = options.plan.throttles;
  client.r = options.workload.r;
  client.w = options.workload.w;
  client.durability = durabilityOf(options.workload.durability);
  return client;
}

ClusterFacts factsOf(const Client& client, const Workload& workload) {
  const Ring& ring = client.ring();
  const BucketPolicy& policy = client.policy();
  ClusterFacts facts;
  facts.link = "a cluster, plain TCP";
  for (const Member& member : ring.members()) facts.nodes += member.status == memberLeft ? 0 : 1;
  facts.epoch = ring.epoch();
  facts.partitions = ring.partitions();
  facts.n = policy.n;
  facts.r = workload.r == 0 ? policy.r : workload.r;
  facts.w = workload.w == 0 ? policy.w : workload.w;
  facts.durability = workload.durability.empty() ? durabilityName(policy.durability) : workload.durability;
  return facts;
}

void say(const Options& options, const char* text) {
  if (!options.isJson) std::fprintf(stderr, "%s\n", text);
}

int run(const Options& options) {
  const Workload& workload = options.workload;
  const RunPlan& plan = options.plan;
  std::unique_ptr<HistogramLog> log;
  if (!options.histogramLog.empty()) log = std::make_unique<HistogramLog>(options.histogramLog);
  Rng root(plan.seed);
  KeySpace keySpace(workload.bucket, workload.keys, workload.keyBytes, workload.valueBytes, root.fork("values"));
  Contexts contexts(workload.keys);
  Poller poller;
  // Routes and request ids are no part of the workload: each run has its own.
  Client client(poller, keySpace, contexts, clientOptionsOf(options), Rng(freshSeed()));
  client.open();
  Machine machine = thisMachine();
  say(options, "loading keys ...");
  LoadReport load = LoadPhase(poller, client, workload).run(options.load);
  ClusterFacts facts = factsOf(client, workload);
  say(options, "running ...");

  Instant start = clockNow();
  Instant from = start + plan.warmUpUs;
  int64_t startedMs = wallMs() + plan.warmUpUs / 1'000;
  Recorder recorder(from, from + plan.durationUs, plan.isOpenLoop, log.get());
  Traffic traffic(client, contexts, recorder, workload, root);
  client.use(traffic, options.timeoutUs);
  Watch watch(recorder);
  LoopParts loop{poller, client, traffic, watch, recorder.to};
  if (plan.isOpenLoop) {
    Arrivals arrivals(plan.isPoisson, plan.rate, root.fork("arrivals"), start);
    runOpenLoop(loop, arrivals, plan.inFlightMax, plan.pacing);
  } else {
    runClosedLoop(loop, plan.clients);
  }
  UsageBetween usage = watch.end(clockNow());
  if (log != nullptr) log->save(from, startedMs, "native-bench, workload " + workload.name + ", " + facts.durability);
  return printResult(
      options, RunParts{workload, plan, recorder, usage, load, machine, facts, startedMs, client.retries(), false});
}

}  // namespace

}  // namespace ringtail

int main(int count, char** words) {
  using namespace ringtail;
  std::signal(SIGPIPE, SIG_IGN);
  Options options = readOptions(count, words, about, false);
  if (options.priority == Priority::high && !raisePriority()) {
    std::fprintf(stderr, "native-bench: --priority high is not allowed here; going on without\n");
  }
  return run(options);
}
