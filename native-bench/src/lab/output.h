// The end of a run: prints the result as asked, and says with which status to end.
#pragma once

#include "lab/options.h"
#include "lab/result.h"

namespace ringtail {

int printResult(const Options& options, const RunParts& parts);

}  // namespace ringtail
