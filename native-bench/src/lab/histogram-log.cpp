// The text of the log. An interval is encoded as soon as it is over, which takes some ten microseconds once a second.
#include "lab/histogram-log.h"

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "base/fail.h"
#include "base/zlib-stored.h"

namespace ringtail {

namespace {

std::string base64(const Buffer& bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    size_t left = bytes.size() - at;
    uint32_t group = uint32_t{bytes[at]} << 16;
    if (left > 1) group |= uint32_t{bytes[at + 1]} << 8;
    if (left > 2) group |= bytes[at + 2];
    text += digits[group >> 18];
    text += digits[group >> 12 & 63];
    text += left > 1 ? digits[group >> 6 & 63] : '=';
    text += left > 2 ? digits[group & 63] : '=';
  }
  return text;
}

std::string printed(const char* format, double a, double b, double c) {
  char text[128];
  std::snprintf(text, sizeof text, format, a, b, c);
  return text;
}

}  // namespace

std::string compressedBase64(const Histogram& histogram) {
  constexpr uint32_t cookie = 0x1c849304 | 0x10;
  Buffer packed = zlibStored(Bytes(histogram.encode()));
  Buffer out(8);
  writeBe32(&out[0], cookie);
  writeBe32(&out[4], static_cast<uint32_t>(packed.size()));
  out.insert(out.end(), packed.begin(), packed.end());
  return base64(out);
}

HistogramLog::HistogramLog(const std::string& path) : path_(path) { write(""); }

void HistogramLog::add(Instant from, Instant to, const Histogram& gets, const Histogram& puts) {
  addLine("GET", from, to, gets);
  addLine("PUT", from, to, puts);
}

void HistogramLog::addLine(const char* tag, Instant from, Instant to, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  lines_.push_back(Line{tag, from, to, histogram.max(), compressedBase64(histogram)});
}

void HistogramLog::save(Instant origin, int64_t startedMs, const std::string& comment) const {
  time_t seconds = static_cast<time_t>(startedMs / 1'000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char date[64];
  std::strftime(date, sizeof date, "%a %b %d %H:%M:%S UTC %Y", &parts);
  std::string text = "#[Histogram log format version 1.3]\n#" + comment + "\n";
  text += printed("#[StartTime: %.3f (seconds since epoch), ", static_cast<double>(startedMs) / 1'000, 0, 0);
  text += std::string(date) + "]\n";
  text += "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
  for (const Line& line : lines_) {
    text += std::string("Tag=") + line.tag;
    text += printed(",%.3f,%.3f,%.3f,", static_cast<double>(line.from - origin) / 1e6,
                    static_cast<double>(line.to - line.from) / 1e6, static_cast<double>(line.maxUs) / 1e3);
    text += line.payload + "\n";
  }
  write(text);
}

void HistogramLog::write(const std::string& text) const {
  std::FILE* file = std::fopen(path_.c_str(), "w");
  bool ok = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr) ok = std::fclose(file) == 0 && ok;
  if (!ok) fail(invalidArgument, "cannot write the histogram log " + path_ + ": " + std::strerror(errno));
}

}  // namespace ringtail
