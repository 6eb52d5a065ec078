// One place decides between the two forms, so that every target ends alike.
#include "lab/output.h"

#include <cstdio>

namespace ringtail {

namespace {

constexpr int exitVoided = 40;

}  // namespace

int printResult(const Options& options, const RunParts& parts) {
  std::string text = options.isJson ? jsonOf(parts) + "\n" : reportOf(parts);
  std::fputs(text.c_str(), stdout);
  return options.isStrictVoid && !decideVoid(parts).empty() ? exitVoided : 0;
}

}  // namespace ringtail
