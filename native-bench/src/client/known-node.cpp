// The latency estimate is an exponential average that halves each second without a sample, as in the SDK.
#include "client/known-node.h"

#include <algorithm>

namespace ringtail {

namespace {

constexpr int64_t halfLifeUs = 1'000'000;

}  // namespace

bool KnownNode::isUp() const {
  return std::any_of(connections.begin(), connections.end(),
                     [](const auto& connection) { return connection->state() == Connection::State::ready; });
}

Connection* KnownNode::freeConnection() const {
  Connection* best = nullptr;
  for (const auto& connection : connections) {
    if (!connection->hasRoom()) continue;
    if (best == nullptr || connection->inFlight < best->inFlight) best = connection.get();
  }
  return best;
}

int64_t KnownNode::load(Instant now) const {
  return latencyUs(now) * static_cast<int64_t>(inFlight + waiting.size() + 1);
}

void KnownNode::sample(Instant now, int64_t tookUs) {
  int64_t average = averageAt(now);
  average_ = average == 0 ? tookUs << averageShift : average + tookUs - (average >> averageShift);
  sampledAt_ = now;
}

int64_t KnownNode::averageAt(Instant now) const {
  int64_t halvings = (now - sampledAt_) / halfLifeUs;
  return halvings > 30 ? 0 : average_ >> halvings;
}

void KnownNode::backOff(Instant now) {
  dialAt = now + backoffUs_;
  backoffUs_ = std::min(2 * backoffUs_, backoffMaxUs);
}

}  // namespace ringtail
