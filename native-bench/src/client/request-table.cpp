// Deadlines are queues in order of time, since all requests have one timeout; entries of ended requests are passed
// over.
#include "client/request-table.h"

#include <algorithm>

namespace ringtail {

RequestTable::RequestTable(uint32_t max) : requests_(max), attempts_(max) {
  for (uint32_t place = max; place > 0; place -= 1) free_.push_back(place - 1);
}

void RequestTable::setTimeout(int64_t timeoutUs) {
  timeoutUs_ = timeoutUs;
  // What is left there has ended, and would keep shorter deadlines waiting behind it.
  deadlines_.clear();
  halves_.clear();
}

Request& RequestTable::add(Instant now) {
  uint32_t place = free_.back();
  free_.pop_back();
  Request& request = requests_[place];
  serials_ += 1;
  request.serial = serials_;
  request.frameId = place;
  request.attempts = 0;
  request.node = 0;
  request.failedAt = 0;
  request.connection = nullptr;
  request.begun = now;
  request.deadline = now + timeoutUs_;
  request.state = RequestState::waiting;
  deadlines_.push_back(Due{request.deadline, place, request.serial});
  halves_.push_back(Due{now + timeoutUs_ / 2, place, request.serial});
  return request;
}

void RequestTable::end(Request& request) {
  request.state = RequestState::ended;
  free_.push_back(static_cast<uint32_t>(&request - requests_.data()));
}

void RequestTable::beginAttempt(Request& request) {
  auto place = static_cast<uint32_t>(&request - requests_.data());
  attempts_[place] = static_cast<uint16_t>(attempts_[place] + 1);
  request.frameId = place | static_cast<uint32_t>(attempts_[place]) << 16;
  request.attempts = static_cast<uint8_t>(request.attempts + 1);
}

Request* RequestTable::find(uint32_t frameId, const Connection* connection) {
  uint32_t place = frameId & 0xffff;
  if (place >= requests_.size()) return nullptr;
  Request& request = requests_[place];
  bool isIt = request.state == RequestState::sent && request.frameId == frameId && request.connection == connection;
  return isIt ? &request : nullptr;
}

Request* RequestTable::takeDue(std::deque<Due>& queue, Instant now) {
  while (!queue.empty() && queue.front().at <= now) {
    Due due = queue.front();
    queue.pop_front();
    Request& request = requests_[due.place];
    if (request.state != RequestState::ended && request.serial == due.serial) return &request;
  }
  return nullptr;
}

Request* RequestTable::nextExpired(Instant now) { return takeDue(deadlines_, now); }

Request* RequestTable::nextSlow(Instant now) {
  for (Request* request = takeDue(halves_, now); request != nullptr; request = takeDue(halves_, now)) {
    if (request->state == RequestState::sent && request->attempts == 1) return request;
  }
  return nullptr;
}

Instant RequestTable::nextTick() const {
  Instant next = deadlines_.empty() ? never : deadlines_.front().at;
  if (!halves_.empty()) next = std::min(next, halves_.front().at);
  return next;
}

}  // namespace ringtail
