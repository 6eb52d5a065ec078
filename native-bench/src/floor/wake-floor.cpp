// ringtail-wake-floor: what it costs on this machine to wake somebody up. Two processes pass a byte to and fro through
// pipes, on one CPU and on two, straight on and after a sleep: how long a round trip takes, and how much CPU time each of
// them pays for it. On a machine of its own it is some microseconds; where sleeping gives the CPU back to a host, hundreds.
// Where the kernel lets it (as root), it measures again with CPUs that stay awake, as a node does under load.
//
//     ringtail-wake-floor [--rounds 3000]
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fail.h"
#include "floor/rounds.h"

namespace ringtail {

namespace {

constexpr long roundsMax = 1'000'000;
constexpr const char* wishPath = "/dev/cpu_dma_latency";

double processCpuUs() {
  timespec at{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) * 1e6 + static_cast<double>(at.tv_nsec) / 1e3;
}

// The CPUs that this process may run on.
std::vector<int> ownCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) fail(storageFailed, "cannot tell which CPUs there are");
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu += 1) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void moveTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail(storageFailed, "cannot move to CPU " + std::to_string(cpu));
}

struct Pipe {
  int ends[2];
  Pipe() {
    if (pipe(ends) != 0) fail(storageFailed, "cannot make a pipe");
  }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  void pass() {
    char byte = 0;
    if (write(ends[1], &byte, 1) != 1) fail(storageFailed, "cannot write to a pipe");
  }
  void take() {
    char byte = 0;
    if (read(ends[0], &byte, 1) != 1) fail(storageFailed, "cannot read from a pipe");
  }
};

// The other process: answers each byte, and leaves what it took of its CPU.
[[noreturn]] void answer(Pipe& there, Pipe& back, int cpu, long rounds) {
  moveTo(cpu);
  double begun = processCpuUs();
  for (long i = 0; i < rounds; i += 1) {
    there.take();
    back.pass();
  }
  double taken = processCpuUs() - begun;
  if (write(back.ends[1], &taken, sizeof taken) != sizeof taken) _exit(1);
  _exit(0);
}

struct Place {
  int own;
  int other;
};

void measure(const char* what, Place place, int64_t pauseUs, long rounds) {
  Pipe there;
  Pipe back;
  pid_t child = fork();
  if (child < 0) fail(storageFailed, "cannot make a process");
  if (child == 0) answer(there, back, place.other, rounds);
  moveTo(place.own);
  double tookUs = 0;
  double cpuUs = 0;
  for (long i = 0; i < rounds; i += 1) {
    if (pauseUs > 0) sleepUntil(clockNow() + pauseUs);
    double cpuBegun = processCpuUs();
    Instant begun = clockNow();
    there.pass();
    back.take();
    tookUs += static_cast<double>(clockNow() - begun);
    cpuUs += processCpuUs() - cpuBegun;
  }
  double otherUs = 0;
  if (read(back.ends[0], &otherUs, sizeof otherUs) != sizeof otherUs) fail(storageFailed, "the other process failed");
  waitpid(child, nullptr, 0);
  double count = static_cast<double>(rounds);
  std::printf("%-34s%12.1f%12.1f%12.1f\n", what, tookUs / count, cpuUs / count, otherUs / count);
  std::fflush(stdout);
}

void measureAll(const std::vector<int>& cpus, long rounds) {
  measure("the same CPU", {cpus[0], cpus[0]}, 0, rounds);
  measure("another CPU", {cpus[0], cpus[1]}, 0, rounds);
  measure("another CPU, after 200 us asleep", {cpus[0], cpus[1]}, 200, rounds);
}

void run(long rounds) {
  const std::vector<int> cpus = ownCpus();
  if (cpus.size() < 2) fail(invalidArgument, "it takes two CPUs, and this process has one");
  prctl(PR_SET_TIMERSLACK, 1UL);
  std::printf("us, means of %ld%21s%12s%12s\n", rounds, "round trip", "CPU", "other's CPU");
  measureAll(cpus, rounds);
  int wish = open(wishPath, O_RDWR);
  int32_t none = 0;
  if (wish < 0 || write(wish, &none, sizeof none) != sizeof none) {
    std::printf("CPUs that stay awake: not measured, %s cannot be written\n", wishPath);
    return;
  }
  std::printf("with CPUs that stay awake\n");
  measureAll(cpus, rounds);
  close(wish);
}

}  // namespace

}  // namespace ringtail

int main(int count, char** words) {
  ringtail::run(ringtail::readRounds(count, words, 3'000, ringtail::roundsMax));
  return 0;
}
