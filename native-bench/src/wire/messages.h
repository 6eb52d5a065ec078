// The messages of schema/*.proto that a client and the loopback floor need, with the fields they use: each is the list
// of its fields, from which message.h makes the rest.
#pragma once

#include "wire/message.h"

namespace ringtail {

namespace Role {
constexpr uint32_t client = 1;
constexpr uint32_t node = 2;
}  // namespace Role

constexpr uint32_t protocolVersion = 1;

// The first frame in either direction. `epoch` and `number` are 0 while there are none.
struct Hello : Message<Hello> {
  uint32_t versionMin = 0;
  uint32_t versionMax = 0;
  Bytes clusterId;
  Bytes nodeId;
  uint32_t role = 0;
  uint32_t number = 0;
  uint32_t epoch = 0;
  Bytes software;
  uint32_t pid = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.number(1, self.versionMin);
    visitor.number(2, self.versionMax);
    visitor.bytes(3, self.clusterId);
    visitor.bytes(4, self.nodeId);
    visitor.number(5, self.role);
    visitor.number(6, self.number);
    visitor.fixed(7, self.epoch);
    visitor.bytes(8, self.software);
    visitor.number(9, self.pid);
  }
};

// The body of every answer whose status is not 0. What only the SDK looks at is passed over.
struct ErrorReply : Message<ErrorReply> {
  Bytes message;
  uint32_t epoch = 0;
  uint32_t retryAfterUs = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.message);
    visitor.fixed(2, self.epoch);
    visitor.number(3, self.retryAfterUs);
  }
};

struct GetRequest : Message<GetRequest> {
  Bytes bucket;
  Bytes key;
  uint32_t epoch = 0;
  uint32_t timeoutUs = 0;
  uint32_t n = 0;
  uint32_t r = 0;
  uint32_t pr = 0;
  uint32_t hostConfirms = 0;
  bool strict = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.bucket);
    visitor.bytes(2, self.key);
    visitor.fixed(3, self.epoch);
    visitor.number(4, self.timeoutUs);
    visitor.number(5, self.n);
    visitor.number(6, self.r);
    visitor.number(7, self.pr);
    visitor.number(8, self.hostConfirms);
    visitor.flag(9, self.strict);
  }
};

// `acks`: packed little-endian words, one per replica that answered.
struct GetReply : Message<GetReply> {
  Bytes record;
  Bytes context;
  uint32_t epoch = 0;
  Bytes acks;
  uint32_t coordinator = 0;
  uint32_t elapsedUs = 0;
  bool stalePossible = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.record);
    visitor.bytes(2, self.context);
    visitor.fixed(3, self.epoch);
    visitor.bytes(4, self.acks);
    visitor.number(5, self.coordinator);
    visitor.number(6, self.elapsedUs);
    visitor.flag(7, self.stalePossible);
  }
};

struct PutRequest : Message<PutRequest> {
  Bytes bucket;
  Bytes key;
  Bytes value;
  Bytes context;
  Bytes requestId;
  uint32_t epoch = 0;
  uint32_t timeoutUs = 0;
  uint32_t n = 0;
  uint32_t w = 0;
  uint32_t pw = 0;
  uint32_t dw = 0;
  uint32_t hostConfirms = 0;
  bool strict = false;
  uint32_t durability = 0;
  bool tombstone = false;
  bool overwrite = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.bucket);
    visitor.bytes(2, self.key);
    visitor.bytes(3, self.value);
    visitor.bytes(4, self.context);
    visitor.bytes(5, self.requestId);
    visitor.fixed(6, self.epoch);
    visitor.number(7, self.timeoutUs);
    visitor.number(8, self.n);
    visitor.number(9, self.w);
    visitor.number(10, self.pw);
    visitor.number(11, self.dw);
    visitor.number(12, self.hostConfirms);
    visitor.flag(13, self.strict);
    visitor.number(14, self.durability);
    visitor.flag(15, self.tombstone);
    visitor.flag(16, self.overwrite);
  }
};

struct PutReply : Message<PutReply> {
  Bytes context;
  uint32_t epoch = 0;
  Bytes acks;
  uint32_t coordinator = 0;
  uint32_t elapsedUs = 0;
  uint32_t forwardedBy = 0;
  bool stalePossible = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.context);
    visitor.fixed(2, self.epoch);
    visitor.bytes(3, self.acks);
    visitor.number(4, self.coordinator);
    visitor.number(5, self.elapsedUs);
    visitor.number(6, self.forwardedBy);
    visitor.flag(7, self.stalePossible);
  }
};

struct FetchRingRequest : Message<FetchRingRequest> {
  uint32_t epoch = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.fixed(1, self.epoch);
  }
};

// `ring`: a `RingState` (ring/ring.h); empty: the asker's is as new.
struct FetchRingReply : Message<FetchRingReply> {
  Bytes ring;
  uint32_t epoch = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.ring);
    visitor.fixed(2, self.epoch);
  }
};

// Between nodes, and so between the processes of the loopback floor.
struct ReplicaReadRequest : Message<ReplicaReadRequest> {
  Bytes bucket;
  Bytes key;
  uint32_t epoch = 0;
  uint32_t timeoutUs = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.bucket);
    visitor.bytes(2, self.key);
    visitor.fixed(3, self.epoch);
    visitor.number(4, self.timeoutUs);
  }
};

struct ReplicaReadReply : Message<ReplicaReadReply> {
  Bytes record;
  uint32_t epoch = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.record);
    visitor.fixed(2, self.epoch);
  }
};

struct ReplicaWriteRequest : Message<ReplicaWriteRequest> {
  Bytes bucket;
  Bytes key;
  Bytes record;
  uint32_t epoch = 0;
  uint32_t timeoutUs = 0;
  uint32_t durability = 0;
  uint32_t purpose = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.bytes(1, self.bucket);
    visitor.bytes(2, self.key);
    visitor.bytes(3, self.record);
    visitor.fixed(4, self.epoch);
    visitor.number(5, self.timeoutUs);
    visitor.number(6, self.durability);
    visitor.number(7, self.purpose);
  }
};

struct ReplicaWriteReply : Message<ReplicaWriteReply> {
  bool durable = false;
  uint32_t epoch = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.flag(1, self.durable);
    visitor.fixed(2, self.epoch);
  }
};

}  // namespace ringtail
