// Frames (schema/README.md): u32 length of what follows, u8 type, u8 status or flags, u32 frame id, body; big-endian.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/errors.h"

namespace ringtail {

namespace FrameType {
constexpr uint8_t hello = 0x01;
constexpr uint8_t ping = 0x02;
constexpr uint8_t goAway = 0x03;
constexpr uint8_t get = 0x10;
constexpr uint8_t put = 0x11;
constexpr uint8_t fetchRing = 0x14;
constexpr uint8_t replicaRead = 0x20;
constexpr uint8_t replicaWrite = 0x21;
constexpr uint8_t replyBit = 0x80;
}  // namespace FrameType

constexpr size_t frameHeaderBytes = 10;
constexpr size_t frameBytesMax = 64 * 1024 * 1024;

struct Frame {
  uint8_t type = 0;
  uint8_t status = 0;
  uint32_t id = 0;
  // A view of the socket's buffer: gone when the handler returns.
  Bytes body;
};

enum class FrameFound { whole, incomplete, malformed };

// The frame at the start of `bytes`. `whole`: it is in `frame`. `total`: its size, as soon as its length field is
// there.
inline FrameFound readFrame(Bytes bytes, Frame& frame, size_t& total) {
  if (bytes.size < 4) {
    total = 0;
    return FrameFound::incomplete;
  }
  total = size_t{4} + readBe32(bytes.data);
  if (total < frameHeaderBytes || total > frameBytesMax) return FrameFound::malformed;
  if (bytes.size < total) return FrameFound::incomplete;
  frame.type = bytes.data[4];
  frame.status = bytes.data[5];
  frame.id = readBe32(bytes.data + 6);
  frame.body = Bytes(bytes.data + frameHeaderBytes, total - frameHeaderBytes);
  return FrameFound::whole;
}

// Writes the header of a frame that ends at `end`.
inline void writeFrameHeader(uint8_t* start, const uint8_t* end, uint8_t type, uint8_t status, uint32_t id) {
  writeBe32(start, static_cast<uint32_t>(end - start - 4));
  start[4] = type;
  start[5] = status;
  writeBe32(start + 6, id);
}

}  // namespace ringtail
