// An HDR histogram of microseconds, 1 us to 60 s with three significant digits, in the layout of the HdrHistogram
// libraries (Gil Tene; public domain), so that its encoding is theirs. Values outside are counted at the nearer end.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace ringtail {

class Histogram {
 public:
  Histogram();

  void record(int64_t us);
  void add(const Histogram& other);
  void clear();

  uint64_t count() const { return total_; }
  int64_t max() const { return max_; }
  // The upper end of the bucket in which the percentile lies; 0 without values.
  int64_t valueAt(double percentile) const;

  // The V2 encoding, uncompressed.
  Buffer encode() const;

 private:
  std::vector<uint32_t> counts_;
  uint64_t total_ = 0;
  int64_t max_ = 0;
};

}  // namespace ringtail
