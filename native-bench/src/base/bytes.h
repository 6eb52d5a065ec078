// Bytes: a view of bytes that somebody else owns, and the few integer layouts that the protocol uses. C++17 has no
// span, and a string_view of unsigned bytes is not guaranteed to work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace ringtail {

using Buffer = std::vector<uint8_t>;

struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;

  Bytes() = default;
  Bytes(const uint8_t* from, size_t count) : data(from), size(count) {}
  explicit Bytes(const std::string& text) : data(reinterpret_cast<const uint8_t*>(text.data())), size(text.size()) {}
  explicit Bytes(const Buffer& buffer) : data(buffer.data()), size(buffer.size()) {}

  bool empty() const { return size == 0; }
  std::string text() const { return std::string(reinterpret_cast<const char*>(data), size); }
};

inline bool operator==(Bytes a, Bytes b) {
  return a.size == b.size && (a.size == 0 || std::memcmp(a.data, b.data, a.size) == 0);
}
inline bool operator!=(Bytes a, Bytes b) { return !(a == b); }

inline uint32_t readLe32(const uint8_t* at) {
  return uint32_t{at[0]} | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24;
}

inline uint32_t readBe32(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | uint32_t{at[3]};
}

inline void writeLe32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; i += 1) at[i] = static_cast<uint8_t>(value >> (8 * i));
}

inline void writeBe32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; i += 1) at[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

}  // namespace ringtail
