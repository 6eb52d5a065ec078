// The command line, with the flags of `ringtail bench`. A bad one ends the program with INVALID_ARGUMENT, saying what
// is allowed.
#pragma once

#include <string>
#include <vector>

#include "lab/load-phase.h"
#include "lab/workload.h"

namespace ringtail {

// Whether the generator asks the kernel for a CPU before others: `high` is for machines that it shares with the nodes.
enum class Priority { normal, high };

struct Options {
  std::vector<std::string> seedNodes;
  Workload workload;
  RunPlan plan;
  LoadMode load = LoadMode::automatic;
  int64_t timeoutUs = 1'000'000;
  // Empty: none.
  std::string histogramLog;
  bool isStrictVoid = false;
  bool isJson = false;
  Priority priority = Priority::normal;
  // Of the RocksDB floor.
  std::string directory;
  uint32_t copies = 1;
};

// `program`: the first words of the help; `isInProcess`: the flags of a floor that needs no cluster.
Options readOptions(int count, char** words, const char* program, bool isInProcess);

}  // namespace ringtail
