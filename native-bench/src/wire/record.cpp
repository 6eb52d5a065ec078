// Walks a record's fields without keeping any: a sibling's value is only measured.
#include "wire/record.h"

#include "wire/protobuf.h"

namespace ringtail {

namespace {

constexpr uint32_t siblingsField = 2;

bool readSibling(Bytes body, RecordFacts& facts) {
  FieldReader reader(body);
  bool isTombstone = false;
  size_t valueBytes = 0;
  while (reader.next()) {
    if (reader.field() == 3) valueBytes = reader.bytes().size;
    if (reader.field() == 4) isTombstone = reader.flag();
  }
  facts.siblings += 1;
  if (isTombstone) return reader.ok();
  if (facts.values == 0) facts.valueBytes = valueBytes;
  facts.values += 1;
  return reader.ok();
}

}  // namespace

bool readRecord(Bytes body, RecordFacts& facts) {
  facts = RecordFacts();
  FieldReader reader(body);
  while (reader.next()) {
    if (reader.field() == siblingsField && !readSibling(reader.bytes(), facts)) return false;
  }
  return reader.ok();
}

uint32_t countSiblings(Bytes body) {
  uint32_t count = 0;
  FieldReader reader(body);
  while (reader.next()) count += reader.field() == siblingsField ? 1 : 0;
  return reader.ok() ? count : 0;
}

}  // namespace ringtail
