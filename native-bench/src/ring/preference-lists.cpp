// The walk of src/ring/preference-list.ts, one partition after the other.
#include "ring/preference-lists.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace ringtail {

namespace {

constexpr size_t lengthMax = 16;

// Labels of the owners by partition, numbered densely.
struct Labels {
  std::vector<uint16_t> at;
  size_t count = 0;
};

Labels labelsOf(const Ring& ring, std::string Member::*label) {
  Labels labels;
  std::map<std::string, uint16_t> indexes;
  for (uint16_t owner : ring.owners()) {
    auto [found, isNew] = indexes.emplace(ring.member(owner)->*label, static_cast<uint16_t>(indexes.size()));
    (void)isNew;
    labels.at.push_back(found->second);
  }
  labels.count = indexes.size();
  return labels;
}

// One walk; makes the list of one partition.
class Walk {
 public:
  Walk(const Ring& ring, const Labels& hosts, const Labels& zones, uint16_t* out)
      : ring_(ring), hosts_(hosts), zones_(zones), out_(out), hostSeen_(hosts.count), zoneSeen_(zones.count) {}

  void write(uint32_t partition, size_t n, size_t zonesOfMembers, size_t length) {
    uint32_t count = ring_.partitions();
    size_t zonesNeeded = std::min(n, zonesOfMembers);
    // A zone that comes more rarely must not be reached for: it would hold a copy of everything.
    auto limit = static_cast<uint32_t>(std::min<size_t>(2 * n + 2, count));
    size_t zonesUsed = 0;
    bool skipped = false;
    uint32_t step = 0;
    for (; zonesUsed < zonesNeeded && found_ < length && step < limit; step += 1) {
      uint32_t p = (partition + step) % count;
      if (hostSeen_[hosts_.at[p]]) continue;
      if (zoneSeen_[zones_.at[p]]) {
        skipped = true;
        continue;
      }
      zoneSeen_[zones_.at[p]] = true;
      zonesUsed += 1;
      take(p);
    }
    if (skipped) step = 0;
    for (; found_ < length && step < count; step += 1) {
      uint32_t p = (partition + step) % count;
      if (!hostSeen_[hosts_.at[p]]) take(p);
    }
  }

 private:
  void take(uint32_t partition) {
    hostSeen_[hosts_.at[partition]] = true;
    out_[found_] = ring_.owners()[partition];
    found_ += 1;
  }

  const Ring& ring_;
  const Labels& hosts_;
  const Labels& zones_;
  uint16_t* out_;
  std::vector<bool> hostSeen_;
  std::vector<bool> zoneSeen_;
  size_t found_ = 0;
};

}  // namespace

PreferenceLists::PreferenceLists(const Ring& ring, uint32_t n) {
  Labels hosts = labelsOf(ring, &Member::host);
  Labels zones = labelsOf(ring, &Member::zone);
  std::set<std::string> zonesOfMembers;
  for (const Member& member : ring.members()) {
    if (member.status != memberLeft) zonesOfMembers.insert(member.zone);
  }
  length_ = std::min(hosts.count, lengthMax);
  flat_.assign(ring.partitions() * length_, 0);
  for (uint32_t p = 0; p < ring.partitions(); p += 1) {
    Walk(ring, hosts, zones, &flat_[p * length_]).write(p, n, zonesOfMembers.size(), length_);
  }
}

}  // namespace ringtail
