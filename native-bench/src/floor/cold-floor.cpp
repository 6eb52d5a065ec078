// ringtail-cold-floor: what a wake-up costs on this machine before it has done anything. The same work, a fixed number of
// reads at random places of a block of memory, once straight on and once after each of several sleeps: how much dearer
// it is then is what the caches have lost meanwhile, to other processes, other virtual machines, or the idle CPU.
// No program that waits for requests can be cheaper a request than this factor allows.
//
//     ringtail-cold-floor [--rounds 300]
#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fail.h"
#include "floor/rounds.h"

namespace ringtail {

namespace {

constexpr size_t blockKiB[] = {0, 64, 256, 1'024, 4'096};
constexpr int64_t sleepsUs[] = {0, 200, 1'000, 5'000};
constexpr int reads = 20'000;
constexpr long roundsMax = 100'000;

double threadCpuUs() {
  timespec at{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) * 1e6 + static_cast<double>(at.tv_nsec) / 1e3;
}

void sleepFor(int64_t us) {
  if (us == 0) return;
  timespec wait{us / 1'000'000, us % 1'000'000 * 1'000};
  nanosleep(&wait, nullptr);
}

// Reads that depend on nothing but a cheap random number, so that they overlap as a program's best reads do.
uint64_t work(const std::vector<uint64_t>& block, uint64_t& random) {
  uint64_t sum = 0;
  for (int i = 0; i < reads; i += 1) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    if (!block.empty()) sum += block[random % block.size()];
  }
  return sum;
}

// The median of what one round of work takes of the CPU, in microseconds.
double medianUs(const std::vector<uint64_t>& block, int64_t sleepUs, long rounds) {
  uint64_t random = 88'172'645'463'325'252;
  uint64_t sum = 0;
  std::vector<double> taken;
  for (long round = 0; round < rounds; round += 1) {
    sleepFor(sleepUs);
    double begun = threadCpuUs();
    sum += work(block, random);
    taken.push_back(threadCpuUs() - begun);
  }
  // So that the compiler keeps the reads: the blocks hold ones.
  if (sum == 1) fail(storageFailed, "the memory read is not what was written");
  auto middle = taken.begin() + static_cast<std::ptrdiff_t>(taken.size() / 2);
  std::nth_element(taken.begin(), middle, taken.end());
  return *middle;
}

void run(long rounds) {
  // Without it a sleep lasts 50 us longer.
  prctl(PR_SET_TIMERSLACK, 1UL);
  std::printf("us of CPU for %d reads at random places, median of %ld\n%10s", reads, rounds, "block");
  for (int64_t sleep : sleepsUs) {
    std::printf("%15s", sleep == 0 ? "straight on" : (std::to_string(sleep) + " us asleep").c_str());
  }
  std::printf("\n");
  for (size_t kib : blockKiB) {
    const std::vector<uint64_t> block(kib * 1'024 / sizeof(uint64_t), 1);
    std::printf("%6zu KiB", kib);
    for (int64_t sleep : sleepsUs) {
      std::printf("%15.1f", medianUs(block, sleep, rounds));
      std::fflush(stdout);
    }
    std::printf("\n");
  }
}

}  // namespace

}  // namespace ringtail

int main(int count, char** words) {
  ringtail::run(ringtail::readRounds(count, words, 300, ringtail::roundsMax));
  return 0;
}
