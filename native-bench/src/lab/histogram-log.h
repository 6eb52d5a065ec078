// An HDR histogram log, format 1.3, as src/lab/histogram-log.ts writes it: a line per interval and tag (GET, PUT),
// values in microseconds, the maximum column in milliseconds. Lines are kept and written after the run.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "lab/histogram.h"

namespace ringtail {

// What the log holds of a histogram: V2, in zlib's format, in base64.
std::string compressedBase64(const Histogram& histogram);

class HistogramLog {
 public:
  // Makes the file at once, and ends the program if it cannot be written.
  explicit HistogramLog(const std::string& path);

  void add(Instant from, Instant to, const Histogram& gets, const Histogram& puts);
  // `startedMs` is the wall clock at `origin`, from which intervals are counted.
  void save(Instant origin, int64_t startedMs, const std::string& comment) const;

 private:
  struct Line {
    const char* tag;
    Instant from;
    Instant to;
    int64_t maxUs;
    std::string payload;
  };

  void addLine(const char* tag, Instant from, Instant to, const Histogram& histogram);
  void write(const std::string& text) const;

  std::string path_;
  std::vector<Line> lines_;
};

}  // namespace ringtail
