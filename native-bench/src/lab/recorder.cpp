// What counts and what does not is decided by the intended start alone, but for throughput.
#include "lab/recorder.h"

#include <algorithm>

namespace ringtail {

void Recorder::sent(Instant intended, Instant sentAt, bool held) {
  if (!counts(intended)) return;
  if (held) {
    heldBack += 1;
  } else if (isOpenLoop_) {
    lateness.record(sentAt - intended);
  }
}

void Recorder::answered(bool isGet, Instant intended, Instant sentAt, Instant now) {
  if (counts(now)) answeredInside += 1;
  if (!counts(intended)) return;
  KindRecord& kind = isGet ? gets : puts;
  kind.operations += 1;
  kind.response.record(now - intended);
  if (isOpenLoop_) kind.service.record(now - sentAt);
  if (log_ != nullptr) (isGet ? intervalGets_ : intervalPuts_).record(now - intended);
}

void Recorder::failed(bool isGet, Instant intended, Status code) {
  if (!counts(intended)) return;
  (isGet ? gets : puts).errors += 1;
  errorCounts[code < statusCount ? code : protocolMismatch] += 1;
}

void Recorder::sawSiblings(Instant intended, uint32_t count) {
  if (!counts(intended)) return;
  siblings += count;
  siblingsMost = std::max(siblingsMost, count);
}

void Recorder::endInterval(Instant now) {
  if (log_ == nullptr || now <= intervalFrom_) return;
  log_->add(intervalFrom_, now, intervalGets_, intervalPuts_);
  intervalFrom_ = now;
  intervalGets_.clear();
  intervalPuts_.clear();
}

}  // namespace ringtail
