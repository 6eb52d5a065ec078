// Names and kinds of src/base/errors.ts, by number.
#include "wire/errors.h"

namespace ringtail {

namespace {

constexpr const char* names[statusCount] = {
    "OK",
    "INVALID_ARGUMENT",
    "KEY_TOO_LARGE",
    "VALUE_TOO_LARGE",
    "QUORUM_NOT_MET",
    "DEADLINE_EXCEEDED",
    "OVERLOADED",
    "TOO_MANY_SIBLINGS",
    "NODE_STOPPING",
    "WRONG_CLUSTER",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "PROTOCOL_MISMATCH",
    "CONNECTION_LOST",
    "CLIENT_CLOSED",
    "STORAGE_FAILED",
    "NOT_CURRENT",
    "BASE_EPOCH_CHANGED",
    "WRONG_OWNER",
    "NOT_SYNCED",
    "EXPIRED",
};

}  // namespace

const char* errorName(Status status) { return names[status < statusCount ? status : protocolMismatch]; }

bool isRetryable(Status status) {
  switch (status) {
    case quorumNotMet:
    case deadlineExceeded:
    case overloaded:
    case nodeStopping:
    case connectionLost:
    case storageFailed:
    case wrongOwner:
    case notSynced:
    case expired:
      return true;
    default:
      return false;
  }
}

bool concernsNodeOnly(Status status) {
  return status == connectionLost || status == nodeStopping || status == notSynced || status == wrongOwner;
}

}  // namespace ringtail
