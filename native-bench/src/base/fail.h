// How this program gives up: one line on stderr and the exit status of Ringtail's error table (src/base/errors.ts).
#pragma once

#include <string>

#include "wire/errors.h"

namespace ringtail {

// Prints "native-bench: CODE: message" and exits with the code's status.
[[noreturn]] void fail(Status code, const std::string& message);

}  // namespace ringtail
