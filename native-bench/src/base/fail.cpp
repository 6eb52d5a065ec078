// The exit statuses of the error table are each error's number on the wire plus one.
#include "base/fail.h"

#include <cstdio>
#include <cstdlib>

namespace ringtail {

void fail(Status code, const std::string& message) {
  std::fprintf(stderr, "native-bench: %s: %s\n", errorName(code), message.c_str());
  std::exit(static_cast<int>(code) + 1);
}

}  // namespace ringtail
