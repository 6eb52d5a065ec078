// Preference lists of one ring for one n, the walk of src/ring/preference-list.ts: the owners of p, p+1, ... whose host
// is new, one zone after the other while fewer than min(n, zones) zones are used, and then what was skipped, from p on.
// The first n are the owners, the rest the fallbacks (Dynamo 4.3, 4.6). All are made at once: a ring is new rarely.
#pragma once

#include <cstdint>
#include <vector>

#include "ring/ring.h"

namespace ringtail {

class PreferenceLists {
 public:
  PreferenceLists() = default;
  PreferenceLists(const Ring& ring, uint32_t n);

  // How many entries each list has: every host, but 16 at the most.
  size_t length() const { return length_; }
  // Node numbers, owners first.
  const uint16_t* of(uint32_t partition) const { return &flat_[partition * length_]; }

 private:
  size_t length_ = 0;
  std::vector<uint16_t> flat_;
};

}  // namespace ringtail
