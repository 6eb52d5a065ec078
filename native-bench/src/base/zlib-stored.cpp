// RFC 1950's header and Adler-32 around RFC 1951's blocks of type 00.
#include "base/zlib-stored.h"

#include <algorithm>

namespace ringtail {

namespace {

constexpr size_t blockBytesMax = 0xffff;

uint32_t adler32(Bytes bytes) {
  constexpr uint32_t modulus = 65'521;
  uint32_t a = 1;
  uint32_t b = 0;
  for (size_t i = 0; i < bytes.size; i += 1) {
    a = (a + bytes.data[i]) % modulus;
    b = (b + a) % modulus;
  }
  return b << 16 | a;
}

}  // namespace

Buffer zlibStored(Bytes bytes) {
  Buffer out = {0x78, 0x01};
  size_t at = 0;
  do {
    size_t size = std::min(blockBytesMax, bytes.size - at);
    bool isLast = at + size == bytes.size;
    out.push_back(isLast ? 1 : 0);
    out.push_back(static_cast<uint8_t>(size));
    out.push_back(static_cast<uint8_t>(size >> 8));
    out.push_back(static_cast<uint8_t>(~size));
    out.push_back(static_cast<uint8_t>(~size >> 8));
    out.insert(out.end(), bytes.data + at, bytes.data + at + size);
    at += size;
  } while (at < bytes.size);
  uint8_t sum[4];
  writeBe32(sum, adler32(bytes));
  out.insert(out.end(), sum, sum + 4);
  return out;
}

}  // namespace ringtail
