// Reads a RingState and checks what routing relies on; the node that sent it has checked the rest.
#include "ring/ring.h"

#include <algorithm>

#include "wire/protobuf.h"

namespace ringtail {

namespace {

constexpr uint32_t murmur3Function = 1;
constexpr uint32_t partitionsMin = 8;
constexpr uint32_t partitionsMax = 16'384;

bool readMember(Bytes body, Member& member) {
  FieldReader reader(body);
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        member.number = reader.number();
        break;
      case 4:
        member.address = reader.bytes().text();
        break;
      case 5:
        member.host = reader.bytes().text();
        break;
      case 6:
        member.zone = reader.bytes().text();
        break;
      case 8:
        member.status = reader.number();
        break;
      default:
        break;
    }
  }
  return reader.ok();
}

bool readPolicy(Bytes body, BucketPolicy& policy) {
  FieldReader reader(body);
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        policy.name = reader.bytes().text();
        break;
      case 2:
        policy.n = reader.number();
        break;
      case 3:
        policy.r = reader.number();
        break;
      case 4:
        policy.w = reader.number();
        break;
      case 5:
        policy.durability = reader.number();
        break;
      default:
        break;
    }
  }
  return reader.ok();
}

}  // namespace

bool Ring::read(Bytes ringState, std::string& why) {
  *this = Ring();
  bool ok = true;
  uint32_t partitions = 0;
  FieldReader reader(ringState);
  while (ok && reader.next()) {
    switch (reader.field()) {
      case 1: {
        Bytes id = reader.bytes();
        clusterId_.assign(id.data, id.data + id.size);
        break;
      }
      case 2:
        epoch_ = reader.fixed();
        break;
      case 3:
        partitions = reader.number();
        break;
      case 5:
        hashFunction_ = reader.number();
        break;
      case 6:
        members_.emplace_back();
        ok = readMember(reader.bytes(), members_.back());
        break;
      case 7: {
        Bytes packed = reader.bytes();
        for (size_t at = 0; at + 2 <= packed.size; at += 2) {
          owners_.push_back(static_cast<uint16_t>(packed.data[at] | packed.data[at + 1] << 8));
        }
        break;
      }
      case 8:
        buckets_.emplace_back();
        ok = readPolicy(reader.bytes(), buckets_.back());
        break;
      default:
        break;
    }
  }
  if (!ok || !reader.ok()) {
    why = "the bytes are no RingState message";
    return false;
  }
  if (owners_.size() != partitions) {
    why = std::to_string(owners_.size()) + " owners for " + std::to_string(partitions) + " partitions";
    return false;
  }
  return check(why);
}

bool Ring::check(std::string& why) {
  if (hashFunction_ != murmur3Function) {
    why = "the ring uses hash function " + std::to_string(hashFunction_) + ": unknown here";
    return false;
  }
  uint32_t count = partitions();
  if (count < partitionsMin || count > partitionsMax || (count & (count - 1)) != 0) {
    why = "not a number of partitions: " + std::to_string(count);
    return false;
  }
  for (shift_ = 32; count > 1; count >>= 1) shift_ -= 1;
  for (uint16_t owner : owners_) {
    if (member(owner) != nullptr) continue;
    why = "a partition is owned by " + std::to_string(owner) + ", who is no member";
    return false;
  }
  bool hasDefault =
      std::any_of(buckets_.begin(), buckets_.end(), [](const auto& policy) { return policy.name.empty(); });
  if (!hasDefault) why = "the ring has no default policy";
  return hasDefault;
}

const Member* Ring::member(uint32_t number) const {
  for (const Member& member : members_) {
    if (member.number == number) return &member;
  }
  return nullptr;
}

const BucketPolicy& Ring::policyOf(const std::string& bucket) const {
  const BucketPolicy* usual = nullptr;
  for (const BucketPolicy& policy : buckets_) {
    if (policy.name == bucket) return policy;
    if (policy.name.empty()) usual = &policy;
  }
  return *usual;
}

}  // namespace ringtail
