// The requests of the client: which node, what follows from its answer. Connections and the ring: client-links.cc.
#include "client/client.h"

#include <algorithm>

namespace ringtail {

namespace {

constexpr int attemptsMax = 5;
constexpr int64_t jitterFirstUs = 10'000;
constexpr int64_t stoppingUs = 1'000'000;
constexpr int64_t silentUs = 1'000'000;
// An owner is slow above so many times what the fastest of the others takes, but never below a floor.
constexpr int64_t slowFactor = 4;
constexpr int64_t slowFloorUs = 1'000;
constexpr int64_t urgentJitterUs = 5'000;
// Retries: one for ten requests, and so many more at once. In tenths.
constexpr int64_t budgetMax = 320;
constexpr int64_t budgetOfRetry = 10;

}  // namespace

Client::Client(Poller& poller, const KeySpace& keySpace, Contexts& contexts, const ClientOptions& options, Rng rng)
    : poller_(poller),
      keySpace_(keySpace),
      contexts_(contexts),
      options_(options),
      rng_(rng),
      table_(options.inFlightMax),
      budget_(budgetMax) {}

Client::~Client() = default;

void Client::use(RequestEvents& events, int64_t timeoutUs) {
  events_ = &events;
  table_.setTimeout(timeoutUs);
}

Request* Client::make(Instant now) { return table_.isFull() ? nullptr : &table_.add(now); }

void Client::begin(Instant now, Request& request) {
  budget_ = std::min(budget_ + 1, budgetMax);
  if (!request.isGet) {
    for (size_t at = 0; at < sizeof request.requestId; at += 4) writeLe32(request.requestId + at, rng_.u32());
  }
  dispatch(now, request);
}

// The node for a request, as src/client/router.ts chooses: for a put the one that answered the key's last get or put,
// else the better of two random owners; one that is away, stopping or overloaded comes after every other.
KnownNode* Client::pick(Instant now, const Request& request) {
  const uint16_t* list = lists_.of(ring_.partitionOf(keySpace_.hashHigh(request.key)));
  usable_.clear();
  for (size_t slot = 0; slot < owners_; slot += 1) {
    KnownNode* node = byNumber_[list[slot]];
    if (node->number != request.failedAt && node->avoidUntil <= now && node->isUp()) usable_.push_back(node);
  }
  if (usable_.empty()) return fallback(now, request, list, owners_);
  if (!request.isGet) {
    uint32_t prefer = fastestOf(contexts_.get(request.key));
    for (KnownNode* node : usable_) {
      if (node->number == prefer && !isSlow(now, *node)) return node;
    }
  }
  if (usable_.size() == 1) return usable_[0];
  size_t first = rng_.below(usable_.size());
  size_t second = (first + 1 + rng_.below(usable_.size() - 1)) % usable_.size();
  return usable_[second]->load(now) < usable_[first]->load(now) ? usable_[second] : usable_[first];
}

// Next to the fastest of the other owners: where all are slow nobody is (src/client/router.ts).
bool Client::isSlow(Instant now, const KnownNode& node) const {
  int64_t fastest = 0;
  for (const KnownNode* other : usable_) {
    int64_t us = other == &node ? 0 : other->latencyUs(now);
    if (us > 0 && (fastest == 0 || us < fastest)) fastest = us;
  }
  return fastest > 0 && node.latencyUs(now) > std::max(slowFloorUs, slowFactor * fastest);
}

// No owner can be asked: an owner that is up but would rather not; any other node that is; the first owner, to wait
// for.
KnownNode* Client::fallback(Instant now, const Request& request, const uint16_t* list, size_t owners) {
  KnownNode* reluctant = nullptr;
  for (size_t slot = 0; slot < owners; slot += 1) {
    KnownNode* node = byNumber_[list[slot]];
    if (node->isUp() && (reluctant == nullptr || node->avoidUntil < reluctant->avoidUntil)) reluctant = node;
  }
  if (reluctant != nullptr && reluctant->number != request.failedAt) return reluctant;
  for (const auto& [number, node] : nodes_) {
    bool isAsked = reluctant != nullptr && number == reluctant->number;
    if (!isAsked && node->avoidUntil <= now && node->isUp()) return node.get();
  }
  return reluctant != nullptr ? reluctant : byNumber_[list[0]];
}

void Client::dispatch(Instant now, Request& request) {
  KnownNode* node = pick(now, request);
  Connection* connection = node->waiting.empty() ? node->freeConnection() : nullptr;
  if (connection != nullptr) {
    send(now, *node, *connection, request);
    return;
  }
  request.state = RequestState::waiting;
  request.node = node->number;
  node->waiting.push_back(&request);
}

void Client::send(Instant now, KnownNode& node, Connection& connection, Request& request) {
  table_.beginAttempt(request);
  request.state = RequestState::sent;
  request.node = node.number;
  request.connection = &connection;
  request.sentAt = now;
  node.inFlight += 1;
  connection.inFlight += 1;
  auto timeoutUs = static_cast<uint32_t>(std::max<int64_t>(1, request.deadline - now));
  if (request.isGet) {
    GetRequest get;
    get.bucket = keySpace_.bucket();
    get.key = keySpace_.key(request.key);
    get.epoch = ring_.epoch();
    get.timeoutUs = timeoutUs;
    get.r = options_.r;
    connection.send(FrameType::get, request.frameId, get);
    return;
  }
  PutRequest put;
  put.bucket = keySpace_.bucket();
  put.key = keySpace_.key(request.key);
  put.value = keySpace_.value(request.valueNumber);
  put.context = contexts_.get(request.key);
  put.requestId = Bytes(request.requestId, sizeof request.requestId);
  put.epoch = ring_.epoch();
  put.timeoutUs = timeoutUs;
  put.w = options_.w;
  put.durability = options_.durability;
  // An update of these workloads replaces the whole value, whoever wrote it.
  put.overwrite = true;
  connection.send(FrameType::put, request.frameId, put);
}

// Sends what waits at this node, as far as there is room.
void Client::pump(Instant now, KnownNode& node) {
  while (!node.waiting.empty()) {
    Connection* connection = node.freeConnection();
    if (connection == nullptr) return;
    Request* request = node.waiting.front();
    node.waiting.pop_front();
    send(now, node, *connection, *request);
  }
}

// What waits at a node that is not up chooses again.
void Client::reroute(Instant now, KnownNode& node) {
  std::deque<Request*> waiting;
  waiting.swap(node.waiting);
  for (Request* request : waiting) dispatch(now, *request);
}

// Takes the request out of wherever it is.
void Client::withdraw(Request& request) {
  KnownNode* node = known(request.node);
  switch (request.state) {
    case RequestState::waiting:
      if (node != nullptr) {
        auto found = std::find(node->waiting.begin(), node->waiting.end(), &request);
        if (found != node->waiting.end()) node->waiting.erase(found);
      }
      return;
    case RequestState::delayed:
      delayed_.erase(std::remove(delayed_.begin(), delayed_.end(), &request), delayed_.end());
      return;
    case RequestState::sent:
      if (node != nullptr) node->inFlight -= 1;
      if (request.connection != nullptr) request.connection->inFlight -= 1;
      request.connection = nullptr;
      return;
    default:
      return;
  }
}

void Client::onReply(Instant now, Connection& connection, const Frame& frame) {
  if (frame.type == (FrameType::fetchRing | FrameType::replyBit)) {
    onRing(now, frame);
    return;
  }
  Request* request = table_.find(frame.id, &connection);
  if (request == nullptr) return;
  uint8_t expectedType = (request->isGet ? FrameType::get : FrameType::put) | FrameType::replyBit;
  if (frame.type != expectedType) return;
  KnownNode* node = known(request->node);
  withdraw(*request);
  if (frame.status == overloaded) {
    throttle_.onOverloaded(now);
  } else {
    throttle_.onAnswer(now);
  }
  if (frame.status != statusOk) {
    onRefusal(now, *request, frame);
  } else {
    GetReply got;
    PutReply written;
    bool ok = request->isGet ? got.read(frame.body) : written.read(frame.body);
    if (node != nullptr) node->sample(now, now - request->sentAt);
    if (!ok) {
      failAttempt(now, *request, protocolMismatch, connection.address() + " sent a malformed answer", 0);
    } else {
      contexts_.learn(request->key, request->isGet ? got.context : written.context);
      learnEpoch(now, request->isGet ? got.epoch : written.epoch);
      table_.end(*request);
      if (request->isGet) {
        events_->onGot(now, *request, got);
      } else {
        events_->onWritten(now, *request, written);
      }
    }
  }
  if (node != nullptr) pump(now, *node);
}

void Client::onRefusal(Instant now, Request& request, const Frame& frame) {
  ErrorReply reply;
  reply.read(frame.body);
  KnownNode* node = known(request.node);
  if (node != nullptr) {
    if (frame.status == nodeStopping) {
      node->avoid(now + stoppingUs);
    } else if (frame.status == overloaded) {
      // As good as an answer that takes so long.
      node->sample(now, reply.retryAfterUs);
    } else {
      node->sample(now, now - request.sentAt);
    }
  }
  learnEpoch(now, reply.epoch);
  if (frame.status == wrongOwner) wantRing(now + rng_.below(urgentJitterUs));
  failAttempt(now, request, frame.status, reply.message.text(), reply.retryAfterUs);
}

// An attempt has failed and the request is nowhere: another attempt, now or later, or the end (src/client/retry.ts).
void Client::failAttempt(Instant now, Request& request, Status code, const std::string& message, int64_t retryAfterUs) {
  request.failedAt = request.node;
  bool mayRetry = isRetryable(code) && code != deadlineExceeded && request.attempts < attemptsMax;
  int64_t delay = 0;
  if (request.attempts > 1 || !concernsNodeOnly(code)) {
    delay = retryAfterUs + rng_.below(static_cast<uint64_t>(jitterFirstUs << (request.attempts - 1))) + 1;
  }
  if (!mayRetry || now + delay >= request.deadline || !takeRetry()) {
    table_.end(request);
    events_->onFailed(now, request, code, message);
    return;
  }
  if (delay == 0) {
    dispatch(now, request);
    return;
  }
  request.state = RequestState::delayed;
  request.dueAt = now + delay;
  delayed_.push_back(&request);
}

bool Client::takeRetry() {
  if (budget_ < budgetOfRetry) return false;
  budget_ -= budgetOfRetry;
  retries_ += 1;
  return true;
}

// Half of the time is over and the node says nothing: it may be frozen. Another one gets the rest of the time; a put
// stays one write by its request id.
void Client::hurry(Instant now, Request& request) {
  KnownNode* silent = known(request.node);
  uint32_t before = request.failedAt;
  request.failedAt = request.node;
  if (silent != nullptr) silent->avoid(now + silentUs);
  if (pick(now, request) == silent || !takeRetry()) {
    request.failedAt = before;
    return;
  }
  if (silent != nullptr) silent->sample(now, now - request.sentAt);
  withdraw(request);
  dispatch(now, request);
}

void Client::expire(Instant now, Request& request) {
  KnownNode* node = known(request.node);
  bool wasSent = request.state == RequestState::sent;
  withdraw(request);
  if (wasSent && node != nullptr) node->sample(now, now - request.sentAt);
  bool isUnreachable = !wasSent && (node == nullptr || !node->isUp());
  table_.end(request);
  events_->onFailed(now, request, isUnreachable ? connectionLost : deadlineExceeded, "no answer in time");
}

void Client::tick(Instant now) {
  closed_.clear();
  if (now >= upkeepAt_) upkeep(now);
  for (size_t i = 0; i < delayed_.size();) {
    Request* request = delayed_[i];
    if (request->dueAt > now) {
      i += 1;
      continue;
    }
    delayed_[i] = delayed_.back();
    delayed_.pop_back();
    dispatch(now, *request);
  }
  for (Request* slow = table_.nextSlow(now); slow != nullptr; slow = table_.nextSlow(now)) hurry(now, *slow);
  bool hasExpired = false;
  for (Request* late = table_.nextExpired(now); late != nullptr; late = table_.nextExpired(now)) {
    expire(now, *late);
    hasExpired = true;
  }
  if (!hasExpired) return;
  for (const auto& [number, node] : nodes_) pump(now, *node);
}

Instant Client::nextTick() const {
  Instant next = std::min(upkeepAt_, table_.nextTick());
  for (const Request* request : delayed_) next = std::min(next, request->dueAt);
  return next;
}

}  // namespace ringtail
