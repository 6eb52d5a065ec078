// Written field by field, like the message it is (schema/common.proto).
#include "floor/sample-ring.h"

#include <string>

#include "wire/protobuf.h"

namespace ringtail {

namespace {

constexpr uint32_t partitions = 64;
constexpr uint32_t murmur3Function = 1;
constexpr uint32_t statusMember = 1;
constexpr uint32_t memory = 1;
constexpr size_t memberBound = 256;

Bytes memberMessage(uint32_t number, uint16_t port, uint8_t* out) {
  uint8_t id[16] = {};
  id[15] = static_cast<uint8_t>(number);
  std::string name = "echo" + std::to_string(number);
  std::string address = "127.0.0.1:" + std::to_string(port);
  FieldWriter writer(out);
  writer.number(1, number);
  writer.bytes(2, Bytes(id, sizeof id));
  writer.bytes(3, Bytes(name));
  writer.bytes(4, Bytes(address));
  writer.bytes(5, Bytes(name));
  writer.number(7, 1);
  writer.number(8, statusMember);
  return Bytes(out, static_cast<size_t>(writer.end() - out));
}

}  // namespace

Buffer sampleRing(uint32_t nodes, uint16_t basePort) {
  const uint8_t clusterId[16] = {0xec, 0x40};
  uint8_t owners[2 * partitions] = {};
  for (uint32_t p = 0; p < partitions; p += 1) owners[2 * p] = static_cast<uint8_t>(1 + p % nodes);
  uint8_t policy[5 * numberBound];
  FieldWriter inner(policy);
  inner.number(2, sampleReplicas);
  inner.number(3, sampleQuorum);
  inner.number(4, sampleQuorum);
  inner.number(5, memory);
  inner.number(6, 1);

  Buffer ring(512 + sizeof owners + nodes * memberBound);
  FieldWriter writer(ring.data());
  writer.bytes(1, Bytes(clusterId, sizeof clusterId));
  writer.fixed(2, sampleEpoch);
  writer.number(3, partitions);
  writer.number(4, sampleReplicas);
  writer.number(5, murmur3Function);
  uint8_t member[memberBound];
  for (uint32_t i = 0; i < nodes; i += 1) {
    writer.bytes(6, memberMessage(i + 1, static_cast<uint16_t>(basePort + i), member));
  }
  writer.bytes(7, Bytes(owners, sizeof owners));
  writer.bytes(8, Bytes(policy, static_cast<size_t>(inner.end() - policy)));
  ring.resize(static_cast<size_t>(writer.end() - ring.data()));
  return ring;
}

}  // namespace ringtail
