// Client: what the SDK's core does (src/client/core.ts), as far as a load generator needs it: finds the ring, keeps
// connections to all nodes, sends each key's request to an owner, and tries again what another node can cure, within
// the request's time and a budget. The newest context of each key is kept here.
//
// Less than the SDK: a connection that dies without a sign is not probed; its requests end by their deadlines.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "client/connection.h"
#include "client/contexts.h"
#include "client/key-space.h"
#include "client/known-node.h"
#include "client/request-table.h"
#include "client/throttle.h"
#include "ring/preference-lists.h"
#include "ring/ring.h"

namespace ringtail {

struct ClientOptions {
  std::vector<std::string> seedNodes;
  uint32_t connectionsPerNode = 1;
  uint32_t inFlightMax = 16'384;
  std::string bucket;
  // 0: the bucket's.
  uint32_t r = 0;
  uint32_t w = 0;
  uint32_t durability = 0;
  // Whether it asks less of nodes that refuse, as the SDK does.
  bool throttles = true;
};

// How a request ends: exactly one of these. The request is gone when they return; nothing may be begun inside them.
class RequestEvents {
 public:
  virtual ~RequestEvents() = default;
  virtual void onGot(Instant now, const Request& request, const GetReply& reply) = 0;
  virtual void onWritten(Instant now, const Request& request, const PutReply& reply) = 0;
  virtual void onFailed(Instant now, const Request& request, Status code, const std::string& message) = 0;
};

class Client final : public ConnectionEvents {
 public:
  Client(Poller& poller, const KeySpace& keySpace, Contexts& contexts, const ClientOptions& options, Rng rng);
  ~Client() override;

  // Dials the seed nodes and waits for a ring and for connections to its members; ends the program if there is none.
  void open();

  const Ring& ring() const { return ring_; }
  const BucketPolicy& policy() const { return ring_.policyOf(options_.bucket); }
  uint32_t inFlight() const { return table_.size(); }
  // Attempts beyond the first.
  uint64_t retries() const { return retries_; }
  // Rings taken over after the first.
  uint32_t ringChanges() const { return ringChanges_; }

  // Who is told how requests end, and how long each may take. To be changed only while none is in flight.
  void use(RequestEvents& events, int64_t timeoutUs);
  // Whether the next request should not be sent, because nodes refuse most; it counts as refused here. To be asked before `make`.
  bool holdsBack(Instant now) { return options_.throttles && throttle_.holdsBack(now, rng_); }
  // The next request to begin: fill in the caller's part, then call `begin`. Null: too many are in flight.
  Request* make(Instant now);
  void begin(Instant now, Request& request);

  // Time passes. Call after each turn.
  void tick(Instant now);
  Instant nextTick() const;

  void onReady(Connection& connection) override;
  void onReply(Instant now, Connection& connection, const Frame& frame) override;
  void onDraining(Connection& connection) override;
  void onDown(Connection& connection, Status code, const std::string& reason) override;

 private:
  KnownNode* known(uint32_t number);
  KnownNode* pick(Instant now, const Request& request);
  bool isSlow(Instant now, const KnownNode& node) const;
  KnownNode* fallback(Instant now, const Request& request, const uint16_t* list, size_t owners);
  void dispatch(Instant now, Request& request);
  void send(Instant now, KnownNode& node, Connection& connection, Request& request);
  void pump(Instant now, KnownNode& node);
  void reroute(Instant now, KnownNode& node);
  void withdraw(Request& request);
  void onRefusal(Instant now, Request& request, const Frame& frame);
  void failAttempt(Instant now, Request& request, Status code, const std::string& message, int64_t retryAfterUs);
  bool takeRetry();
  void hurry(Instant now, Request& request);
  void expire(Instant now, Request& request);

  void dialSeed();
  void dialMembers(Instant now);
  void upkeep(Instant now);
  void learnEpoch(Instant now, uint32_t epoch);
  void wantRing(Instant at);
  void askForRing(Instant now);
  void onRing(Instant now, const Frame& frame);
  void useRing(const Ring& ring);

  Poller& poller_;
  const KeySpace& keySpace_;
  Contexts& contexts_;
  ClientOptions options_;
  Rng rng_;
  RequestEvents* events_ = nullptr;
  RequestTable table_;
  std::vector<Request*> delayed_;
  Throttle throttle_;
  int64_t budget_;
  uint64_t retries_ = 0;

  Ring ring_;
  bool hasRing_ = false;
  PreferenceLists lists_;
  size_t owners_ = 0;
  uint32_t ringChanges_ = 0;
  uint32_t heardOfEpoch_ = 0;
  Instant askRingAt_ = never;
  Instant upkeepAt_ = 0;
  Instant pollRingAt_ = never;

  std::map<uint32_t, std::unique_ptr<KnownNode>> nodes_;
  // By number, for the path of each request.
  std::vector<KnownNode*> byNumber_;
  std::vector<KnownNode*> usable_;
  std::unique_ptr<Connection> seed_;
  size_t nextSeed_ = 0;
  std::string seedReasons_;
  // Closed ones, kept until nothing on the stack can be theirs.
  std::vector<std::unique_ptr<Connection>> closed_;
};

}  // namespace ringtail
