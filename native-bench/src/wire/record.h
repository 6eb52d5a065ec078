// Records (schema/common.proto), as far as a load generator looks into them.
#pragma once

#include "base/bytes.h"

namespace ringtail {

struct RecordFacts {
  uint32_t siblings = 0;
  // Siblings that are no tombstones.
  uint32_t values = 0;
  // Size of the first value.
  size_t valueBytes = 0;
};

// What is in a record's body; false: it is none.
bool readRecord(Bytes body, RecordFacts& facts);

// How many siblings are in a record's body; 0 as well if it is none.
uint32_t countSiblings(Bytes body);

}  // namespace ringtail
