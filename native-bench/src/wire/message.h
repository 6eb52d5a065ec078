// What every message can do, made from one list of its fields:
//
//     struct FetchRingRequest : Message<FetchRingRequest> {
//       uint32_t epoch = 0;
//
//       template <class Self, class Visitor>
//       static void visit(Self& self, Visitor& visitor) {
//         visitor.fixed(1, self.epoch);
//       }
//     };
//
// A visitor is called for each field with its number: to add up sizes, to write, or to read the field that is at hand.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/protobuf.h"

namespace ringtail {

class SizeVisitor {
 public:
  void number(uint32_t, uint32_t) { total += numberBound; }
  void flag(uint32_t, bool) { total += numberBound; }
  void fixed(uint32_t, uint32_t) { total += fixedBound; }
  void bytes(uint32_t, Bytes value) { total += bytesBound(value.size); }

  size_t total = 0;
};

class ReadVisitor {
 public:
  explicit ReadVisitor(FieldReader& reader) : reader_(reader) {}

  void number(uint32_t field, uint32_t& value) {
    if (reader_.field() == field) value = reader_.number();
  }
  void flag(uint32_t field, bool& value) {
    if (reader_.field() == field) value = reader_.flag();
  }
  void fixed(uint32_t field, uint32_t& value) {
    if (reader_.field() == field) value = reader_.fixed();
  }
  void bytes(uint32_t field, Bytes& value) {
    if (reader_.field() == field) value = reader_.bytes();
  }

 private:
  FieldReader& reader_;
};

template <class Derived>
struct Message {
  // What `write` takes at the most.
  size_t sizeBound() const {
    SizeVisitor visitor;
    Derived::visit(static_cast<const Derived&>(*this), visitor);
    return visitor.total;
  }

  // Writes the body from `at` on; returns its end.
  uint8_t* write(uint8_t* at) const {
    FieldWriter writer(at);
    Derived::visit(static_cast<const Derived&>(*this), writer);
    return writer.end();
  }

  // False: the bytes are no such message. Its `Bytes` are views of `body`.
  bool read(Bytes body) {
    auto& self = static_cast<Derived&>(*this);
    self = Derived();
    FieldReader reader(body);
    ReadVisitor visitor(reader);
    while (reader.next()) Derived::visit(self, visitor);
    return reader.ok();
  }
};

}  // namespace ringtail
