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
// A refusal because of load is no attempt, but for so long nothing at all may get done before it is an error.
constexpr uint8_t attemptsMax = 5;
constexpr int64_t patienceUs = 30'000'000;
// After so many answers one more key may be on its way again.
constexpr uint32_t answersPerLane = 16;
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
  answeredAt_ = clockNow();
  while (next < keys.size() || !again_.empty() || client_.inFlight() > 0) {
    Instant now = clockNow();
    while (client_.inFlight() < width - narrowedBy_ && (next < keys.size() || !again_.empty())) {
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

void LoadPhase::onGot(Instant now, const Request& request, const GetReply& reply) {
  onAnswer(now);
  read_ += 1;
  RecordFacts facts;
  if (!readRecord(reply.record, facts)) fail(protocolMismatch, "a get was answered with bytes that are no record");
  if (facts.values > 0) found_ += 1;
  if (facts.values > 0 && facts.valueBytes != workload_.valueBytes) otherSize_ += 1;
  bool isDone = plan_ == Plan::look || (plan_ == Plan::complete && facts.values > 0);
  if (!isDone) again_.push_back(Step{request.key, false, request.note});
}

void LoadPhase::onWritten(Instant now, const Request&, const PutReply&) {
  onAnswer(now);
  written_ += 1;
}

void LoadPhase::onAnswer(Instant now) {
  answeredAt_ = now;
  answers_ += 1;
  if (narrowedBy_ > 0 && answers_ % answersPerLane == 0) narrowedBy_ -= 1;
}

void LoadPhase::onFailed(Instant now, const Request& request, Status code, const std::string& message) {
  if (code == overloaded && now - answeredAt_ < patienceUs) {
    narrowedBy_ = std::min(narrowedBy_ + 1, width - 1);
    again_.push_back(Step{request.key, request.isGet, request.note});
    return;
  }
  auto attempts = static_cast<uint8_t>(request.note + 1);
  if (attempts >= attemptsMax || !isRetryable(code)) fail(code, "while loading keys: " + message);
  again_.push_back(Step{request.key, request.isGet, attempts});
}

}  // namespace ringtail
