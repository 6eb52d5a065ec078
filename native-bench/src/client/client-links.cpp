// The client's connections and its ring: who is dialled when, and when the ring is asked for again.
#include <algorithm>

#include "base/fail.h"
#include "client/client.h"
#include "net/address.h"

namespace ringtail {

namespace {

constexpr int64_t openTimeoutUs = 5'000'000;
constexpr int64_t perSeedUs = 2'000'000;
constexpr int64_t membersTimeoutUs = 2'000'000;
constexpr int64_t helloTimeoutUs = 2'000'000;
constexpr int64_t upkeepUs = 50'000;
constexpr int64_t ringJitterUs = 100'000;
constexpr int64_t ringRetryUs = 250'000;
constexpr int64_t ringPollUs = 10'000'000;

}  // namespace

void Client::open() {
  Instant deadline = clockNow() + openTimeoutUs;
  dialSeed();
  while (!hasRing_) {
    poller_.endTurn();
    poller_.wait(clockNow() + upkeepUs, Pacing::nap);
    Instant now = clockNow();
    closed_.clear();
    if (seed_ == nullptr && !hasRing_) {
      if (now >= deadline) fail(connectionLost, "no seed node gave the ring: " + seedReasons_);
      dialSeed();
    } else if (seed_ != nullptr && now - seed_->dialledAt() >= perSeedUs) {
      seed_->end(connectionLost, seed_->address() + " did not answer in time");
    }
  }
  // Those that are up by then are enough: a node that is down must not keep a run from starting.
  deadline = clockNow() + membersTimeoutUs;
  auto isUp = [](const auto& entry) { return entry.second->isUp(); };
  while (!std::all_of(nodes_.begin(), nodes_.end(), isUp) && clockNow() < deadline) {
    tick(clockNow());
    poller_.endTurn();
    poller_.wait(clockNow() + upkeepUs, Pacing::nap);
  }
}

void Client::dialSeed() {
  const std::string& address = options_.seedNodes[nextSeed_ % options_.seedNodes.size()];
  nextSeed_ += 1;
  std::string why;
  int fd = dial(address, why);
  if (fd < 0) fail(connectionLost, why);
  seed_ = std::make_unique<Connection>(poller_, *this, fd, address, 0, Buffer());
}

KnownNode* Client::known(uint32_t number) { return number < byNumber_.size() ? byNumber_[number] : nullptr; }

void Client::dialMembers(Instant now) {
  for (const auto& [number, node] : nodes_) {
    const Member* member = ring_.member(number);
    bool isWanted = member != nullptr && member->status != memberLeft && node->dialAt <= now;
    // One dial at a time to a node that is away.
    bool mayDial = node->connections.empty() || node->isUp();
    if (!isWanted || !mayDial || node->connections.size() >= options_.connectionsPerNode) continue;
    std::string why;
    int fd = dial(node->address, why);
    if (fd < 0) {
      node->backOff(now);
      continue;
    }
    Bytes cluster = ring_.clusterId();
    node->connections.push_back(std::make_unique<Connection>(poller_, *this, fd, node->address, number,
                                                             Buffer(cluster.data, cluster.data + cluster.size)));
  }
}

void Client::upkeep(Instant now) {
  upkeepAt_ = now + upkeepUs;
  for (const auto& [number, node] : nodes_) {
    for (size_t i = node->connections.size(); i > 0; i -= 1) {
      Connection& connection = *node->connections[i - 1];
      bool isLate = connection.state() == Connection::State::dialling && now - connection.dialledAt() >= helloTimeoutUs;
      bool isDrained = connection.state() == Connection::State::draining && connection.inFlight == 0;
      if (isLate) connection.end(connectionLost, connection.address() + " did not answer the hello in time");
      if (isDrained) connection.end(connectionLost, "its last answer has come");
    }
  }
  dialMembers(now);
  if (now >= pollRingAt_) wantRing(now);
  if (now >= askRingAt_) askForRing(now);
}

void Client::onReady(Connection& connection) {
  if (&connection == seed_.get()) {
    FetchRingRequest request;
    connection.send(FrameType::fetchRing, 0, request);
    return;
  }
  KnownNode* node = known(connection.number());
  if (node == nullptr) return;
  node->recover();
  Instant now = clockNow();
  dialMembers(now);
  pump(now, *node);
  for (const auto& [number, other] : nodes_) {
    if (!other->waiting.empty() && !other->isUp()) reroute(now, *other);
  }
}

void Client::onDraining(Connection& connection) {
  KnownNode* node = known(connection.number());
  if (node == nullptr) return;
  Instant now = clockNow();
  if (!node->isUp()) node->backOff(now);
  reroute(now, *node);
}

void Client::onDown(Connection& connection, Status code, const std::string& reason) {
  if (&connection == seed_.get()) {
    if (code != connectionLost) fail(code, reason);
    if (seedReasons_.find(reason) == std::string::npos) seedReasons_ += (seedReasons_.empty() ? "" : "; ") + reason;
    closed_.push_back(std::move(seed_));
    return;
  }
  Instant now = clockNow();
  KnownNode* node = known(connection.number());
  if (node == nullptr) return;
  auto found = std::find_if(node->connections.begin(), node->connections.end(),
                            [&](const auto& one) { return one.get() == &connection; });
  if (found != node->connections.end()) {
    closed_.push_back(std::move(*found));
    node->connections.erase(found);
  }
  if (!node->isUp()) node->backOff(now);
  std::vector<Request*> lost;
  table_.forEach([&](Request& request) {
    if (request.connection == &connection) lost.push_back(&request);
  });
  for (Request* request : lost) {
    withdraw(*request);
    failAttempt(now, *request, connectionLost, reason, 0);
  }
  if (!node->isUp()) reroute(now, *node);
  upkeepAt_ = now;
}

// A reply spoke of this epoch.
void Client::learnEpoch(Instant now, uint32_t epoch) {
  if (epoch <= heardOfEpoch_) return;
  heardOfEpoch_ = epoch;
  wantRing(now + rng_.below(ringJitterUs));
}

void Client::wantRing(Instant at) { askRingAt_ = std::min(askRingAt_, at); }

void Client::askForRing(Instant now) {
  // Asked again if no answer comes; a newer ring ends the asking.
  askRingAt_ = heardOfEpoch_ > ring_.epoch() ? now + ringRetryUs : never;
  pollRingAt_ = now + ringPollUs;
  std::vector<Connection*> ready;
  for (const auto& [number, node] : nodes_) {
    for (const auto& connection : node->connections) {
      if (connection->state() == Connection::State::ready) ready.push_back(connection.get());
    }
  }
  if (ready.empty()) return;
  FetchRingRequest request;
  request.epoch = ring_.epoch();
  ready[rng_.below(ready.size())]->send(FrameType::fetchRing, 0, request);
}

void Client::onRing(Instant now, const Frame& frame) {
  FetchRingReply reply;
  if (frame.status != statusOk || !reply.read(frame.body)) return;
  Ring ring;
  std::string why;
  if (reply.ring.empty() || !ring.read(reply.ring, why)) {
    if (!hasRing_) seed_->end(connectionLost, seed_->address() + (why.empty() ? " has no ring yet" : ": " + why));
    return;
  }
  bool isFirst = !hasRing_;
  if (!isFirst && (ring.epoch() <= ring_.epoch() || ring.clusterId() != ring_.clusterId())) return;
  if (!isFirst) ringChanges_ += 1;
  useRing(ring);
  pollRingAt_ = now + ringPollUs;
  if (heardOfEpoch_ <= ring_.epoch()) askRingAt_ = never;
  upkeepAt_ = now;
  if (!isFirst) return;
  seed_->end(connectionLost, "its ring has come");
}

void Client::useRing(const Ring& ring) {
  ring_ = ring;
  hasRing_ = true;
  heardOfEpoch_ = std::max(heardOfEpoch_, ring_.epoch());
  lists_ = PreferenceLists(ring_, policy().n);
  owners_ = std::min<size_t>(policy().n, lists_.length());
  for (const Member& member : ring_.members()) {
    auto& node = nodes_[member.number];
    if (node == nullptr) node = std::make_unique<KnownNode>(member.number, member.address);
    if (member.number >= byNumber_.size()) byNumber_.resize(member.number + 1);
    byNumber_[member.number] = node.get();
  }
  // Only now, since requests whose connection ends choose another node at once.
  for (const Member& member : ring_.members()) {
    KnownNode* node = byNumber_[member.number];
    bool isGone = member.status == memberLeft || member.address != node->address;
    node->address = member.address;
    if (!isGone) continue;
    for (size_t i = node->connections.size(); i > 0; i -= 1) {
      node->connections[i - 1]->end(connectionLost, "the ring names the node no more, or elsewhere");
    }
  }
}

}  // namespace ringtail
