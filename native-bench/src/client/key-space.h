// KeySpace: the keys and values of a workload, byte for byte those of src/lab/key-space.ts, so that a data set loaded
// by one bench can be used by the other. The ring's hash of each key is made beside it, before the run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/rng.h"

namespace ringtail {

// The fewest bytes in which so many keys can be told apart.
uint32_t keyBytesMin(uint32_t keys);

class KeySpace {
 public:
  // Key i is "k", zeros, and i in decimal; without the "k" where there is no room for it.
  KeySpace(const std::string& bucket, uint32_t count, uint32_t keyBytes, uint32_t valueBytes, Rng rng);

  uint32_t count() const { return count_; }
  Bytes bucket() const { return Bytes(bucket_); }
  Bytes key(uint32_t index) const { return Bytes(&keys_[size_t{index} * keyBytes_], keyBytes_); }
  // Of the full key.
  uint32_t hashHigh(uint32_t index) const { return hashes_[index]; }
  // One of 16 values; any number picks one.
  Bytes value(uint32_t number) const { return Bytes(values_[number % values_.size()]); }

 private:
  void writeKey(uint32_t index);

  std::string bucket_;
  uint32_t count_;
  uint32_t keyBytes_;
  Buffer keys_;
  std::vector<uint32_t> hashes_;
  std::vector<Buffer> values_;
};

}  // namespace ringtail
