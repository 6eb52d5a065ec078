// Every request that has not ended, by frame id and by deadline. A frame id is the place in the table (16 bits) and
// above it a number that changes with each attempt, so the answer to an attempt that was given up finds nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.h"
#include "wire/errors.h"

namespace ringtail {

class Connection;

enum class RequestState : uint8_t { ended, waiting, sent, delayed };

// One get or put. The first block is the caller's, the rest the client's.
struct Request {
  uint32_t key = 0;
  // Which of the key space's values a put carries.
  uint32_t valueNumber = 0;
  bool isGet = false;
  // Whatever the caller likes.
  uint8_t note = 0;
  Instant intended = 0;

  RequestState state = RequestState::ended;
  uint8_t attempts = 0;
  uint8_t requestId[16] = {};
  uint32_t serial = 0;
  uint32_t frameId = 0;
  uint32_t node = 0;
  uint32_t failedAt = 0;
  Connection* connection = nullptr;
  Instant begun = 0;
  Instant sentAt = 0;
  Instant deadline = 0;
  Instant dueAt = 0;
};

class RequestTable {
 public:
  // At most 65,536.
  explicit RequestTable(uint32_t max);

  bool isFull() const { return free_.empty(); }
  uint32_t size() const { return static_cast<uint32_t>(requests_.size() - free_.size()); }

  // All requests have one timeout; to be changed only while there are none.
  void setTimeout(int64_t timeoutUs);
  // A place for a request that begins now. There must be one.
  Request& add(Instant now);
  void end(Request& request);
  // Gives the request's next attempt a frame id of its own.
  void beginAttempt(Request& request);
  // The request whose attempt under way has this frame id, if it was sent on this connection.
  Request* find(uint32_t frameId, const Connection* connection);

  // One request whose deadline has passed; null: none. Ask until null, ending each.
  Request* nextExpired(Instant now);
  // One request whose first attempt has had half of its time without an answer; null: none. Ask until null.
  Request* nextSlow(Instant now);
  Instant nextTick() const;

  template <class Act>
  void forEach(Act act) {
    for (Request& request : requests_) {
      if (request.state != RequestState::ended) act(request);
    }
  }

 private:
  struct Due {
    Instant at;
    uint32_t place;
    uint32_t serial;
  };

  Request* takeDue(std::deque<Due>& queue, Instant now);

  std::vector<Request> requests_;
  std::vector<uint32_t> free_;
  std::vector<uint16_t> attempts_;
  std::deque<Due> deadlines_;
  std::deque<Due> halves_;
  int64_t timeoutUs_ = 1'000'000;
  uint32_t serials_ = 0;
};

}  // namespace ringtail
