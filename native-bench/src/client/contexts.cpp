// Reads two things out of a context, whose layout src/version/context.ts documents; the rest is opaque.
#include "client/contexts.h"

namespace ringtail {

namespace {

constexpr size_t headBytes = 16;
constexpr size_t fastestAt = 10;
constexpr size_t ownBytes = 28;
constexpr size_t entryBytes = 12;
constexpr uint8_t formatOwn = 2;
constexpr size_t longest = 0xffff;

}  // namespace

uint64_t seenBy(Bytes context) {
  bool hasOwn = !context.empty() && context.data[0] == formatOwn;
  uint64_t sum = hasOwn ? 1 : 0;
  for (size_t at = headBytes + (hasOwn ? ownBytes : 0); at + entryBytes <= context.size; at += entryBytes) {
    sum += readLe32(context.data + at);
  }
  return sum;
}

uint32_t fastestOf(Bytes context) {
  if (context.size < headBytes || context.data[0] == 0 || context.data[0] > formatOwn) return 0;
  return context.data[fastestAt] | static_cast<uint32_t>(context.data[fastestAt + 1]) << 8;
}

void Contexts::learn(uint32_t key, Bytes context) {
  if (context.empty() || context.size > longest) return;
  Known& known = contexts_[key];
  uint64_t seen = seenBy(context);
  if (known.seen > seen) return;
  known.seen = seen;
  known.bytes.assign(context.data, context.data + context.size);
}

}  // namespace ringtail
