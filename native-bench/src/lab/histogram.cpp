// Indexing and encoding of HdrHistogram; the constants are those of 1 us to 60 s with three digits.
#include "lab/histogram.h"

#include <algorithm>
#include <cmath>

namespace ringtail {

namespace {

constexpr int64_t lowest = 1;
constexpr int64_t highest = 60'000'000;
constexpr int significantDigits = 3;
// 2,048 sub-buckets of one microsecond; each further bucket doubles the width and uses the upper half of them.
constexpr int halfMagnitude = 10;
constexpr int64_t subBuckets = int64_t{2} << halfMagnitude;
constexpr size_t countsLength = size_t{17} << halfMagnitude;

size_t indexOf(int64_t value) {
  int leading = 63 - __builtin_clzll(static_cast<uint64_t>(value | (subBuckets - 1)));
  int bucket = leading - halfMagnitude;
  return (static_cast<size_t>(bucket) << halfMagnitude) + static_cast<size_t>(value >> bucket);
}

// The largest value that is counted where the one of this index is.
int64_t highestAt(size_t index) {
  auto bucket = static_cast<int>(index >> halfMagnitude) - 1;
  if (bucket < 1) return static_cast<int64_t>(index);
  auto subBucket = static_cast<int64_t>(index & ((size_t{1} << halfMagnitude) - 1)) + (subBuckets >> 1);
  return ((subBucket + 1) << bucket) - 1;
}

void putBe32(Buffer& out, uint32_t value) {
  uint8_t bytes[4];
  writeBe32(bytes, value);
  out.insert(out.end(), bytes, bytes + 4);
}

void putBe64(Buffer& out, uint64_t value) {
  putBe32(out, static_cast<uint32_t>(value >> 32));
  putBe32(out, static_cast<uint32_t>(value));
}

// The variant of LEB128 whose ninth byte carries eight bits, after zigzag.
void putZigZag(Buffer& out, int64_t value) {
  auto rest = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (int bytes = 1; rest >= 0x80 && bytes < 9; bytes += 1, rest >>= 7)
    out.push_back(static_cast<uint8_t>(rest | 0x80));
  out.push_back(static_cast<uint8_t>(rest));
}

}  // namespace

Histogram::Histogram() : counts_(countsLength) {}

void Histogram::record(int64_t us) {
  int64_t value = std::clamp(us, lowest, highest);
  counts_[indexOf(value)] += 1;
  total_ += 1;
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  for (size_t i = 0; i < countsLength; i += 1) counts_[i] += other.counts_[i];
  total_ += other.total_;
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  total_ = 0;
  max_ = 0;
}

int64_t Histogram::valueAt(double percentile) const {
  if (total_ == 0) return 0;
  // Rounded up, but not because the product came out a bit too large (as HdrHistogram has it).
  double exact = percentile / 100 * static_cast<double>(total_);
  auto rank = static_cast<uint64_t>(std::max(1.0, std::ceil(std::nextafter(exact, 0))));
  uint64_t seen = 0;
  for (size_t i = 0; i < countsLength; i += 1) {
    seen += counts_[i];
    if (seen >= rank) return highestAt(i);
  }
  return max_;
}

Buffer Histogram::encode() const {
  constexpr uint32_t cookie = 0x1c849303 | 0x10;
  size_t length = total_ == 0 ? 0 : indexOf(max_) + 1;
  Buffer counts;
  for (size_t i = 0; i < length;) {
    size_t start = i;
    while (i < length && counts_[i] == 0) i += 1;
    // Several zeros in a row are one negative number.
    if (i - start > 1) {
      putZigZag(counts, -static_cast<int64_t>(i - start));
    } else {
      putZigZag(counts, counts_[start]);
      i = start + 1;
    }
  }
  Buffer out;
  putBe32(out, cookie);
  putBe32(out, static_cast<uint32_t>(counts.size()));
  putBe32(out, 0);  // normalizing index offset
  putBe32(out, significantDigits);
  putBe64(out, lowest);
  putBe64(out, highest);
  putBe64(out, 0x3ff0000000000000);  // conversion ratio 1.0
  out.insert(out.end(), counts.begin(), counts.end());
  return out;
}

}  // namespace ringtail
