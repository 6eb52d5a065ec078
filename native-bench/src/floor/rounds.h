// The one option of the small floors.
#pragma once

#include <cstdlib>
#include <string>

#include "base/fail.h"

namespace ringtail {

// `--rounds N`, from 1 to `max`; `usual` without it.
inline long readRounds(int count, char** words, long usual, long max) {
  if (count == 1) return usual;
  const bool isRounds = count == 3 && std::string(words[1]) == "--rounds";
  char* end = nullptr;
  const long rounds = isRounds ? std::strtol(words[2], &end, 10) : 0;
  if (rounds < 1 || rounds > max || *end != '\0') {
    fail(invalidArgument, "the only option is --rounds, a whole number from 1 to " + std::to_string(max));
  }
  return rounds;
}

}  // namespace ringtail
