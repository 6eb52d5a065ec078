// Flags are looked up in the help text itself: what is not explained there does not exist.
#include "lab/options.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/fail.h"
#include "client/key-space.h"

namespace ringtail {

namespace {

constexpr const char* commonHelp = R"(
  --workload <name>        a: 50 % gets; b: 95 % gets; c: gets only; the flags below override it (default: a)
  --reads <percent>        how many of 100 operations are gets
  --keys <count>           how many keys (default: 100000)
  --key-bytes <bytes>      size of a key (default: 16)
  --value-bytes <bytes>    size of a value (default: 1024)
  --distribution <name>    uniform, or zipfian (scrambled, 0.99; the default)
  --bucket <name>          where the keys are (default: bench)
  --clients <count>        closed loop: so many operations at once (default: 64)
  --rate <per-second>      open loop: so many operations a second
  --arrivals <kind>        with --rate: poisson (default) or constant
  --pacing <way>           with --rate, how to wait for the next send: nap (default: asleep, to the microsecond,
                           but at most every 250 us), spin (takes a whole CPU) or timer (to the millisecond)
  --duration <seconds>     the measured part (default: 20)
  --warm-up <seconds>      before it, with the same load (default: 5)
  --seed <number>          of keys, kinds and arrivals (default: 1)
  --load <when>            put the keys first: auto (those that are missing), always or never (default: auto)
  --hlog <file>            write an HDR histogram log (format 1.3, one line a second for gets and for puts)
  --priority <level>       normal (default), or high: a CPU before all others, where the kernel allows it
  --strict-void            end with status 40 when the run is void
  --json                   print one JSON document, of the shape of `ringtail bench --json`
)";

constexpr const char* clusterHelp =
    R"(  --seed-node <address>    a node to ask first, HOST:PORT; may be repeated (default: RINGTAIL_SEED_NODE,
                           or 127.0.0.1:7401)
  --durability <mode>      memory, buffered, one-durable or durable (default: the bucket's)
  --r <count>              how many replicas must answer a get (default: the bucket's)
  --w <count>              how many replicas must acknowledge a put (default: the bucket's)
  --connections <count>    per node, 1 to 8 (default: 1)
  --in-flight-max <count>  operations at once; one that must wait for others voids the run (default: 16384)
  --timeout-ms <ms>        of each operation (default: 1000)
  --throttle <on-or-off>   on: of nodes that refuse, no more is asked than a quarter beyond what they answer, as the SDK
                           does; what is held back counts as OVERLOADED (default: on)
)";

constexpr const char* inProcessHelp =
    R"(  --dir <directory>        where the databases are made and removed again (default: a new one in the system's temporary directory)
  --copies <count>         databases that each put and each get goes to (default: 1)
)";

// Flags by name, without the dashes. A flag that may be repeated holds its values separated by commas.
class Flags {
 public:
  Flags(int count, char** words, const std::string& help) : help_(help) {
    for (int i = 1; i < count; i += 1) {
      std::string word = words[i];
      if (word == "--help" || word == "-h") {
        std::fputs(help.c_str(), stdout);
        std::exit(0);
      }
      if (word.rfind("--", 0) != 0 || help.find("  " + word + " ") == std::string::npos) {
        fail(invalidArgument, "unknown option " + word + "; --help lists them");
      }
      bool isSwitch = word == "--json" || word == "--strict-void";
      if (!isSwitch && i + 1 == count) fail(invalidArgument, word + " needs a value");
      std::string value = isSwitch ? "yes" : words[++i];
      std::string& held = values_[word];
      held = word == "--seed-node" && !held.empty() ? held + "," + value : value;
    }
  }

  bool has(const char* name) const { return values_.count(name) > 0; }

  std::string text(const char* name, const std::string& usual) const {
    auto found = values_.find(name);
    return found == values_.end() ? usual : found->second;
  }

  uint32_t whole(const char* name, uint64_t usual, uint64_t min, uint64_t max) const {
    auto found = values_.find(name);
    if (found == values_.end()) return static_cast<uint32_t>(usual);
    const std::string& value = found->second;
    bool isNumber = !value.empty() && value.size() <= 15 && value.find_first_not_of("0123456789") == std::string::npos;
    uint64_t number = isNumber ? std::stoull(value) : 0;
    if (isNumber && number >= min && number <= max) return static_cast<uint32_t>(number);
    fail(invalidArgument, std::string(name) + " is " + value + "; allowed: a whole number, " + std::to_string(min) +
                              " to " + std::to_string(max));
  }

  int64_t seconds(const char* name, const char* usual, double min) const {
    std::string value = text(name, usual);
    char* end = nullptr;
    double number = std::strtod(value.c_str(), &end);
    bool isNumber = !value.empty() && *end == 0 && value.find_first_not_of("0123456789.") == std::string::npos;
    if (isNumber && number >= min && number <= 86'400) return static_cast<int64_t>(number * 1e6);
    fail(invalidArgument, std::string(name) + " is " + value + "; allowed: seconds, up to 86400");
  }

  // The place of the value among the words.
  size_t oneOf(const char* name, const char* usual, const std::vector<std::string>& words) const {
    std::string value = text(name, usual);
    std::string allowed;
    for (size_t i = 0; i < words.size(); i += 1) {
      if (words[i] == value) return i;
      allowed += (i == 0 ? "" : ", ") + words[i];
    }
    fail(invalidArgument, std::string(name) + " is " + value + "; allowed: " + allowed);
  }

 private:
  std::string help_;
  std::map<std::string, std::string> values_;
};

Workload workloadOf(const Flags& flags) {
  constexpr uint32_t readPercents[] = {50, 95, 100};
  Workload workload;
  size_t named = flags.oneOf("--workload", "a", {"a", "b", "c"});
  workload.name = std::string(1, static_cast<char>('a' + named));
  workload.readPercent = flags.whole("--reads", readPercents[named], 0, 100);
  workload.keys = flags.whole("--keys", workload.keys, 1, 10'000'000);
  uint32_t least = keyBytesMin(workload.keys);
  workload.keyBytes = flags.whole("--key-bytes", std::max(workload.keyBytes, least), least, 1'024);
  workload.valueBytes = flags.whole("--value-bytes", workload.valueBytes, 0, 1024 * 1024);
  bool isZipfian = flags.oneOf("--distribution", "zipfian", {"uniform", "zipfian"}) == 1;
  workload.distribution = isZipfian ? Distribution::zipfian : Distribution::uniform;
  workload.bucket = flags.text("--bucket", workload.bucket);
  if (workload.bucket.empty() || workload.bucket.size() > 255) {
    fail(invalidArgument, "--bucket has " + std::to_string(workload.bucket.size()) + " bytes; allowed: 1 to 255");
  }
  workload.durability = flags.text("--durability", "");
  if (!workload.durability.empty() && durabilityOf(workload.durability) == 0) {
    fail(invalidArgument,
         "--durability is " + workload.durability + "; allowed: memory, buffered, one-durable, durable");
  }
  workload.r = flags.whole("--r", 0, 1, 7);
  workload.w = flags.whole("--w", 0, 1, 7);
  return workload;
}

RunPlan planOf(const Flags& flags) {
  RunPlan plan;
  plan.isOpenLoop = flags.has("--rate");
  if (plan.isOpenLoop && flags.has("--clients")) {
    fail(invalidArgument, "both --rate and --clients were given; allowed: one of them (an open or a closed loop)");
  }
  for (const char* name : {"--arrivals", "--pacing"}) {
    if (!plan.isOpenLoop && flags.has(name)) fail(invalidArgument, std::string(name) + " needs --rate");
  }
  plan.inFlightMax = flags.whole("--in-flight-max", plan.inFlightMax, 1, 65'536);
  plan.clients = flags.whole("--clients", plan.clients, 1, plan.inFlightMax);
  plan.rate = flags.whole("--rate", 0, 1, 1'000'000);
  plan.isPoisson = flags.oneOf("--arrivals", "poisson", {"poisson", "constant"}) == 0;
  plan.pacing = static_cast<Pacing>(flags.oneOf("--pacing", "nap", {"nap", "spin", "timer"}));
  plan.durationUs = flags.seconds("--duration", "20", 0.1);
  plan.warmUpUs = flags.seconds("--warm-up", "5", 0);
  plan.connections = flags.whole("--connections", 1, 1, 8);
  plan.throttles = flags.oneOf("--throttle", "on", {"on", "off"}) == 0;
  plan.seed = flags.whole("--seed", 1, 0, 0xffff'ffff);
  return plan;
}

std::vector<std::string> seedNodesOf(const Flags& flags) {
  const char* variable = std::getenv("RINGTAIL_SEED_NODE");
  std::string list = flags.text("--seed-node", variable != nullptr ? variable : "127.0.0.1:7401") + ",";
  std::vector<std::string> nodes;
  for (size_t at = 0; at < list.size();) {
    size_t comma = list.find(',', at);
    if (comma > at) nodes.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  if (nodes.empty()) fail(invalidArgument, "--seed-node names no address");
  return nodes;
}

}  // namespace

Options readOptions(int count, char** words, const char* program, bool isInProcess) {
  std::string help = std::string(program) + "\n" + commonHelp + (isInProcess ? inProcessHelp : clusterHelp);
  Flags flags(count, words, help);
  Options options;
  options.workload = workloadOf(flags);
  options.plan = planOf(flags);
  options.seedNodes = seedNodesOf(flags);
  options.load = static_cast<LoadMode>(flags.oneOf("--load", "auto", {"auto", "always", "never"}));
  options.timeoutUs = int64_t{flags.whole("--timeout-ms", 1'000, 1, 600'000)} * 1'000;
  options.histogramLog = flags.text("--hlog", "");
  options.isStrictVoid = flags.has("--strict-void");
  options.isJson = flags.has("--json");
  options.priority = static_cast<Priority>(flags.oneOf("--priority", "normal", {"normal", "high"}));
  options.directory = flags.text("--dir", "");
  options.copies = flags.whole("--copies", 1, 1, 7);
  return options;
}

}  // namespace ringtail
