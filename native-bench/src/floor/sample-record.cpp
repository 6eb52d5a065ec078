// The layouts of schema/common.proto and src/version/context.ts, filled with plausible numbers.
#include "floor/sample-record.h"

#include "wire/protobuf.h"

namespace ringtail {

namespace {

constexpr size_t idBytes = 16;
constexpr size_t dotBytes = 12;
constexpr size_t ownersOfKey = 3;
constexpr uint32_t someSecond = 1'795'000'000;

// Three words: counter, actor's low half, actor's high half with the node number.
void writeDot(uint8_t* at, uint32_t counter, uint32_t number) {
  writeLe32(at, counter);
  writeLe32(at + 4, 0x12345678);
  writeLe32(at + 8, number << 16 | 0xbeef);
}

}  // namespace

Buffer sealedRecord(Bytes value, uint32_t number) {
  uint8_t dots[ownersOfKey * dotBytes];
  for (uint32_t i = 0; i < ownersOfKey; i += 1) writeDot(dots + i * dotBytes, 1'000 + i, i + 1);
  const uint8_t id[idBytes] = {0x10, 0x20, 0x30, 0x40};
  uint8_t own[dotBytes];
  writeDot(own, 1'003, number);

  Buffer sibling(bytesBound(dotBytes) + bytesBound(idBytes) + bytesBound(value.size) + fixedBound);
  FieldWriter inner(sibling.data());
  inner.bytes(1, Bytes(own, sizeof own));
  inner.bytes(2, Bytes(id, sizeof id));
  inner.bytes(3, value);
  inner.fixed(5, someSecond);
  sibling.resize(static_cast<size_t>(inner.end() - sibling.data()));

  uint8_t superseded[bytesBound(dotBytes) + bytesBound(idBytes) + fixedBound];
  FieldWriter recent(superseded);
  recent.bytes(1, Bytes(id, sizeof id));
  recent.bytes(2, Bytes(dots, dotBytes));
  recent.fixed(3, someSecond);

  Buffer record(recordHeaderBytes + bytesBound(sizeof dots) + bytesBound(sibling.size()) +
                bytesBound(sizeof superseded));
  FieldWriter outer(record.data() + recordHeaderBytes);
  outer.bytes(1, Bytes(dots, sizeof dots));
  outer.bytes(2, Bytes(sibling));
  outer.bytes(3, Bytes(superseded, static_cast<size_t>(recent.end() - superseded)));
  record.resize(static_cast<size_t>(outer.end() - record.data()));
  record[0] = 1;
  return record;
}

Buffer sampleContext(uint32_t number, uint32_t epoch) {
  constexpr size_t headBytes = 16;
  Buffer context(headBytes + ownersOfKey * dotBytes);
  context[0] = 1;
  context[10] = static_cast<uint8_t>(number);
  context[11] = static_cast<uint8_t>(number >> 8);
  writeLe32(&context[12], epoch);
  for (uint32_t i = 0; i < ownersOfKey; i += 1) writeDot(&context[headBytes + i * dotBytes], 1'000 + i, i + 1);
  return context;
}

}  // namespace ringtail
