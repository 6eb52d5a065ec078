// Draws in the order of src/lab/traffic.ts, so that the streams of keys and kinds are the same.
#include "lab/traffic.h"

#include <utility>

#include "wire/record.h"

namespace ringtail {

Traffic::Traffic(Client& client, Contexts& contexts, Recorder& recorder, const Workload& workload, const Rng& root)
    : client_(client),
      contexts_(contexts),
      recorder_(recorder),
      choice_(workload.distribution, root.fork("keys"), workload.keys),
      kinds_(root.fork("kinds")),
      readPercent_(workload.readPercent) {}

uint32_t Traffic::takeEnded() { return std::exchange(ended_, 0); }

void Traffic::send(Instant now, Instant intended, bool held) {
  uint32_t key = choice_.next();
  bool isGet = kinds_.below(100) < readPercent_;
  if (client_.holdsBack(now)) {
    ended_ += 1;
    recorder_.sent(intended, now, held);
    recorder_.failed(isGet, intended, overloaded);
    return;
  }
  Request& request = *client_.make(now);
  request.key = key;
  request.isGet = isGet;
  request.intended = intended;
  if (!request.isGet) {
    values_ += 1;
    request.valueNumber = values_;
    if (contexts_.get(request.key).empty()) recorder_.sentBlind(intended);
  }
  recorder_.sent(intended, now, held);
  client_.begin(now, request);
}

void Traffic::onGot(Instant now, const Request& request, const GetReply& reply) {
  ended_ += 1;
  recorder_.sawSiblings(request.intended, countSiblings(reply.record));
  recorder_.answered(true, request.intended, request.begun, now);
}

void Traffic::onWritten(Instant now, const Request& request, const PutReply&) {
  ended_ += 1;
  recorder_.answered(false, request.intended, request.begun, now);
}

void Traffic::onFailed(Instant, const Request& request, Status code, const std::string&) {
  ended_ += 1;
  recorder_.failed(request.isGet, request.intended, code);
}

}  // namespace ringtail
