// Traffic: draws operations from a workload, sends them through the client, and records how they end. When one is sent
// is the loops' business.
#pragma once

#include "base/rng.h"
#include "client/client.h"
#include "lab/key-choice.h"
#include "lab/recorder.h"
#include "lab/workload.h"

namespace ringtail {

class Traffic final : public RequestEvents {
 public:
  // `root` is the run's random generator, of which the streams are forked that `ringtail bench` forks.
  Traffic(Client& client, Contexts& contexts, Recorder& recorder, const Workload& workload, const Rng& root);

  uint32_t inFlight() const { return client_.inFlight(); }
  // Operations that have ended since this was last asked.
  uint32_t takeEnded();

  // Sends one operation that was due at `intended`. `held`: it is late because too many were in flight.
  void send(Instant now, Instant intended, bool held);

  void onGot(Instant now, const Request& request, const GetReply& reply) override;
  void onWritten(Instant now, const Request& request, const PutReply& reply) override;
  void onFailed(Instant now, const Request& request, Status code, const std::string& message) override;

 private:
  Client& client_;
  Contexts& contexts_;
  Recorder& recorder_;
  KeyChoice choice_;
  Rng kinds_;
  uint32_t readPercent_;
  uint32_t values_ = 0;
  uint32_t ended_ = 0;
};

}  // namespace ringtail
