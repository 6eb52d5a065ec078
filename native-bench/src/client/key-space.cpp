// Keys lie in one array, made before the run, so that they cost it nothing.
#include "client/key-space.h"

#include "base/hash.h"

namespace ringtail {

namespace {

constexpr size_t valuesKept = 16;

}  // namespace

uint32_t keyBytesMin(uint32_t keys) { return static_cast<uint32_t>(std::to_string(keys - 1).size()); }

KeySpace::KeySpace(const std::string& bucket, uint32_t count, uint32_t keyBytes, uint32_t valueBytes, Rng rng)
    : bucket_(bucket), count_(count), keyBytes_(keyBytes), keys_(size_t{count} * keyBytes, '0'), values_(valuesKept) {
  hashes_.reserve(count);
  for (uint32_t i = 0; i < count; i += 1) {
    writeKey(i);
    hashes_.push_back(murmur3(Bytes(fullKeyOf(Bytes(bucket_), key(i))), 0).high);
  }
  for (Buffer& value : values_) {
    value.resize(valueBytes);
    for (uint8_t& byte : value) byte = static_cast<uint8_t>(rng.u32() >> 24);
  }
}

void KeySpace::writeKey(uint32_t index) {
  uint8_t* key = &keys_[size_t{index} * keyBytes_];
  key[0] = 'k';
  uint32_t free = keyBytes_;
  uint32_t rest = index;
  do {
    free -= 1;
    key[free] = static_cast<uint8_t>('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (keyBytes_ == keyBytesMin(count_) && free > 0) key[0] = '0';
}

}  // namespace ringtail
