// The ring as a client needs it: who is a member where, each partition's preference list for one n, and what a bucket
// promises. Read from a `RingState` message; see src/ring/ring.ts for all that a ring is.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace ringtail {

struct Member {
  uint32_t number = 0;
  std::string address;
  std::string host;
  std::string zone;
  // 0 joining, 1 member, 2 leaving, 3 left.
  uint32_t status = 0;
};

struct BucketPolicy {
  std::string name;
  uint32_t n = 0;
  uint32_t r = 0;
  uint32_t w = 0;
  uint32_t durability = 0;
};

constexpr uint32_t memberLeft = 3;

class Ring {
 public:
  // False: no ring, and `why` says so.
  bool read(Bytes ringState, std::string& why);

  uint32_t epoch() const { return epoch_; }
  uint32_t partitions() const { return static_cast<uint32_t>(owners_.size()); }
  const std::vector<Member>& members() const { return members_; }
  Bytes clusterId() const { return Bytes(clusterId_); }
  const std::vector<uint16_t>& owners() const { return owners_; }

  const Member* member(uint32_t number) const;
  // The bucket's policy, or the default.
  const BucketPolicy& policyOf(const std::string& bucket) const;
  // The top log2 Q bits of the high half of a key's hash.
  uint32_t partitionOf(uint32_t hashHigh) const { return hashHigh >> shift_; }

 private:
  bool check(std::string& why);

  Buffer clusterId_;
  uint32_t epoch_ = 0;
  uint32_t hashFunction_ = 0;
  int shift_ = 0;
  std::vector<Member> members_;
  std::vector<uint16_t> owners_;
  std::vector<BucketPolicy> buckets_;
};

}  // namespace ringtail
