// The part of protobuf's encoding that Ringtail's messages use: varints, fixed32 and length-delimited fields with
// numbers up to 31. The writer leaves out default values, as proto3 does; the reader passes over fields that it does
// not know.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace ringtail {

// Writes fields into memory with room for them; see `sizeBound` of each message.
class FieldWriter {
 public:
  explicit FieldWriter(uint8_t* at) : at_(at) {}

  uint8_t* end() const { return at_; }

  void number(uint32_t field, uint32_t value) {
    if (value == 0) return;
    tag(field, 0);
    varint(value);
  }

  void flag(uint32_t field, bool value) { number(field, value ? 1 : 0); }

  void fixed(uint32_t field, uint32_t value) {
    if (value == 0) return;
    tag(field, 5);
    writeLe32(at_, value);
    at_ += 4;
  }

  void bytes(uint32_t field, Bytes value) {
    if (value.empty()) return;
    tag(field, 2);
    varint(static_cast<uint32_t>(value.size));
    std::memcpy(at_, value.data, value.size);
    at_ += value.size;
  }

  // The head of a nested message or packed field of so many bytes, which the caller writes next.
  void head(uint32_t field, size_t size) {
    tag(field, 2);
    varint(static_cast<uint32_t>(size));
  }

 private:
  void tag(uint32_t field, uint32_t wireType) { varint(field << 3 | wireType); }

  void varint(uint32_t value) {
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<uint8_t>(value | 0x80);
    *at_++ = static_cast<uint8_t>(value);
  }

  uint8_t* at_;
};

// The most that a field takes: tag and varint, tag and fixed32, tag and length and bytes.
constexpr size_t numberBound = 1 + 5;
constexpr size_t fixedBound = 1 + 4;
constexpr size_t bytesBound(size_t size) { return 1 + 5 + size; }

// Reads the fields of one message in order:
//     for (FieldReader reader(body); reader.next();) switch (reader.field()) { case 1: epoch = reader.fixed(); }
// and asks `ok` at the end. A field of another wire type than asked for makes the message malformed.
class FieldReader {
 public:
  explicit FieldReader(Bytes body) : at_(body.data), end_(body.data + body.size) {}

  bool ok() const { return ok_; }
  uint32_t field() const { return field_; }
  uint32_t wireType() const { return wireType_; }

  bool next() {
    if (!ok_ || at_ == end_) return false;
    uint64_t tag = varint();
    field_ = static_cast<uint32_t>(tag >> 3);
    wireType_ = static_cast<uint32_t>(tag & 7);
    if (field_ == 0) ok_ = false;
    if (!ok_) return false;
    switch (wireType_) {
      case 0:
        value_ = varint();
        break;
      case 1:
        take(8);
        break;
      case 2: {
        uint64_t size = varint();
        if (size > static_cast<uint64_t>(end_ - at_)) ok_ = false;
        if (ok_) take(static_cast<size_t>(size));
        break;
      }
      case 5:
        take(4);
        break;
      default:
        ok_ = false;
    }
    return ok_;
  }

  uint32_t number() {
    if (wireType_ != 0) ok_ = false;
    return ok_ ? static_cast<uint32_t>(value_) : 0;
  }

  bool flag() { return number() != 0; }

  uint32_t fixed() {
    if (wireType_ != 5) ok_ = false;
    return ok_ ? readLe32(bytes_.data) : 0;
  }

  // A view of the message's bytes.
  Bytes bytes() {
    if (wireType_ != 2) ok_ = false;
    return ok_ ? bytes_ : Bytes();
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) break;
      uint8_t byte = *at_++;
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }

  void take(size_t size) {
    if (size > static_cast<size_t>(end_ - at_)) {
      ok_ = false;
      return;
    }
    bytes_ = Bytes(at_, size);
    at_ += size;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
  uint32_t field_ = 0;
  uint32_t wireType_ = 0;
  uint64_t value_ = 0;
  Bytes bytes_;
};

}  // namespace ringtail
