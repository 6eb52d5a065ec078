// Contexts: the newest context known of each key, so that a put replaces what is there (src/lab/contexts.ts). Replies
// overtake each other, so the newest is not the latest but the one that has seen most: the sum of its counters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace ringtail {

class Contexts {
 public:
  explicit Contexts(uint32_t keys) : contexts_(keys) {}

  // Empty if none is known. A view, good until the next `learn` of that key.
  Bytes get(uint32_t key) const { return Bytes(contexts_[key].bytes); }
  // Keeps a copy, unless a newer one of that key is here or it is empty.
  void learn(uint32_t key, Bytes context);

 private:
  struct Known {
    Buffer bytes;
    uint64_t seen = 0;
  };

  std::vector<Known> contexts_;
};

// How many writes a context has seen, more or less. The layout is documented in src/version/context.ts.
uint64_t seenBy(Bytes context);

// The number of the node that answered a get first and should coordinate the put that follows; 0: none is named.
uint32_t fastestOf(Bytes context);

}  // namespace ringtail
