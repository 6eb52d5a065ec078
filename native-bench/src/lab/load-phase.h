// The load phase (src/lab/load-phase.ts): brings every key to one value of the right size, and its context into the
// generator's table. A few keys are looked at first: a cluster without them is filled by puts alone; one that has them
// is only read, unless a fresh load was asked for.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "client/client.h"
#include "lab/result.h"

namespace ringtail {

// `always`: every key gets a new value; `automatic`: those that have none; `never`: the phase is left out.
enum class LoadMode { automatic, always, never };

class LoadPhase final : public RequestEvents {
 public:
  LoadPhase(Poller& poller, Client& client, const Workload& workload);

  // Ends the program with the error of an operation that failed again and again.
  LoadReport run(LoadMode mode);

  void onGot(Instant now, const Request& request, const GetReply& reply) override;
  void onWritten(Instant now, const Request& request, const PutReply& reply) override;
  void onFailed(Instant now, const Request& request, Status code, const std::string& message) override;

 private:
  // `look` only reads; `fill` puts unread; `complete` reads, and puts what is missing; `replace` reads and puts.
  enum class Plan { look, fill, complete, replace };

  struct Step {
    uint32_t key;
    bool isGet;
    uint8_t attempts;
  };

  void sweep(Plan plan, const std::vector<uint32_t>& keys);
  void begin(Instant now, const Step& step);
  void onAnswer(Instant now);

  Poller& poller_;
  Client& client_;
  const Workload& workload_;
  Plan plan_ = Plan::look;
  std::deque<Step> again_;
  // How much narrower than its full width the phase is: a cluster that refuses has enough to do.
  uint32_t narrowedBy_ = 0;
  uint32_t answers_ = 0;
  Instant answeredAt_ = 0;
  uint64_t read_ = 0;
  uint64_t written_ = 0;
  uint64_t found_ = 0;
  // Found, with a value of another size.
  uint64_t otherSize_ = 0;
};

}  // namespace ringtail
