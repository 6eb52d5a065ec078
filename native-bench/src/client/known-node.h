// KnownNode: what the client knows of one node (src/client/known-node.ts): its connections, how loaded and how fast it
// is, whether it is away, and the requests that wait for it. Facts only; who is chosen is the router's decision.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "client/connection.h"

namespace ringtail {

struct Request;

class KnownNode {
 public:
  KnownNode(uint32_t nodeNumber, const std::string& nodeAddress) : number(nodeNumber), address(nodeAddress) {}

  // Whether requests can be sent to it now.
  bool isUp() const;
  // The ready connection with the fewest requests that has room; null: none has.
  Connection* freeConnection() const;
  // How long a further request would take, as far as known: requests ahead of it times latency.
  int64_t load(Instant now) const;
  // The smoothed latency; 0: not known any more.
  int64_t latencyUs(Instant now) const { return averageAt(now) >> averageShift; }
  // An attempt took this long, or that long without an answer.
  void sample(Instant now, int64_t tookUs);
  void avoid(Instant until) {
    if (until > avoidUntil) avoidUntil = until;
  }
  // The dial failed or the connection broke: each next dial waits twice as long, 250 ms to 5 s.
  void backOff(Instant now);
  // A connection is up.
  void recover() { backoffUs_ = backoffFirstUs; }

  const uint32_t number;
  std::string address;
  std::vector<std::unique_ptr<Connection>> connections;
  std::deque<Request*> waiting;
  uint32_t inFlight = 0;
  // Not chosen before this instant while another node can be.
  Instant avoidUntil = 0;
  // When the next dial may begin.
  Instant dialAt = 0;

 private:
  static constexpr int64_t backoffFirstUs = 250'000;
  // Fractional bits of the average.
  static constexpr int averageShift = 3;
  static constexpr int64_t backoffMaxUs = 5'000'000;

  int64_t averageAt(Instant now) const;

  int64_t backoffUs_ = backoffFirstUs;
  // A sample counts 1/8.
  int64_t average_ = 0;
  Instant sampledAt_ = 0;
};

}  // namespace ringtail
