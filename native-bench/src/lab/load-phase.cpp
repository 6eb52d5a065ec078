// The phase is a closed loop of its own, 128 wide; what failed goes to the back of the queue.
#include "lab/load-phase.h"

#include <algorithm>

#include "base/fail.h"
#include "wire/record.h"

namespace ringtail {

namespace {

constexpr uint32_t width = 128;
constexpr uint32_t sampleSize = 64;
constexpr uint32_t sampleSeed = 1;
constexpr uint8_t attemptsMax = 5;
constexpr int64_t timeoutUs = 10'000'000;

std::vector<uint32_t> sampleOf(uint32_t count) {
  Rng rng(sampleSeed);
  std::vector<uint32_t> keys = {0, count - 1};
  while (keys.size() < std::min(sampleSize, count)) keys.push_back(rng.below(count));
  return keys;
}

}  // namespace

LoadPhase::LoadPhase(Poller& poller, Client& client, const Workload& workload)
    : poller_(poller), client_(client), workload_(workload) {}

LoadReport LoadPhase::run(LoadMode mode) {
  LoadReport report;
  if (mode == LoadMode::never) return report;
  client_.use(*this, timeoutUs);
  sweep(Plan::look, sampleOf(workload_.keys));
  bool isWholeSize = found_ > 0 && otherSize_ == 0;
  bool isFresh = mode == LoadMode::always || !isWholeSize;
  Plan plan = found_ == 0 ? Plan::fill : isFresh ? Plan::replace : Plan::complete;
  std::vector<uint32_t> all(workload_.keys);
  for (uint32_t key = 0; key < workload_.keys; key += 1) all[key] = key;
  read_ = written_ = 0;
  sweep(plan, all);
  report.isDone = true;
  report.read = read_;
  report.written = written_;
  return report;
}

void LoadPhase::sweep(Plan plan, const std::vector<uint32_t>& keys) {
  plan_ = plan;
  size_t next = 0;
  while (next < keys.size() || !again_.empty() || client_.inFlight() > 0) {
    Instant now = clockNow();
    while (client_.inFlight() < width && (next < keys.size() || !again_.empty())) {
      if (again_.empty()) {
        begin(now, Step{keys[next], plan != Plan::fill, 0});
        next += 1;
      } else {
        Step step = again_.front();
        again_.pop_front();
        begin(now, step);
      }
    }
    poller_.endTurn();
    poller_.wait(client_.nextTick(), Pacing::nap);
    client_.tick(clockNow());
  }
}

void LoadPhase::begin(Instant now, const Step& step) {
  Request* request = client_.make(now);
  request->key = step.key;
  request->valueNumber = step.key;
  request->isGet = step.isGet;
  request->note = step.attempts;
  client_.begin(now, *request);
}

void LoadPhase::onGot(Instant, const Request& request, const GetReply& reply) {
  read_ += 1;
  RecordFacts facts;
  if (!readRecord(reply.record, facts)) fail(protocolMismatch, "a get was answered with bytes that are no record");
  if (facts.values > 0) found_ += 1;
  if (facts.values > 0 && facts.valueBytes != workload_.valueBytes) otherSize_ += 1;
  bool isDone = plan_ == Plan::look || (plan_ == Plan::complete && facts.values > 0);
  if (!isDone) again_.push_back(Step{request.key, false, request.note});
}

void LoadPhase::onWritten(Instant, const Request&, const PutReply&) { written_ += 1; }

void LoadPhase::onFailed(Instant, const Request& request, Status code, const std::string& message) {
  auto attempts = static_cast<uint8_t>(request.note + 1);
  if (attempts >= attemptsMax || !isRetryable(code)) fail(code, "while loading keys: " + message);
  again_.push_back(Step{request.key, request.isGet, attempts});
}

}  // namespace ringtail
